"""What holds inside the client's core, beyond what the behaviours show: frames at the door, scripts, connections."""

from __future__ import annotations

import copy
import functools
import json
import logging
import operator
from collections import deque
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from parley import Bounds, Connected, HistoryPage, Message, PresenceChange, Refused, Sent, WrongUser
from parley.conversation import ConversationState, Latest, Mark, Marks, Outbox, Outgoing
from parley.frames import MAX_MOMENT
from tests.clients.behaviours.notation import SERVER_TIME, Fields, sync_reply
from tests.clients.drivers.core import Driver

FOUND: Fields = {"from": "bob", "to": "alice", "seq": 6, "id": "b6", "text": "six", "ts": 6}
CHAT: Fields = {"peer": "bob", "seq": 5, "ts": 5, "read": 5, "peer_read": 0, "peer_delivered": 0}
LISTED = CHAT | {"last": {"from": "bob", "text": "five"}}
REPLIES: dict[str, Fields] = {
    "sync": sync_reply("", [LISTED], SERVER_TIME),
    "history": {"type": "history", "peer": "bob", "messages": [FOUND], "more": False},
    "send": {"type": "ack", "to": "bob", "seq": 6, "ts": 6, "duplicate": False, "delivered": 1},
    "presence": {"type": "presence", "users": [{"user": "bob", "online": True, "last_seen": 5, "rev": 1}]},
    "receipt": {"type": "ack", "peer": "bob", "kind": "read", "seq": 5},
}
ABSENT = "absent"
DAMAGES: tuple[object, ...] = (ABSENT, None, "text", -1.5, True, [], {}, [[]], 10**20, 10**400)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value in a frame."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _paths(value[key], (*path, key))


def _damaged(frame: Fields, path: tuple[Any, ...], damage: object) -> Fields:
    frame = copy.deepcopy(frame)
    *way, last = path
    holder = functools.reduce(operator.getitem, way, frame)
    if damage is ABSENT:
        del holder[last]
    else:
        holder[last] = damage
    return frame


def _asked(action: str) -> tuple[Driver, Fields]:
    """A client that has asked for something, and the frame."""
    driver = Driver(backlog=0, send_delivered=False)
    if action == "sync":
        driver.accept()
    else:
        driver.start([CHAT])
        match action:
            case "history":
                driver.session.ask_history("bob", before=7, limit=10)
            case "send":
                driver.session.post("bob", "hi")
            case "presence":
                driver.session.ask_presence(["bob"])
            case "receipt":
                driver.session.read("bob")
        driver.collect()
    return driver, driver.take(action)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: str(damage)[:30])
@pytest.mark.parametrize(
    ("action", "path"), [(action, path) for action, frame in REPLIES.items() for path in _paths(frame)], ids=str
)
def test_a_damaged_reply_is_ignored_or_does_no_harm(action: str, path: tuple[Any, ...], damage: object) -> None:
    driver, frame = _asked(action)
    whole = REPLIES[action] | {"id": frame["id"]}
    driver.reply(_damaged(whole, path, damage))
    if driver.session.failure:
        assert isinstance(driver.session.failure, WrongUser)
        return
    driver.reply(whole)
    driver.advance(60, answer_syncs=True)
    assert driver.closed == set()  # it was answered
    assert json.loads(json.dumps(driver.session.state)) == driver.session.state
    assert all(isinstance(answer, Sent | HistoryPage | tuple) for answer in driver.answers.values())


@pytest.mark.parametrize("action", REPLIES)
def test_a_reply_that_belongs_to_another_action_is_ignored(action: str) -> None:
    driver, frame = _asked(action)
    for other, reply in REPLIES.items():
        if other != action and not {action, other} <= {"send", "receipt"}:  # both are acknowledged
            driver.reply(reply | {"id": frame["id"]})
    assert (driver.answers, driver.session.is_ready) == ({}, action != "sync")
    driver.reply(REPLIES[action] | {"id": frame["id"]})
    driver.advance(60, answer_syncs=True)
    assert driver.closed == set()


def test_every_time_that_is_let_in_is_one_that_python_can_show() -> None:
    for hours in (-14, 0, 14):
        assert datetime.fromtimestamp(MAX_MOMENT / 1_000, timezone(timedelta(hours=hours)))


