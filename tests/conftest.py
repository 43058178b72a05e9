"""Fixtures for the tests of more than one folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from local.deployment import Endpoint, token
from local.emulator import forget_aws_settings
from tests.e2e.device import Device, device
from tests.engines import DynamoDbLocal
from tools.dynamodb_local import MissingJava, dynamodb_local, find_java

# A profile of whoever runs the tests would be looked up, and perhaps not found, when a handler makes its clients.
forget_aws_settings()

_numbers = itertools.count(1)


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Keeps a folder's tests in one process: they share what is slow to start, an emulator or a browser."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    return FolderScheduling(config, log)


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamoDbLocal]:
    """DynamoDB Local, started once. Tests that need it are skipped where there is no Java, and fail in CI."""
    try:
        find_java()
    except MissingJava as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    with dynamodb_local() as url:
        yield DynamoDbLocal(url)


@pytest.fixture
def table_name(dynamodb: DynamoDbLocal) -> str:
    """A table of the test's own on DynamoDB Local."""
    return dynamodb.create_table()


@pytest.fixture
def alice() -> str:
    return f"alice-{next(_numbers)}"


@pytest.fixture
def bob() -> str:
    return f"bob-{next(_numbers)}"


class Connect(Protocol):
    def __call__(self, user: str) -> Device: ...


@pytest.fixture
def connect(endpoint: Endpoint, secret: str) -> Iterator[Connect]:
    """Connects a device of a user to the folder's deployment; all of them are closed after the test."""
    with ExitStack() as stack:

        def connected(user: str) -> Device:
            return stack.enter_context(device(f"{endpoint.url}?token={token(secret, user)}"))

        yield connected
