"""The tables that the same cases run over: in memory, on MiniStack, on DynamoDB Local."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.conversations import Conversations
from chat.dynamo import DynamoTable
from chat.sessions import Sessions
from chat.table import Table
from local.emulator import emulator
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.engines import Engine
from tests.fakes.memory import MemoryTable, serially


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with emulator(tmp_path_factory.mktemp("ministack") / "log") as running:
        yield Engine(running.endpoint, running.access_key_id, running.secret_access_key)


@pytest.fixture(params=["ministack", "dynamodb"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine."""
    one: Engine = request.getfixturevalue(request.param)
    return one


@pytest.fixture(params=["memory", "ministack", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    """An empty table of each kind."""
    if request.param == "memory":
        return MemoryTable()
    engine: Engine = request.getfixturevalue(request.param)
    return DynamoTable(engine.shared, engine.create_table())


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
    return Sessions(table, clock, retention_ms=RETENTION_MS)