def test_the_history_of_another_user_is_not_told_before_the_sync_says_whose_it_is() -> None:
    driver = Driver(send_delivered=False)
    driver.start([CHAT | {"seq": 0}])
    driver.reply({"type": "message"} | FOUND | {"seq": 2})
    driver.restart()
    driver.accept()
    history = driver.take("history")
    theirs = {"from": "bob", "to": "mallory", "seq": 1, "id": "m", "text": "for mallory", "ts": 1}
    driver.reply({"type": "history", "id": history["id"], "peer": "bob", "messages": [theirs], "more": False})
    driver.reply(sync_reply(driver.take("sync")["id"], [], SERVER_TIME) | {"user": "mallory"})
    assert isinstance(driver.session.failure, WrongUser)
    assert driver.events() == []


def test_the_name_of_another_user_is_told_without_what_a_terminal_obeys() -> None:
    driver = Driver()
    driver.start()
    driver.restart()
    driver.accept()
    driver.reply(sync_reply(driver.take("sync")["id"], [], SERVER_TIME) | {"user": "\x1b[2Jmallory\r"})
    assert str(driver.session.failure).isprintable()


# Scripts


def _busy() -> Driver:
    """A client that waits for a reply of each kind, and for its turn."""
    driver = Driver(send_delivered=False, bounds=Bounds(fetches=1))
    driver.start([CHAT | {"seq": 0}, CHAT | {"peer": "carol", "seq": 0}])
    driver.session.post("bob", "one")
    driver.session.post("bob", "two")
    for sender in ("bob", "carol"):
        driver.reply({"type": "message"} | FOUND | {"from": sender, "seq": 2})
    driver.reply({"type": "message"} | FOUND | {"from": "dave", "seq": 1})
    driver.events()
    driver.session.read("dave")
    driver.session.ask_history("bob", before=1, limit=1)
    driver.session.ask_presence(["bob"])
    driver.collect()
    return driver


def test_a_stop_ends_every_script_and_loses_nothing_of_the_state() -> None:
    driver = _busy()
    asked = {frame["id"] for _, frame in driver.frames}
    scripts = [request.script for request in driver.session._requests._open.values()]
    assert len(scripts) == len(asked) == 5
    before = driver.session.state
    driver.session.stop()
    assert all(script.gi_frame is None for script in scripts)  # type: ignore[attr-defined]
    assert driver.session.state == before
    driver.collect()
    assert {frame["id"] for _, frame in driver.frames} == asked
    assert driver.session.deadline is None


def test_what_waits_for_its_turn_is_asked_when_its_turn_has_come() -> None:
    driver = _busy()
    asked = []
    while histories := [frame for _, frame in driver.frames if frame["action"] == "history" and "after" in frame]:
        (history,) = histories
        driver.frames = [(at, frame) for at, frame in driver.frames if frame is not history]
        asked.append(history["peer"])
        page = [FOUND | {"from": history["peer"], "seq": seq} for seq in (1, 2)]
        driver.reply({"type": "history", "id": history["id"], "messages": page, "more": False})
    assert asked == ["bob", "carol"]
    assert [(event.peer, event.seq) for event in driver.events() if isinstance(event, Message)] == [
        ("bob", 1),
        ("bob", 2),
        ("carol", 1),
        ("carol", 2),
    ]


def test_a_first_sync_of_many_conversations_takes_no_longer_for_each_than_one_of_few() -> None:
    looks = {count: _looks_of_a_first_sync(count) for count in (20, 200)}
    assert looks[200] <= 11 * looks[20]


def _looks_of_a_first_sync(count: int) -> int:
    """How often a conversation is looked at, in all."""
    driver = Driver(send_delivered=False)
    looks = 0
    settle = driver.session._gaps.settle

    def counted(conversation: ConversationState) -> None:
        nonlocal looks
        looks += 1
        settle(conversation)

    driver.session._gaps.settle = counted  # type: ignore[method-assign]
    driver.start([CHAT | {"peer": f"user{number}", "seq": 1} for number in range(count)])
    while driver.frames:
        history = driver.take("history")
        page = [FOUND | {"from": history["peer"], "seq": 1}]
        driver.reply({"type": "history", "id": history["id"], "messages": page, "more": False})
    assert isinstance(driver.events()[-1], Connected)
    return looks


def test_a_question_outlives_its_connection_and_is_answered_once() -> None:
    driver = Driver()
    driver.start()
    id = driver.session.ask_presence(["bob"])
    driver.collect()
    for number in (1, 2):
        driver.drop(number)
        driver.start()
    presence = PresenceChange("bob", True, 5, 1)
    driver.reply(REPLIES["presence"] | {"id": id})
    assert driver.answers == {id: (presence,)}
    assert driver.events().count(presence) == 1


