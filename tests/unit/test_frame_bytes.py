"""The model of a month knows how long each frame is that the functions send, which AWS bills as it leaves."""

from __future__ import annotations

import json
from typing import Any

import announcement as announcement_handler
import message
import pytest

from bench.capacity import model
from bench.functions import TEXT
from chat.announcements import announcement
from chat.protocol import UserPresence
from chat.routes import SYNC_OVERLAP_MS
from tests.unit.events import websocket_event
from tests.unit.system import System

ALICE, BOB = "0b7c1f6e-52a4-4c58-9d0e-7f3a1b2c4d5e", "6f9619ff-8b86-4011-b42d-00c04fc964ff"
MESSAGE_ID = "1f0e5a31-8f0c-4c58-9d76-3a0f0e5f2a1"


def _send(number: int) -> dict[str, Any]:
    return {"action": "send", "to": BOB, "text": TEXT, "id": f"{MESSAGE_ID}{number}"}


@pytest.fixture
def talking(system: System) -> System:
    """Both are there, know each other, and one has written two messages."""
    system.acquaint(ALICE, BOB)
    for user in (ALICE, BOB):
        system.connect(user)
        _reply(system, {"action": "sync", "id": "s0"}, user=user)
    for number in (1, 2):
        _reply(system, _send(number))
    system.clock.advance(2 * SYNC_OVERLAP_MS)
    system.gateway.pushed.clear()
    return system


def _reply(system: System, frame: dict[str, Any], user: str = ALICE) -> int:
    """How many bytes the reply has; 0 if there is none."""
    event = websocket_event("MESSAGE", user=user, connection=f"{user}-phone=", body=json.dumps(frame))
    return len(message.serve(event, system.routes, system.limits).get("body", "").encode())


def _pushed(system: System) -> int:
    """How many bytes were pushed, to one device."""
    ((_, data),) = system.gateway.pushed
    return len(data)


FRAMES: dict[str, dict[str, Any]] = {
    "send": _send(3),
    "receipt": {"action": "receipt", "id": "r1", "peer": BOB, "kind": "read", "seq": 2},
    "delivered": {"action": "receipt", "id": "r1", "peer": BOB, "kind": "delivered", "seq": 2},
    "typing": {"action": "typing", "to": BOB, "state": "composing"},
}


@pytest.mark.parametrize("action", FRAMES)
def test_a_frame_is_answered_and_pushed_with_as_many_bytes_as_the_model_says(action: str, talking: System) -> None:
    reply = _reply(talking, FRAMES[action])
    assert {"reply": reply, "push": _pushed(talking)} == {"reply": 0, **model().of("bytes_out", action)}


def test_a_sync_has_as_many_bytes_as_the_model_says_and_more_for_each_chat(talking: System) -> None:
    quiet = _reply(talking, {"action": "sync", "id": "s1", "since": talking.clock.now})
    assert quiet == model().of("bytes_out", "heartbeat")["reply"]
    assert _reply(talking, {"action": "sync", "id": "s1"}) - quiet == model().of("bytes_out", "chat")


def test_a_history_has_as_many_bytes_as_the_model_says_and_more_for_each_message(talking: System) -> None:
    ask = {"action": "history", "id": "h1", "peer": BOB}
    one, two = (_reply(talking, {**ask, "after": after}) for after in (1, 0))
    assert two - one - len(",") == model().of("bytes_out", "message")
    assert one - (two - one - len(",")) == model().of("bytes_out", "history")["reply"]


def test_presence_has_as_many_bytes_as_the_model_says_for_each_user(talking: System) -> None:
    ask = {"action": "presence", "id": "p1"}
    one, two = (_reply(talking, {**ask, "users": users}) for users in ([BOB], [BOB, ALICE]))
    assert two - one - len(",") == model().of("bytes_out", "partner")
    assert one - (two - one - len(",")) == model().of("bytes_out", "presence")["reply"]


def test_an_announcement_pushes_as_many_bytes_as_the_model_says(talking: System) -> None:
    told = announcement(UserPresence(ALICE, online=False, last_seen=talking.clock.now, rev=talking.clock.now))
    announcement_handler.serve(told, talking.routes, talking.limits)
    assert _pushed(talking) == model().of("bytes_out", "announcement")["push"]
