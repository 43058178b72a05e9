"""`make chat`: what is saved in lambda_src is what the functions run, and nobody has to connect again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deployment import Endpoint, local_secret, token
from local.emulator import Emulator
from local.reload import Reload
from stacks.bundle import SOURCE
from tests.deployed import Deployed
from tests.raw_connection import RawConnection, raw_connection

CHANGED = """response = serve(event, _routes, _limits)
    import json
    frame = json.loads(response["body"])
    return {**response, "body": json.dumps({**frame, "ts": 7} if frame["type"] == "pong" else frame)}"""
"""In place of what the handler returns: another time in each pong."""


@pytest.fixture(scope="module")
def copy(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Endpoint]]:
    """A deployment of this file's own, since its functions are changed."""
    with deployed.copied(tmp_path_factory.mktemp("reload")) as one:
        yield one


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the sources, to be edited."""
    return Path(shutil.copytree(SOURCE, tmp_path / "lambda_src", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def alice(copy: tuple[Emulator, Endpoint]) -> Iterator[RawConnection]:
    _, endpoint = copy
    with raw_connection(f"{endpoint.url}?token={token(local_secret(endpoint), 'alice')}") as connection:
        yield connection


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_what_is_saved_is_live_and_the_connection_stays(
    copy: tuple[Emulator, Endpoint], source: Path, alice: RawConnection
) -> None:
    reload = Reload(*copy, source)
    assert list(reload.changes()) == []
    assert alice.ask("ping")["ts"] != 7

    edit(source / "message.py", "return serve(event, _routes, _limits)", CHANGED)
    assert list(reload.changes()) == ["saved: message.py; the functions run it now"]
    assert alice.ask("ping")["ts"] == 7
    assert list(reload.changes()) == []

    edit(source / "message.py", CHANGED, "return serve(event, _routes, _limits)")
    (source / "another.py").write_text("")
    assert list(reload.changes()) == ["saved: another.py, message.py; the functions run it now"]
    assert alice.ask("ping")["ts"] != 7


def test_a_mistake_is_said_and_nothing_is_changed(
    copy: tuple[Emulator, Endpoint], source: Path, alice: RawConnection
) -> None:
    reload = Reload(*copy, source)
    edit(source / "chat" / "clock.py", "from __future__", "from from __future__")

    (said,) = reload.changes()

    assert said.startswith("chat/clock.py:")
    assert said.endswith("the functions go on as they were")
    assert alice.ask("ping")["type"] == "pong"
    assert list(reload.changes()) == []  # said once


def test_what_was_reloaded_is_reloaded_at_the_next_start(copy: tuple[Emulator, Endpoint], source: Path) -> None:
    """The emulator keeps the functions as they were given, and a deploy of the same template changes nothing."""
    running, _ = copy
    (running.folder / "reloaded").touch()

    assert list(Reload(*copy, source).changes()) == ["saved: all of lambda_src; the functions run it now"]
