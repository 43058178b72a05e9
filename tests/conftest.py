"""Fixtures for the tests of more than one folder."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from chat.acquaintance import PEER_WROTE, WROTE
from chat.budget import budget
from chat.dynamo import DynamoTable
from chat.table import Update, chat_key
from local.deployment import STATE, Endpoint, local_client, local_secret, token
from local.emulator import Emulator, forget_aws_settings
from tests.deployed import Deployed, deployed_in
from tests.fakes.engines import Engine
from tests.raw_connection import RawConnection, raw_connection
from tools.dynamodb_local import MissingJava, dynamodb_local, find_java

# A profile of whoever runs the tests would be looked up, and perhaps not found, when a handler makes its clients.
forget_aws_settings()

# However pytest was started, `node` is the one that requirements.txt pins, not whichever the machine has.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

_numbers = itertools.count(1)


SLOWEST = (
    "together/test_recovery",
    "docs/test_snippets",
    "stack",
    "stack/test_distribution",
    "e2e/test_shop",
    "e2e/test_chat",
    "upgrade/test_versions",
    "local/test_reload",
    "local/test_cdk",
    "browser/test_talking",
    "model/test_conversations",
    "e2e/test_prod",
    "e2e/test_notifications",
    "e2e/test_may_send",
    "local/test_chat",
    "together/test_together",
    "e2e/test_evictions",
    "schedules/test_schedules",
    "browser/test_connection",
    "faults/test_calls",
    "terminal/test_history",
    "stack/test_asset",
    "browser/hosted/test_hosted",
    "browser/test_looks",
    "terminal/test_writing",
    "browser/test_sign_in",
    "terminal/test_conversation",
    "terminal/test_chat_list",
    "browser/alone/test_page",
    "contract/test_conversations",
    "model/test_expiry",
    "browser/alone/test_list",
    "browser/alone/test_rows",
    "e2e/test_users",
    "e2e/test_hostile_frames",
    "e2e/test_capacity",
    "concurrency/test_writers",
    "local/test_emulator",
    "terminal/test_start",
    "terminal/test_printable",
    "terminal/test_device",
    "browser/alone/test_composer",
    "browser/test_web",
    "performance/test_imports",
    "costs/test_costs",
    "faults/test_pushes",
    "clients/test_parley",
    "tools/test_set_up",
)
"""What takes seconds, first what takes most: so no process is left with one of them in the end."""


STACK = "stack"
"""Its files, which need the same templates, but for two that need none."""

OF_THEIR_OWN = {"stack/test_asset", "stack/test_distribution"}


def _unit(nodeid: str) -> str:
    """What is handed out to a process as a whole: a file, or all those of the stack."""
    file = nodeid.partition(".py::")[0].removeprefix("tests/")
    return STACK if file.startswith("stack/") and file not in OF_THEIR_OWN else file


class ByUnit(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return _unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByUnit:
    return ByUnit(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {unit: place for place, unit in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(_unit(item.nodeid), len(SLOWEST)))


@pytest.fixture(autouse=True)
def unhurried() -> Iterator[None]:
    """The time limit of an event ends with its test: the next one may call routes without a handler."""
    yield
    budget.begin(math.inf)


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[Engine]:
    """DynamoDB Local, started once. Tests that need it are skipped where there is no Java, and fail in CI."""
    try:
        find_java()
    except MissingJava as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    with dynamodb_local() as url:
        yield Engine(url)


@pytest.fixture
def table_name(dynamodb: Engine) -> str:
    """A table of the test's own on DynamoDB Local."""
    return dynamodb.create_table()


@pytest.fixture
def alice() -> str:
    return f"alice-{next(_numbers)}"


@pytest.fixture
def bob() -> str:
    return f"bob-{next(_numbers)}"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def deployed(shared: Path) -> Deployed:
    """The stack, deployed."""
    return deployed_in(shared / "deployed")


@pytest.fixture(scope="session")
def deployment(deployed: Deployed, worker_id: str) -> Iterator[tuple[Emulator, Endpoint]]:
    """A copy of the deployed stack that runs, with IAM enforced, for the tests of this process."""
    with deployed.copied(STATE / f"tests-{worker_id}") as copy:
        yield copy


@pytest.fixture(scope="session")
def running(deployment: tuple[Emulator, Endpoint]) -> Emulator:
    return deployment[0]


@pytest.fixture(scope="session")
def endpoint(deployment: tuple[Emulator, Endpoint]) -> Endpoint:
    return deployment[1]


@pytest.fixture(scope="session")
def secret(endpoint: Endpoint) -> str:
    return local_secret(endpoint)


@pytest.fixture
def acquainted(endpoint: Endpoint, alice: str, bob: str) -> None:
    """Alice and bob have both written, and what they wrote is gone: they see each other from the start."""
    table = DynamoTable(local_client("dynamodb", endpoint), endpoint.table)
    for key in (chat_key(alice, bob), chat_key(bob, alice)):
        table.update(key, Update(put={WROTE: 1, PEER_WROTE: 1}))


class Connect(Protocol):
    def __call__(self, user: str) -> RawConnection: ...


@pytest.fixture
def connect(endpoint: Endpoint, secret: str) -> Iterator[Connect]:
    """Connects a device of a user to the deployment; all of them are closed after the test."""
    with ExitStack() as stack:

        def connected(user: str) -> RawConnection:
            return stack.enter_context(raw_connection(f"{endpoint.url}?token={token(secret, user)}"))

        yield connected
