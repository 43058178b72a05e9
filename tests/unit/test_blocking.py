"""Blocking: what each side sees. Interleavings are in tests/schedules."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chat.acquaintance import may
from chat.hidden import MAX_RANGES, Range, closed, hidden_in, hiding, opened, range_with, without
from chat.protocol import (
    Block,
    ChatError,
    ErrorCode,
    History,
    Presence,
    Receipt,
    ReceiptKind,
    Request,
    Send,
    Sync,
    Typing,
    TypingState,
    Unblock,
    Unsend,
    UserPresence,
)
from chat.sessions import Connection
from chat.table import MAX_SEQ, chat_key
from tests.fakes.clock import MINUTE_MS, START, ManualClock
from tests.unit.system import System

HI = Send("m1", "bob", "hi")


def written(seq: int) -> Send:
    return Send(f"b{seq}", "alice", f"message {seq}")


class People:
    """Alice with two devices and Bob with one. Each has written once; then Alice has blocked Bob."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.phone, self.laptop, self.bob = (
            system.connect("alice"),
            system.connect("alice", "laptop"),
            system.connect("bob"),
        )
        system.serve(self.phone, HI)
        system.serve(self.bob, written(2))
        self.block()

    def block(self) -> None:
        self.system.serve(self.phone, Block(None, "bob"))
        self.system.gateway.pushed.clear()

    def unblock(self) -> None:
        self.system.serve(self.phone, Unblock(None, "bob"))
        self.system.gateway.pushed.clear()

    def told(self, connection: Connection) -> list[Any]:
        return [json.loads(frame) for frame in self.system.pushed(connection)]

    def texts(self, connection: Connection, peer: str, **bounds: int) -> list[str]:
        request = History(None, peer, bounds.get("after"), bounds.get("before"), 50)
        page: Any = self.system.serve(connection, request)
        return [message["text"] for message in page["messages"]]

    def chat(self, connection: Connection) -> dict[str, Any]:
        reply: Any = self.system.serve(connection, Sync(None, None, 50, None))
        return dict(reply["chats"][0])


@pytest.fixture
def people(system: System) -> People:
    return People(system)


def test_the_reply_says_so_and_the_users_other_devices_are_told(system: System) -> None:
    phone, laptop = system.connect("alice"), system.connect("alice", "laptop")
    mallory = system.connect("mallory")

    assert system.serve(phone, Block("1", "mallory")) == {
        "type": "block",
        "id": "1",
        "user": "mallory",
        "blocked": True,
    }
    assert system.pushed(laptop) == ['{"type":"block","user":"mallory","blocked":true}']
    assert system.serve(phone, Unblock("2", "mallory"))["blocked"] is False
    assert system.pushed(phone) == system.pushed(mallory) == []


@pytest.mark.parametrize("action", [Block, Unblock])
def test_nobody_blocks_themselves(system: System, action: Callable[..., Request]) -> None:
    with pytest.raises(ChatError) as error:
        system.serve(system.connect("alice"), action(None, "alice"))
    assert error.value.code is ErrorCode.BAD_REQUEST


def test_nothing_that_a_blocked_user_does_reaches_who_has_blocked_it(people: People) -> None:
    before = people.chat(people.phone)
    for request in (
        written(3),
        Receipt(None, "alice", ReceiptKind.READ, 1),
        Receipt(None, "alice", ReceiptKind.DELIVERED, 1),
        Typing(None, "alice", TypingState.COMPOSING),
        written(2)._replace(retry=True),
    ):
        people.system.routes.serve(people.bob, request)
    people.system.routes.announce(UserPresence("bob", online=False, rev=9))

    assert people.told(people.phone) == people.told(people.laptop) == []
    assert people.chat(people.phone) == before
    assert people.texts(people.phone, "bob") == ["hi", "message 2"]
    asked: Any = people.system.serve(people.phone, Presence(None, ("bob",)))
    assert asked["users"] == [{"user": "bob", "online": False, "last_seen": None, "rev": 0}]