def test_a_question_that_is_refused_is_answered_by_that() -> None:
    driver = Driver()
    driver.start()
    id = driver.session.ask_history("bob", None, 10)
    driver.reply({"type": "error", "id": id, "code": "forbidden", "message": "no", "temporary": False})
    answer = driver.answers[id]
    assert isinstance(answer, Refused)
    assert (answer.code, answer.message) == ("forbidden", "no")


# Connections


def test_each_transition_of_a_connection_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "parley")
    driver = Driver()
    driver.start()
    while not driver.opening:
        driver.advance(60, answer_syncs=True)
    driver.start()
    driver.drop(2)
    driver.session.stop()
    assert caplog.messages == [
        "connection 1: new → opening",
        "connection 1: opening → syncing",
        "connection 1: syncing → synced",
        "connection 2: new → opening",
        "connection 2: opening → syncing",
        "connection 2: syncing → synced",
        "connection 1: synced → draining",
        "connection 1: draining → closed (moved to a fresh connection)",
        "connection 2: synced → closed (the connection broke)",
    ]


# A conversation


def test_of_what_has_expired_only_what_is_unsent_and_who_is_blocked_is_kept() -> None:
    marks = Marks(3, 3, 3, {"delivered": Mark(4, 4), "read": Mark(3, 3)})
    first = Message("bob", "bob", "alice", 7, "b7", "seven", 7)
    known: dict[str, Any] = {
        "peer": "bob",
        "last": 5,
        "has_written": True,
        "reached": 2,
        "target": 9,
        "expires": 1_000,
        "numbering": 1,
        "ahead": {7: first},
        "doubt": 6,
        "told": 4,
        "queued": 1,
        "received": 5,
        "unsends": {5},
        "latest": Latest(9, "bob", "nine"),
        "marks": marks,
        "is_blocked": True,
        "outbox": Outbox(deque([Outgoing("m1", "hi")]), must_look_up=True),
        "is_fetching": True,
        "is_stuck": True,
    }
    fresh = ConversationState("bob", last=0)
    assert known.keys() == {field.name for field in fields(ConversationState)}
    assert [name for name, value in known.items() if name != "peer" and value == getattr(fresh, name)] == []
    conversation = ConversationState(**known)
    conversation.forget()
    kept = {"peer", "is_blocked", "outbox", "is_fetching"}
    for name, value in known.items():
        expected = 2 if name == "numbering" else value if name in kept else getattr(fresh, name)
        assert getattr(conversation, name) == expected, name
    assert not marks.is_due  # a receipt that is under way goes by these


# Bounds


def test_a_limited_number_of_messages_wait_for_an_earlier_one() -> None:
    driver = Driver(backlog=0, send_delivered=False, bounds=Bounds(ahead=2))
    driver.start([CHAT])
    for seq in (9, 8, 7):
        driver.reply({"type": "message"} | FOUND | {"seq": seq})
    driver.reply({"type": "message"} | FOUND)
    assert [event.seq for event in driver.events() if isinstance(event, Message)] == [6]
    history = driver.take("history")
    page = [FOUND | {"seq": seq} for seq in (6, 7, 8, 9)]
    driver.reply({"type": "history", "id": history["id"], "messages": page, "more": False})
    assert [event.seq for event in driver.events() if isinstance(event, Message)] == [7, 8, 9]


def test_a_limited_number_wait_in_all_conversations_together_and_the_others_are_fetched() -> None:
    driver = Driver(backlog=0, send_delivered=False, bounds=Bounds(ahead_in_all=3))
    driver.start([CHAT])
    for stranger in range(5):
        driver.reply({"type": "message"} | FOUND | {"from": f"stranger{stranger}", "seq": 3})
    driver.reply({"type": "message"} | FOUND | {"seq": 7})
    conversations = driver.session._conversations
    assert sum(len(conversation.ahead) for conversation in conversations) == 3
    history = next(frame for frame in iter(lambda: driver.take("history"), None) if frame["peer"] == "stranger4")
    page = [FOUND | {"from": "stranger4", "seq": seq} for seq in (1, 2, 3)]
    driver.reply({"type": "history", "id": history["id"], "peer": "stranger4", "messages": page, "more": False})
    assert [event.seq for event in driver.events() if isinstance(event, Message)] == [1, 2, 3]


def test_a_limited_number_that_take_one_back_are_known_to_be_silent() -> None:
    driver = Driver(backlog=0, send_delivered=False, bounds=Bounds(unsends_in_all=3))
    driver.start([CHAT])
    for stranger in range(10):
        driver.reply({"type": "message"} | FOUND | {"from": f"stranger{stranger}", "seq": 1, "text": "", "unsends": 1})
    assert sum(len(conversation.unsends) for conversation in driver.session._conversations) == 3
    assert driver.session.unread == 7
