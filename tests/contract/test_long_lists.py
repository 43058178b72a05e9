"""Chat lists that are longer than what one frame reads, over every kind of table."""

from __future__ import annotations

import pytest

from chat.blocking import Blocking
from chat.chats import Overview
from chat.conversations import Conversations
from chat.protocol import Cursor
from chat.sessions import Connection, Sessions
from chat.table import Key, Table, Update, chat_key, user_partition
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import serially

MOST = 3


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", MOST)


@pytest.fixture
def conversations(table: Table, clock: ManualClock) -> Conversations:
    return Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially)


def write(conversations: Conversations, *peers: str) -> None:
    for peer in peers:
        conversations.advance(conversations.append(peer, "alice", None, "hi").message)


def parts(conversations: Conversations) -> list[Overview]:
    """The parts of alice's list, by going on behind the last chat of each."""
    found = [conversations.overview("alice")]
    while found[-1].more:
        found.append(conversations.overview_from("alice", found[-1].cursor(None)))
    return found


def peers(overview: Overview) -> list[str]:
    return [chat.peer for chat in overview.chats]


def register(table: Table, clock: ManualClock) -> None:
    Sessions(table, clock).connect(Connection("alice", "phone=", clock.now))


def test_a_list_that_one_frame_reads_is_whole_and_newest_first(
    conversations: Conversations, table: Table, clock: ManualClock
) -> None:
    register(table, clock)
    write(conversations, "carol", "bob")

    found = conversations.overview("alice")

    assert (peers(found), found.connections) == (["carol", "bob"], {"phone="})
    assert (found.part, found.more) == (False, False)


@pytest.mark.parametrize("count", range(MOST, 3 * MOST + 2))
def test_parts_put_together_are_all_chats_once_each(
    conversations: Conversations, table: Table, clock: ManualClock, count: int
) -> None:
    register(table, clock)
    names = [f"peer-{number}" for number in range(count)]
    write(conversations, *names)

    found = parts(conversations)

    assert [peer for part in found for peer in peers(part)] == names[::-1]
    assert [chat.peer for chat in conversations.chats("alice")] == names[::-1]
    assert all(part.part for part in found)
    assert all(len(part.chats) <= MOST + 1 for part in found)
    assert found[0].connections == {"phone="}


def test_part_of_a_list_without_connections_says_so(conversations: Conversations) -> None:
    write(conversations, "a", "b", "c", "d", "e")

    assert conversations.overview("alice").connections == frozenset()


@pytest.mark.parametrize("hidden", ["a", "m", "z"])
def test_chats_that_the_user_is_not_to_see_are_passed_over(
    conversations: Conversations, table: Table, clock: ManualClock, hidden: str
) -> None:
    """Whoever blocks somebody without a word leaves an item in that user's partition, however many do so."""
    blocking = Blocking(table, conversations, Sessions(table, clock), clock)
    for number in range(2 * MOST + 2):
        blocking.block(f"{hidden}{number}", "alice")
    write(conversations, "bob", "carol", "nora", "olga", "zoe")

    assert [peer for part in parts(conversations) for peer in peers(part)] == ["zoe", "olga", "nora", "carol", "bob"]


def test_items_that_are_no_chats_are_passed_over(conversations: Conversations, table: Table) -> None:
    for number in range(2 * MOST):
        table.update(Key(user_partition("alice"), f"CHAT#not a user {number}"), Update(put={"seq": 1}))
        table.update(Key(user_partition("alice"), f"AAA{number}"), Update(put={"seq": 1}))
    write(conversations, "bob", "zoe")

    assert [peer for part in parts(conversations) for peer in peers(part)] == ["zoe", "bob"]


def test_a_chat_that_is_gone_is_gone_on_from_all_the_same(conversations: Conversations, table: Table) -> None:
    write(conversations, "a", "b", "c", "d", "e", "f", "g")
    assert not conversations._table.get([chat_key("alice", "dd")])

    assert peers(conversations.overview_from("alice", Cursor(None, "dd"))) == ["d", "c", "b", "a"]