def test_a_blocked_user_sees_somebody_who_went_offline(system: System, clock: ManualClock) -> None:
    people = People(system)
    clock.advance(MINUTE_MS)
    ack = system.serve(people.bob, written(3))
    asked: Any = system.serve(people.bob, Presence(None, ("alice",)))
    system.serve(people.phone, Receipt(None, "bob", ReceiptKind.READ, 2))
    system.routes.serve(people.phone, Typing(None, "bob", TypingState.COMPOSING))
    system.routes.announce(UserPresence("alice", online=True, rev=9))

    assert (ack["seq"], ack["delivered"]) == (3, 0)
    assert asked["users"] == [{"user": "alice", "online": False, "last_seen": clock.now - MINUTE_MS, "rev": START + 3}]
    assert people.told(people.bob) == []
    chat = people.chat(people.bob)
    assert (chat["peer_read"], "blocked" in chat) == (0, False)
    assert people.texts(people.bob, "alice") == ["hi", "message 2", "message 3"]


def test_a_blocked_user_is_answered_as_beside_somebody_who_went_offline() -> None:
    """Whatever it asks, and to the letter."""
    asked: list[Request] = [
        Presence(None, ("alice",)),
        Sync(None, None, 50, None, ("alice",)),
        written(3),
        written(3)._replace(retry=True),
        Unsend(None, "alice", 2),
        Unsend(None, "alice", 2),
        Receipt(None, "alice", ReceiptKind.READ, 1),
        Receipt(None, "alice", ReceiptKind.DELIVERED, 1),
        Receipt(None, "alice", ReceiptKind.READ, 9),
        History(None, "alice", None, None, 50),
        Sync(None, 0, 50, None, 1),
        Block(None, "alice"),
        Unblock(None, "alice"),
        Sync(None, None, 50, None, ("alice",)),
    ]
    replies = []
    for goes in ("away", "blocking"):
        system = System()
        phone, bob = system.connect("alice"), system.connect("bob")
        system.serve(phone, HI)
        system.serve(bob, written(2))
        if goes == "away":
            system.connection_routes.disconnect(phone)
        else:
            system.serve(phone, Block(None, "bob"))
        replies.append([_answer(system, bob, request) for request in asked])

    assert replies[0] == replies[1]


def _answer(system: System, caller: Connection, request: Request) -> object:
    system.clock.advance(1_000)
    try:
        return system.serve(caller, request)
    except ChatError as error:
        return error.code, error.message


def test_a_blocked_user_is_told_once_that_the_other_went_offline(system: System, clock: ManualClock) -> None:
    people = People(system)
    people.unblock()
    for _ in range(2):
        system.serve(people.phone, Block(None, "bob"))

    (frame,) = people.told(people.bob)
    assert frame["users"] == [{"user": "alice", "online": False, "last_seen": clock.now, "rev": START + 5}]


def test_a_blocked_stranger_is_told_nothing_and_gets_no_chat(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, Block(None, "bob"))

    assert system.pushed(bob) == []
    assert system.serve(bob, Sync(None, None, 50, None))["chats"] == []
    chats: Any = system.serve(alice, Sync(None, None, 50, None))["chats"]
    assert [(chat["peer"], chat["seq"], chat["blocked"]) for chat in chats] == [("bob", 0, True)]


def test_what_was_hidden_stays_so_after_unblocking_and_is_not_unread(people: People) -> None:
    for seq in (3, 4):
        people.system.serve(people.bob, written(seq))
    people.unblock()
    people.system.serve(people.bob, written(4)._replace(retry=True))
    assert people.told(people.phone) == []
    people.system.serve(people.bob, written(5))

    assert [frame["seq"] for frame in people.told(people.phone)] == [5]
    assert people.texts(people.phone, "bob") == ["hi", "message 2", "message 5"]
    assert people.texts(people.phone, "bob", after=2) == ["message 5"]
    assert people.texts(people.phone, "bob", before=5) == ["hi", "message 2"]
    chat = people.chat(people.phone)
    assert (chat["seq"], chat["read"], chat["last"]["text"]) == (5, 4, "message 5")


