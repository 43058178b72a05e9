"""The model of a month knows how long each line of the log is: as the handlers write it and CloudWatch bills it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import announcement as announcement_handler
import authorizer
import backend
import connection
import message
import pytest

from bench.capacity import model
from chat.announcements import QueuedDepartures, announcement
from chat.identity import Identity
from chat.protocol import ACTION_OF, UserPresence
from chat.wiring import backend_routes
from tests.fakes.clock import RETENTION_MS
from tests.fakes.memory import serially
from tests.unit.events import handshake, websocket_event
from tests.unit.system import System

CLOUDWATCH_BYTES = 26
"""That CloudWatch adds to each line, and bills."""

ALICE, BOB = "0b7c1f6e-52a4-4c58-9d0e-7f3a1b2c4d5e", "6f9619ff-8b86-4011-b42d-00c04fc964ff"
DEVICE, REQUEST = "L0SM9cOFvHcCIhw=", "JKJaXmPLvHcESHA="
"""As long as API Gateway's."""

INVOCATION = "3c1f0a52-6d7e-4b1a-9c55-0e2f7a8b9d10"
"""As long as Lambda's."""

DURATION_MS = 12.3

FRAMES: dict[str, dict[str, Any]] = {
    "send": {"action": "send", "to": BOB, "text": "hi", "id": "m2"},
    "receipt": {"action": "receipt", "peer": BOB, "kind": "read", "seq": 1},
    "delivered": {"action": "receipt", "peer": BOB, "kind": "delivered", "seq": 1},
    "typing": {"action": "typing", "to": BOB, "state": "composing"},
    "history": {"action": "history", "peer": BOB},
    "presence": {"action": "presence", "users": [BOB]},
    "heartbeat": {"action": "sync", "since": 1},
    "block": {"action": "block", "user": BOB},
    "unblock": {"action": "unblock", "user": BOB},
    "ping": {"action": "ping"},
    "unsend": {"action": "unsend", "peer": BOB, "seq": 1},
}


def _event(kind: str, body: str | None = None) -> Any:
    event = websocket_event(kind, user=ALICE, connection=DEVICE, body=body)
    event["requestContext"]["requestId"] = REQUEST
    return event


def _frame(system: System, frame: dict[str, Any]) -> None:
    message.serve(_event("MESSAGE", json.dumps(frame)), system.routes, system.limits)


def _handshake(system: System, kind: str) -> None:
    if kind == "CONNECT":
        authorizer.authorize(handshake(), lambda _: Identity(ALICE, None))
    connection.serve(_event(kind), system.connection_routes, system.limits)


def _announce(system: System) -> None:
    told = announcement(UserPresence(ALICE, online=False, last_seen=system.clock.now, rev=1))
    announcement_handler.serve(told, system.routes, system.limits)


def _spare(system: System) -> None:
    departure = announcement(UserPresence(ALICE, online=False, last_seen=system.clock.now, rev=1))
    queued: QueuedDepartures = {"Records": [{"messageId": "1", "body": json.dumps(departure)}]}
    announcement_handler.serve(queued, system.routes, system.limits)


def _operate(system: System) -> None:
    routes = backend_routes(
        system.table, system.gateway, clock=system.clock, parallel=serially, retention_ms=RETENTION_MS
    )
    backend.serve({**FRAMES["send"], "user": ALICE}, INVOCATION, routes)


ACTIONS: dict[str, Callable[[System], None]] = {
    **{name: lambda system, frame=frame: _frame(system, frame) for name, frame in FRAMES.items()},  # type: ignore[misc]
    "connect": lambda system: _handshake(system, "CONNECT"),
    "disconnect": lambda system: _handshake(system, "DISCONNECT"),
    "announcement": _announce,
    "announcement not needed": _spare,
    "operation": _operate,
}


NOT_COUNTED = {"announcement", "announcement not needed", "block", "unblock", "ping", "unsend", "operation"}
"""The model counts them otherwise, or they are for the prices of single actions."""


def _billed(line: str) -> int:
    fields = json.loads(line)
    assert fields["level"] == "INFO"
    if "duration_ms" in fields:
        fields["duration_ms"] = DURATION_MS
    return len(json.dumps(fields, separators=(",", ":"))) + CLOUDWATCH_BYTES


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_logs_as_many_bytes_as_the_model_says(
    action: str, system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.acquaint(ALICE, BOB)
    system.connect(ALICE)
    system.connect(BOB)
    _frame(system, {**FRAMES["send"], "to": BOB, "id": "m1"})
    capsys.readouterr()

    ACTIONS[action](system)

    lines = capsys.readouterr().out.splitlines()
    assert sum(map(_billed, lines)) == model().of("log_bytes", action)
    assert len(lines) == model().figures["counted"].get(action, {}).get("invocations", 1)


def test_every_action_has_its_bytes() -> None:
    assert {frame["action"] for frame in FRAMES.values()} == set(ACTION_OF.values())


def test_each_action_of_the_model_has_its_bytes() -> None:
    assert set(model().figures["log_bytes"]) == {*model().figures["counted"], *NOT_COUNTED} - {
        "read_units_a_chat",
        "read_units_a_preview",
        "read_units_a_partner",
    }
