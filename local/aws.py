"""AWS, with the caller's credentials: whether it can be asked at all, and what to do if it cannot."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.parsers import ResponseParserError

from local.progress import StepFailed

CREDENTIALS = "set AWS_PROFILE to a profile of yours, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
REGION = "set AWS_DEFAULT_REGION, like AWS_DEFAULT_REGION=eu-central-1"
BOOTSTRAP = "An account needs `cdk bootstrap` once in each region; see docs/deploying.md#before-the-first-deploy."
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})

PROBLEMS = (BotoCoreError, ClientError, ResponseParserError, ValueError)
"""What the SDK raises if AWS cannot be asked, or refuses; a setting that cannot be read is a ValueError at times."""


def why(error: BotoCoreError | ClientError | ResponseParserError | ValueError) -> str:
    """What is wrong, and what to do about it."""
    said = str(error).rstrip(".")
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return f"no AWS credentials were found ({said}); {CREDENTIALS}"
        case NoRegionError():
            return f"no AWS region is chosen; {REGION}"
        case SSOError() | TokenRetrievalError():
            return f"you are not signed in to AWS ({said}); run `aws sso login`, or {CREDENTIALS}"
        case NotConnectedError() | HTTPClientError():
            return f"AWS cannot be reached ({said}); check the network, the proxy, and the name of the region"
        case ResponseParserError():
            return "AWS cannot be reached: something else answered; check the network, the proxy, and AWS_ENDPOINT_URL"
        case ClientError():
            return f"AWS refused: {said}"
        case _:
            return f"the AWS settings cannot be used ({said}); correct ~/.aws/config, or {CREDENTIALS}"


def check_access() -> None:
    """Raises StepFailed if AWS cannot be asked for anything: no credentials, none that count, no region, no network."""
    try:
        client("sts").get_caller_identity()
    except ClientError as error:
        said = error.response["Error"].get("Message", "").rstrip(".")
        raise StepFailed(f"AWS does not accept these credentials ({said}); sign in again, or {CREDENTIALS}") from None
    except PROBLEMS as error:
        raise StepFailed(f"{why(error)}. {BOOTSTRAP}") from None


def client(service: str) -> Any:
    """A client in the region that the CDK would take, too. Raises what is in PROBLEMS."""
    region = boto3.Session().region_name or os.environ.get("AWS_REGION")  # which the CDK reads, and boto3 does not
    if region is None:
        raise NoRegionError
    return boto3.client(service, region_name=region, config=CONFIG)  # type: ignore[call-overload]
