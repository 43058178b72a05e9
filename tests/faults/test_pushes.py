"""Pushes that fail, over HTTP and through the SDK: the sender has its acknowledgement, and the message is not lost."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from chat.sessions import OPENING_MS
from tests.fakes.engines import Engine, gateway_at
from tests.faults.stage import SILENCE, Stage, stage
from tests.faults.system import System
from tests.hang import HANG_SECONDS

SEND: dict[str, object] = {"action": "send", "to": "bob", "id": "m1", "text": "hi"}

SILENT_SECONDS = 2
"""How long a push waits for a connection that never answers, while another one does."""


@pytest.fixture
def running() -> Iterator[Stage]:
    with stage() as one:
        yield one


def live(made: System, user: str) -> set[str]:
    return {connection.id for connection in made.instance().sessions.of([user])[user]}


def last_line(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("status", "age_ms", "kept"),
    [
        pytest.param(410, OPENING_MS + 1, False, id="gone"),
        pytest.param(410, OPENING_MS, True, id="gone, it seems, and young"),
        pytest.param(403, OPENING_MS + 1, True, id="forbidden"),
        pytest.param(413, OPENING_MS + 1, True, id="too large"),
        pytest.param(429, OPENING_MS + 1, True, id="too many"),
        pytest.param(500, OPENING_MS + 1, True, id="failed"),
        pytest.param(503, OPENING_MS + 1, True, id="unavailable"),
        pytest.param(SILENCE, OPENING_MS + 1, True, id="silence"),
    ],
)
def test_a_push_that_fails_is_nobody_elses(
    dynamodb: Engine,
    running: Stage,
    capsys: pytest.CaptureFixture[str],
    *,
    status: int,
    age_ms: int,
    kept: bool,
) -> None:
    made = System(dynamodb, gateway=gateway_at(running.url, SILENT_SECONDS if status == SILENCE else HANG_SECONDS))
    made.acquaint("alice", "bob")
    alice, phone, laptop = (made.connect(*who) for who in [("alice", "a"), ("bob", "phone"), ("bob", "laptop")])
    made.clock.advance(age_ms)
    running.answers[phone.id] = [status]

    ack = made.ask(alice, SEND)

    # One that may have been opening is tried again behind the moves, and takes it.
    again = [phone.id] if status == 410 and kept else []
    assert (ack["type"], ack["seq"], ack["delivered"]) == ("ack", 1, 1 + len(again))
    line = last_line(capsys)
    assert (line["taken"], line["gone"], line["failed"]) == (1 + len(again), int(status == 410), int(status != 410))
    assert sorted(running.asked) == sorted([phone.id, laptop.id, *again])
    assert [connection for connection, _ in running.pushed] == [laptop.id, *again]
    assert live(made, "bob") == ({phone.id, laptop.id} if kept else {laptop.id})

    # The device finds the message, and is found again: what was pruned by mistake is put back by its next frame.
    assert [chat["seq"] for chat in made.ask(phone, {"action": "sync"})["chats"]] == [1]
    assert live(made, "bob") == {phone.id, laptop.id}
    assert made.ask(alice, {**SEND, "id": "m2"})["delivered"] == 2


def test_a_stage_that_is_not_there_keeps_nobody_from_sending(dynamodb: Engine) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        made = System(dynamodb, gateway=gateway_at(f"http://127.0.0.1:{taken.getsockname()[1]}"))
        alice, bob = made.connect("alice", "a"), made.connect("bob", "b")
        made.clock.advance(OPENING_MS + 1)
        ack = made.ask(alice, SEND)
    assert (ack["type"], ack["delivered"]) == ("ack", 0)
    assert live(made, "bob") == {bob.id}


def test_a_receipt_is_acknowledged_though_its_push_fails(dynamodb: Engine, running: Stage) -> None:
    made = System(dynamodb, gateway=gateway_at(running.url))
    made.acquaint("alice", "bob")
    alice, bob = made.connect("alice", "a"), made.connect("bob", "b")
    made.ask(alice, SEND)
    running.answers[alice.id] = [500]

    ack = made.ask(bob, {"action": "receipt", "id": "1", "peer": "alice", "kind": "read", "seq": 1})

    assert ack == {"type": "ack", "id": "1", "peer": "alice", "kind": "read", "seq": 1}
    assert made.ask(alice, {"action": "sync"})["chats"][0]["peer_read"] == 1