def test_unblocking_shows_each_to_the_other_again(people: People) -> None:
    people.system.serve(people.phone, Unblock(None, "bob"))

    assert [frame["users"][0]["online"] for frame in people.told(people.bob)] == [True]
    (presence,) = [frame for frame in people.told(people.phone) if frame["type"] == "presence"]
    assert presence["users"][0]["user"] == "bob"
    asked: Any = people.system.serve(people.bob, Presence(None, ("alice",)))
    assert (asked["users"][0]["online"], asked["users"][0]["rev"]) == (True, START + 4)


def test_two_who_have_blocked_each_other_stay_apart_until_both_have_unblocked(people: People) -> None:
    people.system.serve(people.bob, Block(None, "alice"))
    people.unblock()
    people.system.serve(people.phone, Send("m9", "bob", "there?"))

    assert people.told(people.bob) == []
    assert "there?" not in people.texts(people.bob, "alice")
    people.system.serve(people.bob, Unblock(None, "alice"))
    items = people.system.table.items
    assert may("alice", "bob", items[chat_key("alice", "bob")])
    assert may("bob", "alice", items[chat_key("bob", "alice")])


def test_a_users_own_message_to_somebody_it_has_blocked_is_not_hidden(people: People) -> None:
    people.system.serve(people.bob, written(3))
    ack = people.system.serve(people.phone, Send("m4", "bob", "unblock me, too"))
    people.system.serve(people.bob, written(5))

    assert (ack["seq"], ack["delivered"]) == (4, 0)
    assert people.texts(people.laptop, "bob") == ["hi", "message 2", "unblock me, too"]
    people.unblock()
    assert people.texts(people.laptop, "bob") == ["hi", "message 2", "unblock me, too"]


def test_a_hidden_message_cannot_be_marked(people: People) -> None:
    people.system.serve(people.bob, written(3))
    with pytest.raises(ChatError, match="no message 3 with bob"):
        people.system.serve(people.phone, Receipt(None, "bob", ReceiptKind.READ, 3))


def test_the_writer_of_a_hidden_message_can_mark_it(people: People) -> None:
    people.system.serve(people.bob, written(3))
    assert people.system.serve(people.bob, Receipt("r", "alice", ReceiptKind.READ, 3))["seq"] == 3
    assert people.told(people.phone) == []


def test_a_hidden_range_that_has_expired_gives_no_number_out_again(system: System, clock: ManualClock) -> None:
    people = People(system)
    system.serve(people.bob, written(3))
    people.unblock()
    for key in [key for key in system.table.items if key.sk.startswith("MSG#")]:
        del system.table.items[key]
    del system.table.items[chat_key("bob", "alice")]
    system.restart()

    assert system.serve(people.bob, written(4))["seq"] == 4


# ranges


def test_ranges_are_opened_closed_and_taken_apart() -> None:
    hidden = opened((), 5)
    assert hidden == (Range(5, MAX_SEQ),)
    assert without(hidden, 5) == (Range(6, MAX_SEQ),)
    assert without(hidden, 7) == (Range(5, 6), Range(8, MAX_SEQ))
    assert closed(without(hidden, 7), 9) == (Range(5, 6), Range(8, 9))
    assert opened(closed(hidden, 4), 7) == (Range(7, MAX_SEQ),)  # nothing had come
    assert range_with(closed(hidden, 4), 5) is None


def test_ranges_are_kept_as_text() -> None:
    hidden = (Range(1, 2), Range(5, MAX_SEQ))
    assert hidden_in(hiding(hidden)) == hidden
    assert hidden_in({"hidden": 7}) == hidden_in({"hidden": "junk"}) == ()


def test_of_too_many_ranges_the_two_closest_become_one() -> None:
    hidden = (*(Range(10 * place, 10 * place + 1) for place in range(1, MAX_RANGES)), Range(9_000, 9_001))
    more = (*hidden, Range(9_003, MAX_SEQ))
    assert hidden_in(hiding(hidden)) == hidden
    assert hidden_in(hiding(more)) == (*hidden[:-1], Range(9_000, MAX_SEQ))
