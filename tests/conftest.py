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
    "stack",
    "model/test_conversations",
    "contract/test_odd_items",
    "browser/test_talking",
    "browser/test_connection",
    "local/test_chat",
    "faults/test_calls",
    "browser/alone/test_page",
    "browser/alone/test_rows",
    "costs/test_devices_within_limits",
    "contract/test_conversations",
    "docs/test_snippets",
    "together/test_together",
    "browser/alone/test_list",
    "performance/test_abuse",
    "performance",
    "schedules/test_schedules",
    "stack/test_distribution",
    "e2e/test_shop",
    "e2e/test_notifications",
    "browser/hosted/test_hosted",
    "local/test_reload",
    "terminal/test_history",
    "e2e/test_prod",
    "e2e/test_chat",
    "e2e/test_may_send",
    "browser/test_sign_in",
    "browser/test_looks",
    "stack/test_asset",
    "e2e/test_hostile_frames",
    "model/test_expiry",
    "costs/test_costs",
    "browser/alone/test_ids",
    "local/test_cdk",
    "local/test_emulator",
    "browser/alone/test_long_conversations",
    "browser/alone/test_composer",
    "concurrency/test_writers",
    "clients/test_testing",
    "upgrade/test_versions",
    "terminal/test_chat_list",
    "terminal/test_conversation",
    "e2e/test_evictions",
    "e2e/test_grants",
    "browser/alone/test_contrast",
    "unit/test_asyncapi",
    "clients/test_javascript_package",
    "clients/test_python_package",
    "clients/test_parley",
    "clients/test_javascript_under_chaos",
    "terminal/test_writing",
    "faults/test_newest_sdk",
    "tools/test_set_up",
    "unit/test_backend",
    "local/test_smoke",
    "local/test_gate",
    "local/test_make",
    "local/test_aws",
    "e2e/test_rotation",
    "faults/test_events",
    "faults/test_deadline",
    "terminal/test_printable",
    "unit/test_oidc",
    "contract/test_beginnings",
    "tools/test_processes",
)
"""What takes seconds, first what takes most: so no process is left with one of them in the end."""


TOGETHER = ("stack", "performance")
"""Folders whose files need the same: templates, the asset and what actions cost. They are made once."""

OF_THEIR_OWN = {"stack/test_asset", "stack/test_distribution", "performance/test_abuse"}
"""Files of those folders that need none of it."""


def _unit(nodeid: str) -> str:
    """What is handed out to a process as a whole: a file, or those of a folder that need the same."""
    file = nodeid.partition(".py::")[0].removeprefix("tests/")
    folder = file.partition("/")[0]
    return folder if folder in TOGETHER and file not in OF_THEIR_OWN else file


class ByUnit(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    # Of xdist's own, but its documented way, groups by a mark, does not work: see docs/decisions.md.
    def _split_scope(self, nodeid: str) -> str:
        return _unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByUnit:
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
