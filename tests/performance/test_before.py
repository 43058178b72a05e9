"""How it was before, as the bench measures it: it does what it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.before import pages_by_time, pushed_behind_the_moves
from bench.cold_start import cold
from bench.functions import environment, event
from bench.history import asset_of_before
from bench.stub import stub
from chat.protocol import DEFAULT_PAGE, Cursor, Send, Sync
from chat.sessions import Connection
from tests.unit.system import System

PEERS = [f"friend-{number:03d}" for number in range(3 * DEFAULT_PAGE - 1)]


@pytest.fixture
def system() -> System:
    return System()


def _pages(system: System, caller: Connection) -> Iterator[Any]:
    next = None
    while True:
        page: Any = system.serve(caller, Sync(None, None, DEFAULT_PAGE, next))
        yield page
        if "next" not in page:
            return
        next = Cursor.decode(page["next"])


def test_pages_of_before_list_every_chat_newest_first_each_from_the_whole_list(system: System) -> None:
    caller = system.connect("alice")
    for peer in PEERS:
        system.serve(caller, Send(None, peer, "hi"))
        system.clock.advance(1)
    system.steps.clear()

    with pages_by_time():
        pages = [page["chats"] for page in _pages(system, caller)]

    assert [len(page) for page in pages] == [DEFAULT_PAGE, DEFAULT_PAGE, DEFAULT_PAGE - 1]
    assert [chat["peer"] for page in pages for chat in page] == PEERS[::-1]
    assert all(chat["last"]["text"] == "hi" for page in pages for chat in page)
    assert system.steps == 3 * ["query", "get"]  # the list, and the last messages


def test_a_push_of_before_comes_behind_the_moves_and_one_look(system: System) -> None:
    system.acquaint("alice", "bob")
    caller, _ = system.connect("alice"), system.connect("bob")
    system.serve(caller, Send("m0", "bob", "hi"))
    system.steps.clear()

    with pushed_behind_the_moves():
        ack = system.serve(caller, Send("m1", "bob", "hi"))

    assert ack["delivered"] == 1
    assert system.steps == ["query", "insert", "update", "update", "get", "push"]


def test_the_functions_of_before_deliver_a_send_through_the_stub(tmp_path: Path) -> None:
    asset = asset_of_before(tmp_path)
    if asset is None:
        pytest.skip("this copy of the project has no history that goes back so far")
    with stub() as url:
        assert cold(asset, environment(url, f"{url}/stage"), "message", json.dumps(event(1))).cpu > 0
