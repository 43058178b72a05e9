"""Each metric counts the log lines that it is about, as the handlers write them, and no others."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import announcement as handler
import authorizer
import backend
import connection
import message
import pytest
import stream
from botocore.exceptions import ConnectTimeoutError

from chat.announcements import announcement
from chat.bus import EventBus
from chat.delivery import Pushed
from chat.events import AuthorizerEvent
from chat.identity import Identity, Refused
from chat.limits import MAX_REFUSALS
from chat.protocol import UserPresence
from chat.sessions import MAX_CONNECTIONS, OPENING_MS
from chat.table import sessions_key
from chat.wiring import backend_routes
from stacks.log_metrics import EVENT_METRICS, LOG_METRICS
from tests.fakes.clock import RETENTION_MS
from tests.fakes.memory import serially
from tests.filter_pattern import matcher
from tests.unit.events import handshake, websocket_event
from tests.unit.system import System, always
from tests.unit.test_bus import Events
from tests.unit.test_stream import record

SEND = {"action": "send", "id": "m1", "to": "bob", "text": "hi"}
FAILURE = RuntimeError("unreachable")


def counted(function: str, lines: list[dict[str, Any]]) -> Counter[str]:
    """What the metrics of the function's log make of the lines; the dimension's value after a colon."""
    counts: Counter[str] = Counter()
    for metric in (metric for metric in (*LOG_METRICS, *EVENT_METRICS) if function in metric.functions):
        for line in filter(matcher(metric.pattern), lines):
            value = line[metric.dimension.field.removeprefix("$.")] if metric.dimension else None
            name = metric.name if value is None else f"{metric.name}:{value}"
            counts[name] += line[metric.value.removeprefix("$.")] if "$" in metric.value else int(metric.value)
    return counts


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def serve(system: System, frame: object) -> None:
    message.serve(websocket_event("MESSAGE", body=json.dumps(frame)), system.routes, system.limits)


def test_messages_and_duplicates(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    bob = system.connect("bob")
    for frame in (SEND, SEND, {**SEND, "id": "m2"}, {"action": "ping"}):
        serve(system, frame)

    assert system.gateway.pushed
    lines = logged(capsys)
    delivered = sum(id == bob.id for id, _ in system.gateway.pushed)
    assert counted("Message", lines) == {"Messages": 2, "Duplicates": 1, "Deliveries": delivered}


def test_operations_of_a_backend(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    routes = backend_routes(
        system.table, system.gateway, clock=system.clock, parallel=serially, retention_ms=RETENTION_MS
    )
    bob = system.connect("bob")
    batch = {"action": "send_batch", "user": "shop", "messages": [{**SEND, "id": "m2"}, {**SEND, "to": "?"}]}
    for event in ({**SEND, "user": "shop"}, {**SEND, "user": "shop"}, batch, {"action": "unread", "user": "bob"}):
        backend.serve(event, "request", routes)

    delivered = sum(id == bob.id for id, _ in system.gateway.pushed)
    assert counted("Backend", logged(capsys)) == {
        "Messages": 2,
        "Duplicates": 1,
        "Deliveries": delivered,
        "Errors:bad_request": 1,
    }


def test_errors_by_code(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    for frame in ({"action": "shout"}, {"action": "send"}, {"action": "send", "to": "bob", "text": 1}):
        serve(system, frame)
    system.before = always(FAILURE, on="insert")
    serve(system, SEND)

    assert counted("Message", logged(capsys)) == {
        "Errors:unknown_action": 1,
        "Errors:bad_request": 2,
        "Errors:internal": 1,
    }


def test_pushes_that_are_taken_gone_and_failed(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    _, gone, *failing = (system.connect("bob", name) for name in ("taking", "gone", "failing", "failing-too"))
    system.clock.advance(OPENING_MS + 1)
    system.gateway.answers = {gone.id: Pushed.GONE} | dict.fromkeys((one.id for one in failing), Pushed.FAILED)
    serve(system, SEND)

    assert counted("Message", logged(capsys)) == {
        "Messages": 1,
        "Deliveries": 1,
        "GoneConnections": 1,
        "FailedPushes": 2,
    }


def test_a_connection_that_cannot_be_pruned(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    gone = system.connect("bob")
    system.clock.advance(OPENING_MS + 1)
    system.gateway.answers = {gone.id: Pushed.GONE}
    monkeypatch.setattr(system.sessions, "prune", unreachable)
    serve(system, SEND)

    assert counted("Message", logged(capsys)) == {"Messages": 1, "GoneConnections": 1, "PruneFailures": 1}


def test_announcements(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    for online in (True, False):
        handler.serve(announcement(UserPresence("alice", online, system.clock.now, 1)), system.routes, system.limits)
    assert counted("Announcement", logged(capsys)) == {"Announcements": 2, "WentOffline": 1}

    system.before = always(FAILURE, on="query")
    handler.serve(announcement(UserPresence("alice", True, system.clock.now, 1)), system.routes, system.limits)
    assert counted("Announcement", logged(capsys)) == {"AnnouncementFailures": 1}


def test_handshakes_and_refusals_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: AuthorizerEvent) -> Identity:
        raise Refused("the token is not valid: ExpiredSignatureError")

    authorizer.authorize(handshake(), lambda _: Identity("alice", None))
    for _ in range(2):
        authorizer.authorize(handshake(), refuse)

    assert counted("Authorizer", logged(capsys)) == {
        "HandshakesAllowed": 1,
        "HandshakesRefused": 2,
        "HandshakesRefusedByReason:the token is not valid: ExpiredSignatureError": 2,
    }


def test_limits_that_are_reached(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system.limits.charge("alice", messages=1_000_000)
    for _ in range(MAX_REFUSALS + 1):
        serve(system, {"action": "ping"})
    limited = {"FramesLimited": MAX_REFUSALS, "Errors:too_many_requests": MAX_REFUSALS, "UsersBarred": 1}
    assert counted("Message", logged(capsys)) == limited

    connection.serve(websocket_event("CONNECT"), system.connection_routes, system.limits)
    assert counted("Connection", logged(capsys)) == {"HandshakesLimited": 1}


def test_connections_and_their_failures(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    connection.serve(websocket_event("CONNECT"), system.connection_routes, system.limits)
    assert counted("Connection", logged(capsys)) == {}

    system.before = always(FAILURE, on="update")
    connection.serve(websocket_event("CONNECT"), system.connection_routes, system.limits)
    assert counted("Connection", logged(capsys)) == {"ConnectionFailures": 1}


def test_connections_that_the_limit_ends(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(MAX_CONNECTIONS + 2):
        system.clock.advance(1)
        event = websocket_event("CONNECT", connection=f"device-{number}=", connected_at=system.clock.now)
        connection.serve(event, system.connection_routes, system.limits)

    assert counted("Connection", logged(capsys)) == {"ConnectionLimits": 2}


def test_appends_that_lose_their_number(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    serve(system, SEND)
    logged(capsys)

    def overtake(operation: str) -> None:
        if operation == "insert":
            system.before = lambda _: None
            serve(system, {**SEND, "id": "m2"})

    system.before = overtake
    serve(system, {**SEND, "id": "m3"})

    assert counted("Message", logged(capsys)) == {"AppendConflicts": 1, "Messages": 2}


def test_events_that_are_not_put(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    broken: Any = Events(refuses=1)
    system.restart(bus=EventBus(broken, "bus", has_text=False))
    serve(system, SEND)
    assert counted("Message", logged(capsys)) == {"Messages": 1, "EventFailures": 1}

    online = {"@alice-phone=": system.clock.now}
    arrival = record(sessions_key("alice"), None, online, system.clock.now)
    with pytest.raises(RuntimeError):
        stream.serve({"Records": [arrival]}, EventBus(broken, "bus", has_text=False))
    assert counted("Stream", logged(capsys)) == {"EventFailures": 1}
