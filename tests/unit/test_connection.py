"""The handler of `$connect` and `$disconnect`."""

from __future__ import annotations

import json
from typing import Any

import connection
import pytest

from chat.protocol import ACTIONS, UserPresence
from chat.sessions import Connection
from tests.fakes.clock import START
from tests.unit.events import REQUEST_ID, websocket_event
from tests.unit.system import System, always

EXCEPTION = "could not update the item of the token eyJhbGciOiJIUzI1NiJ9"


def serve(system: System, event_type: str, headers: dict[str, str] | None = None, body: str | None = None) -> Any:
    event = websocket_event(event_type, connected_at=system.clock.now, headers=headers, body=body)
    return connection.serve(event, system.connection_routes, system.limits)


def online(system: System) -> bool:
    return system.sessions.presence(["alice"])[0].online


def test_connect_registers_the_connection_of_the_authorizers_user(system: System) -> None:
    assert serve(system, "CONNECT") == {"statusCode": 200}

    assert system.sessions.of(["alice"]) == {"alice": [Connection("alice", "alice-phone=", system.clock.now)]}
    assert system.announcer.announced == [UserPresence("alice", True, system.clock.now, START + 1)]


def test_disconnect_takes_it_out(system: System) -> None:
    serve(system, "CONNECT")

    assert serve(system, "DISCONNECT") == {"statusCode": 200}

    assert not online(system)
    assert [presence.online for presence in system.announcer.announced] == [True, False]


def test_a_late_disconnect_leaves_the_new_connection(system: System) -> None:
    system.connect("alice", "laptop")

    assert serve(system, "DISCONNECT") == {"statusCode": 200}

    assert online(system)
    assert system.announcer.announced == []


def test_nothing_is_pushed_within_connect(system: System) -> None:
    """API Gateway answers 410 for a connection until its `$connect` has returned."""
    system.connect("alice", "laptop")

    serve(system, "CONNECT")

    assert system.gateway.pushed == []


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        (None, None),
        ({}, None),
        ({"Sec-WebSocket-Protocol": "parley.v1, bearer.TOKEN"}, "parley.v1"),
        ({"sec-websocket-protocol": "bearer.TOKEN,parley.v1"}, "parley.v1"),
        ({"Sec-WebSocket-Protocol": "parley.v1"}, "parley.v1"),
        ({"Sec-WebSocket-Protocol": "parley.v2"}, None),
        ({"Sec-WebSocket-Protocol": "bearer.TOKEN"}, None),
    ],
    ids=str,
)
def test_our_subprotocol_is_chosen_where_it_is_offered_and_the_token_never(
    system: System, headers: dict[str, str] | None, chosen: str | None
) -> None:
    response = serve(system, "CONNECT", headers)

    assert response.get("headers") == ({"Sec-WebSocket-Protocol": chosen} if chosen else None)
    assert "TOKEN" not in json.dumps(response)


@pytest.mark.parametrize("action", ["$connect", "$disconnect"])
def test_a_frame_that_names_one_of_our_events_is_an_unknown_action(system: System, action: str) -> None:
    """API Gateway routes a frame by its action, so such a one comes here."""
    response = serve(system, "MESSAGE", body=json.dumps({"action": action, "id": "1"}))

    error = json.loads(response["body"])
    assert response["statusCode"] == 200
    assert (error["type"], error["code"], error["id"]) == ("error", "unknown_action", "1")
    assert error["request_id"] == REQUEST_ID
    assert all(known in error["message"] for known in ACTIONS)
    assert system.table.items == {}


def test_a_frame_of_the_protocol_that_comes_here_is_our_mistake(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(system, "MESSAGE", body='{"action":"ping"}') == {"statusCode": 500}

    assert json.loads(capsys.readouterr().out)["error"] == "ValueError"


@pytest.mark.parametrize("event_type", ["CONNECT", "DISCONNECT"])
def test_a_failure_is_a_500_that_leaks_nothing(
    system: System, capsys: pytest.CaptureFixture[str], event_type: str
) -> None:
    system.before = always(RuntimeError(EXCEPTION), on="update")

    assert serve(system, event_type, {"Sec-WebSocket-Protocol": "parley.v1, bearer.TOKEN"}) == {"statusCode": 500}

    logged = capsys.readouterr().out
    assert EXCEPTION not in logged
    assert "TOKEN" not in logged
    line = json.loads(logged)
    assert (line["level"], line["error"], line["event"]) == ("ERROR", "RuntimeError", event_type)
    assert line["request_id"] == REQUEST_ID


@pytest.mark.parametrize("event_type", ["CONNECT", "DISCONNECT", "MESSAGE"])
def test_an_event_is_one_line(system: System, capsys: pytest.CaptureFixture[str], event_type: str) -> None:
    serve(system, event_type, {"Sec-WebSocket-Protocol": "parley.v1, bearer.TOKEN"})

    logged = capsys.readouterr().out
    assert "TOKEN" not in logged
    line = json.loads(logged)
    assert (line["level"], line["event"], line["user"]) == ("INFO", event_type, "alice")
    assert (line["connection"], line["request_id"]) == ("alice-phone=", REQUEST_ID)


def test_the_handler_serves_with_the_routes_of_its_environment(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_routes", system.connection_routes)

    assert connection.handler(websocket_event("CONNECT", connected_at=system.clock.now), None) == {"statusCode": 200}

    assert online(system)
