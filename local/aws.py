"""`python -m local.aws synth | diff | deploy | destroy`: the CDK on AWS, after a look at what would stop it.

The CDK looks for credentials after it has made the template, and by then a quarter of a minute has gone.
"""

from __future__ import annotations

import os
import shutil
import sys

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
BOOTSTRAP = "An account needs `npx cdk bootstrap` once in each region."
WITHOUT_ACCESS = frozenset({"synth"})
"""Commands that ask AWS for nothing."""

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
        region = boto3.Session().region_name or os.environ.get("AWS_REGION")  # which the CDK reads, and boto3 does not
        if region is None:
            raise NoRegionError
        boto3.client("sts", region_name=region, config=CONFIG).get_caller_identity()
    except ClientError as error:
        said = error.response["Error"].get("Message", "").rstrip(".")
        raise StepFailed(f"AWS does not accept these credentials ({said}); sign in again, or {CREDENTIALS}") from None
    except PROBLEMS as error:
        raise StepFailed(f"{why(error)}. {BOOTSTRAP}") from None


def context_options(text: str) -> list[str]:
    """The CDK's options for `name=value name=value`. Raises StepFailed for a word that is not one."""
    for word in text.split():
        name, equals, _ = word.partition("=")
        if not (name and equals):
            example = 'CONTEXT="stage=prod retentionDays=90"'
            raise StepFailed(f"{word!r} in CONTEXT is not name=value; write it like {example}")
    return [option for word in text.split() for option in ("--context", word)]


def main() -> None:
    command, context = sys.argv[1:]
    try:
        options = context_options(context)
        if command not in WITHOUT_ACCESS:
            check_access()
    except StepFailed as failure:
        sys.exit(f"error: {failure}")
    cdk = shutil.which("cdk")
    if cdk is None:
        sys.exit("error: the CDK's command line is not installed; start this with make, which installs it")
    os.execv(cdk, [cdk, command, *options])  # noqa: S606 - an argument a word, so nothing here is for a shell


if __name__ == "__main__":
    main()
