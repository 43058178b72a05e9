"""The tables that the same cases run over: in memory, on MiniStack, on DynamoDB Local."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.session import Session

from chat.conversations import Conversations
from chat.dynamo import DynamoTable
from chat.sdk import CONFIG
from chat.sessions import Sessions
from chat.table import Table
from local.emulator import REGION, emulator
from tests.clock import ManualClock
from tests.engines import DynamoDbLocal
from tests.memory import MemoryTable, serially

if TYPE_CHECKING:
    from botocore.client import BaseClient

RETENTION_MS = 30 * 86_400_000


@contextmanager
def connected(endpoint: str, key_id: str = "any", key: str = "any") -> Iterator[BaseClient]:
    """A client with the functions' settings, but patient: a busy machine must not make it try again."""
    client = Session().create_client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
        config=CONFIG.merge(Config(connect_timeout=5, read_timeout=30)),
    )
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseClient]:
    with emulator(tmp_path_factory.mktemp("ministack") / "log") as running:
        key = (running.access_key_id, running.secret_access_key)
        with connected(running.endpoint, *key) as client:
            yield client


@pytest.fixture(scope="session")
def local(dynamodb: DynamoDbLocal) -> Iterator[BaseClient]:
    with connected(dynamodb.url) as client:
        yield client


def create_table(client: Any) -> str:
    """Creates an empty table of the same keys as the stack's, and returns its name."""
    name = f"chat-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture(params=["ministack", "local"])
def engine(request: pytest.FixtureRequest) -> BaseClient:
    """A client of each engine."""
    client: BaseClient = request.getfixturevalue(request.param)
    return client


@pytest.fixture(params=["memory", "ministack", "local"])
def table(request: pytest.FixtureRequest) -> Table:
    """An empty table of each kind."""
    if request.param == "memory":
        return MemoryTable()
    client: BaseClient = request.getfixturevalue(request.param)
    return DynamoTable(client, create_table(client))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def conversations(table: Table, clock: ManualClock) -> Conversations:
    return Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially)


@pytest.fixture
def others(table: Table, clock: ManualClock) -> Conversations:
    """Another warm function over the same table."""
    return Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially)


@pytest.fixture
def sessions(table: Table, clock: ManualClock) -> Sessions:
    return Sessions(table, clock)
