"""What the unit tests share: the handlers, imported, and the chat in memory."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.fakes.clock import ManualClock
from tests.unit.system import System

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # where nobody listens: no unit test calls AWS
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://127.0.0.1:9/stage",
    "TABLE_NAME": "chat",
    "EPOCH": "1",
    "RETENTION_DAYS": "30",
    "USER_RATE": "10",
    "NEW_CHATS": "50",
    "ANNOUNCED_CHATS": "10",
    "GRACE_SECONDS": "0",
    "ANNOUNCEMENT_FUNCTION": "announcement",
    "IDENTITY": "token",
    "TOKEN_SOURCE": "query",
    "MAX_TOKEN_HOURS": "24",
    "TOKEN_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:token",
}

# A handler reads its environment when it is imported, as it does on AWS. So this comes before the tests import them.
with pytest.MonkeyPatch.context() as environment:
    for name, value in ENVIRONMENT.items():
        environment.setenv(name, value)
    for handler in ("announcement", "authorizer", "backend", "connection", "message"):
        import_module(handler)
    for name, value in {"EVENT_BUS": "bus", "EVENT_TEXT": "false"}.items():
        environment.setenv(name, value)
    import_module("stream")


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def clock(system: System) -> ManualClock:
    return system.clock
