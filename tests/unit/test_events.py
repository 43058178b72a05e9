"""What is read of API Gateway's events."""

from __future__ import annotations

from chat.events import caller
from chat.sessions import Connection
from tests.unit.events import websocket_event


def test_the_caller_is_the_authorizers_user_on_the_events_connection() -> None:
    event = websocket_event("MESSAGE", user="alice", connection="phone=", connected_at=5, body='{"from":"eve"}')

    assert caller(event) == Connection("alice", "phone=", 5)


def test_the_callers_connection_ends_with_the_authorizers_token() -> None:
    assert caller(websocket_event("CONNECT", expires_at=7)).expires_at == 7
