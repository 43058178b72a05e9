"""Fixtures for the tests of more than one folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from local.dynamodb_local import MissingJava, dynamodb_local, find_java
from tests.engines import DynamoDbLocal


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
