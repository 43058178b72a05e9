"""Erasing a user: what goes, what stays, and that it may stop anywhere."""

from __future__ import annotations

from copy import deepcopy

import pytest

from chat.backend_protocol import LogCursor
from chat.blocking import Blocking
from chat.conversations import Conversations
from chat.erasing import ERASED_PAGE, Erasing
from chat.messages import DIGEST
from chat.protocol import ChatError, History
from chat.sessions import Sessions
from chat.table import Item, Key, chat_key, log_partition, message_key, sessions_key, user_partition
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import MemoryTable, serially

SECRET = "a secret of alice's"


class World:
    """Alice has talked to bob and to herself, was written to by carol, has blocked dave, and is connected."""

    def __init__(self, *, said: int = 3) -> None:
        self.table, self.clock = MemoryTable(), ManualClock()
        self.conversations = conversations = self.conversations_on(self.table)
        sessions = Sessions(self.table, self.clock)
        for number in range(said):
            self.say("alice", "bob", f"{SECRET} {number}")
            self.say("bob", "alice", f"bob's {number}")
        self.say("alice", "alice", SECRET)
        self.say("carol", "alice", "carol's")
        self.say("bob", "carol", "not for alice")
        conversations.advance(conversations.unsend("alice", "bob", 1).message)
        self.say("dave", "alice", "dave's")
        self.say("alice", "dave", SECRET)
        Blocking(self.table, conversations, sessions, self.clock).block("alice", "dave")

    def conversations_on(self, table: MemoryTable) -> Conversations:
        return Conversations(table, retention_ms=RETENTION_MS, clock=self.clock, parallel=serially)

    def say(self, sender: str, to: str, text: str) -> None:
        self.conversations.advance(self.conversations.append(sender, to, None, text).message)

    def erase(self, table: MemoryTable | None = None) -> tuple[int, int]:
        """All portions. How many messages and chats they came to."""
        erasing = Erasing(table or self.table, clock=self.clock, parallel=serially)
        cursor: LogCursor | None = None
        messages = chats = 0
        while True:
            erased = erasing.erase("alice", cursor)
            messages, chats, cursor = messages + erased.messages, chats + erased.chats, erased.next
            if cursor is None:
                return messages, chats

    def texts(self, user: str, peer: str) -> list[str]:
        page = self.conversations.history(user, History(None, peer, None, None, 100))
        return [message.text for message in page.messages]


@pytest.fixture
def world() -> World:
    return World()


def test_what_the_user_wrote_has_no_text_and_what_others_wrote_stays(world: World) -> None:
    before = world.texts("bob", "alice")

    # Two of bob's conversation (the third was taken back, of which the digest goes), the note, and the one to dave.
    assert world.erase() == (5, 4)

    assert world.texts("bob", "alice") == ["" if SECRET in text else text for text in before]
    assert "bob's 2" in world.texts("bob", "alice")
    assert world.texts("carol", "alice") == ["carol's"]
    assert world.texts("bob", "carol") == ["not for alice"]
    assert SECRET not in str(world.table.items)
    assert not [item for item in world.table.items.values() if item.get("from") == "alice" and DIGEST in item]


def test_nothing_else_is_kept_of_the_user(world: World) -> None:
    assert sessions_key("alice") in world.table.items  # it says that she has blocked somebody

    world.erase()

    assert not [key for key in world.table.items if key.pk == user_partition("alice")]
    assert not [name for name in world.table.items[chat_key("dave", "alice")] if "block" in name]


def test_numbers_go_on_and_a_message_that_is_sent_again_is_not_stored_twice(world: World) -> None:
    sent = world.conversations.append("alice", "bob", "order-1", "once")
    world.conversations.advance(sent.message)
    world.erase()

    with pytest.raises(ChatError, match="another text"):
        world.conversations.append("alice", "bob", "order-1", "once")
    world.say("bob", "alice", "are you there?")

    last = world.conversations.last_seq("bob", "alice")
    assert last == sent.message.seq + 1
    stored = world.table.items[message_key("alice", "bob", sent.message.seq)]
    assert (stored["id"], "text" in stored) == ("order-1", False)


def test_a_second_time_finds_nothing(world: World) -> None:
    world.erase()
    after = deepcopy(world.table.items)
    world.clock.advance(1_000)

    assert world.erase() == (0, 0)

    assert world.table.items == after


def test_a_long_conversation_takes_several_portions() -> None:
    world = World(said=ERASED_PAGE)
    erasing = Erasing(world.table, clock=world.clock, parallel=serially)

    first = erasing.erase("alice", LogCursor("bob", " "))

    assert first.messages == ERASED_PAGE // 2
    assert (first.chats, first.next) == (0, LogCursor("bob", message_key("alice", "bob", ERASED_PAGE + 1).sk))
    assert chat_key("alice", "bob") in world.table.items
    world.erase()
    assert SECRET not in str(world.table.items)


def test_what_has_expired_meanwhile_is_not_made_again(world: World) -> None:
    key = message_key("alice", "bob", 3)
    reads = 0

    def expire(operation: str) -> None:
        nonlocal reads
        reads += operation == "query"
        if operation == "update":
            table.items.pop(key, None)

    table = MemoryTable(before=expire)
    table.items = dict(world.table.items)

    world.erase(table)

    assert reads
    assert key not in table.items


@pytest.mark.parametrize("when", ["before", "after"])
def test_it_may_stop_at_any_call_and_be_begun_again(world: World, when: str) -> None:
    whole, calls = _erased(world, when, stop_at=None)
    assert calls > 10

    for stop_at in range(1, calls + 1):
        stopped, _ = _erased(world, when, stop_at=stop_at)
        again = MemoryTable()
        again.items = stopped
        world.erase(again)
        assert again.items == whole, stop_at


class _Stopped(Exception):
    pass


def _erased(world: World, when: str, *, stop_at: int | None) -> tuple[dict[Key, Item], int]:
    """What is in a copy of the table after erasing, or after it stopped at a call; and the number of calls."""
    calls = 0

    def count(_: str) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise _Stopped

    table = MemoryTable(**{when: count})
    table.items = deepcopy(world.table.items)
    try:
        world.erase(table)
    except _Stopped:
        assert stop_at
    return table.items, calls


def test_a_conversation_of_others_is_not_looked_at(world: World) -> None:
    pk = log_partition("bob", "carol")
    before = {key: item for key, item in world.table.items.items() if key.pk == pk}

    world.erase()

    assert {key: item for key, item in world.table.items.items() if key.pk == pk} == before
