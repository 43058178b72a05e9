"""The functions as they run on AWS: their environment, their events, their asset."""

from __future__ import annotations

import compileall
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from botocore.loaders import Loader

from bench import FUNCTIONS
from chat.sdk import session
from stacks.bundle import bundle, compile_sources
from stacks.sdk_description import OPERATIONS, described

NOWHERE = "http://127.0.0.1:9/stage"
"""An endpoint that nobody answers at: where nothing is to be called."""

TEXT = "a message of an ordinary length, as people write them"


def environment(dynamodb: str, gateway: str) -> dict[str, str]:
    """What the stack gives the functions, ours and the baseline, with both endpoints elsewhere."""
    return {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": gateway,
        "MANAGEMENT_URL": gateway,
        "TABLE_NAME": "chat",
        "CONNECTIONS_TABLE": "connections",
        "EPOCH": "1",
        "RETENTION_DAYS": "365",
        "USER_RATE": "1000000",  # what is measured is not to be refused
        "NEW_CHATS": "1000000",
        "ANNOUNCED_CHATS": "10",
        "GRACE_SECONDS": "60",
        "ANNOUNCEMENT_FUNCTION": "announcement",
        "IDENTITY": "token",
        "MAX_TOKEN_HOURS": "24",
        "TOKEN_SOURCE": "query",
        "TOKEN_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench",
    }


def imported(name: str) -> Any:
    """The module, imported anew: a handler makes its clients when it is imported, for the endpoints of then."""
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@contextmanager
def running_in(variables: dict[str, str]) -> Iterator[None]:
    """This process, with the functions' environment and no other setting of the SDK, and their log thrown away."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def as_bundled() -> Iterator[None]:
    """The functions' clients that are made in here know of the services what the asset's know, and no more."""
    with TemporaryDirectory() as folder, mock.patch.dict(os.environ, AWS_DATA_PATH=folder):
        full = Loader()
        for service in OPERATIONS:
            described_in = Path(folder, service, full.determine_latest_version(service, "service-2"))
            described_in.mkdir(parents=True)
            (described_in / "service-2.json").write_text(described(full, service))
        session.cache_clear()
        yield
        session.cache_clear()


def event(number: int, user: str = "alice", **frame: object) -> Any:
    """A frame's event, as API Gateway hands it over; a `send` to bob unless told otherwise."""
    now = int(time.time() * 1_000)
    context = {
        "connectionId": f"{user}-1",
        "connectedAt": now - 90_000,
        "eventType": "MESSAGE",
        "requestId": f"request-{number}",
        "requestTimeEpoch": now,
        "authorizer": {"userId": user},
    }
    body = frame or {"action": "send", "to": "bob", "text": TEXT}
    return {"requestContext": context, "body": json.dumps({"id": f"{number:032d}", **body})}


def copy_asset(source: Path, target: Path) -> Path:
    """A copy of the sources alone, without what tools leave beside them."""
    return Path(shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*")))


def bundled(folder: Path) -> Path:
    """Our asset, as Lambda would unpack it, made in the folder."""
    asset = folder / "ours"
    bundle(asset)
    compile_sources(asset)
    return asset


OURS, BASELINE = FUNCTIONS, Path(__file__).parent / "baseline"


SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")


def compile_sdk() -> None:
    """Bytecode for the SDK of this environment, as the Lambda runtime has it for its own: uv installs none."""
    for package in SDK:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            compileall.compile_dir(folder, quiet=1)
