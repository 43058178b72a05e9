"""How many conversations a user may begin in an hour, over every kind of table."""

from __future__ import annotations

import pytest

from chat.blocking import Blocking
from chat.conversations import BEGUN_MS, Conversations
from chat.protocol import ChatError, ErrorCode
from chat.sessions import Connection, Sessions
from chat.table import Table
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import serially

MOST = 3


@pytest.fixture
def conversations(table: Table, clock: ManualClock) -> Conversations:
    return Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially, new_chats=MOST)


def send(conversations: Conversations, sender: str, to: str, id: str | None = None) -> None:
    conversations.advance(conversations.append(sender, to, id, "hi").message)


def begin(conversations: Conversations, number: int = MOST) -> None:
    for peer in range(number):
        send(conversations, "alice", f"peer-{peer}")


def test_one_more_is_refused_and_nothing_is_stored(
    conversations: Conversations, table: Table, clock: ManualClock
) -> None:
    begin(conversations, 1)
    clock.advance(BEGUN_MS // 2)
    begin(conversations, MOST)

    with pytest.raises(ChatError) as refused:
        send(conversations, "alice", "bob")

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS
    assert refused.value.retry_after_ms == BEGUN_MS // 2
    assert [chat.peer for chat in conversations.overview("bob").chats] == []
    assert conversations.last_seq("alice", "bob") == 0


def test_an_hour_later_there_are_as_many_again(conversations: Conversations, clock: ManualClock) -> None:
    begin(conversations)

    clock.advance(BEGUN_MS)

    send(conversations, "alice", "bob")


def test_whoever_answers_begins_nothing(conversations: Conversations) -> None:
    begin(conversations)
    send(conversations, "bob", "alice")

    send(conversations, "alice", "bob")
    send(conversations, "alice", "peer-0")


def test_a_retry_of_a_first_message_is_a_duplicate_and_not_one_more(conversations: Conversations) -> None:
    begin(conversations, MOST - 1)
    send(conversations, "alice", "bob", id="m1")

    assert conversations.append("alice", "bob", "m1", "hi").duplicate


def test_each_user_counts_for_itself(conversations: Conversations) -> None:
    begin(conversations)

    send(conversations, "bob", "carol")


def test_the_count_is_no_connection_and_leaves_presence_alone(
    conversations: Conversations, sessions: Sessions, clock: ManualClock
) -> None:
    sessions.connect(Connection("alice", "phone=", clock.now))
    before = sessions.presence(["alice"])

    begin(conversations)

    assert sessions.presence(["alice"]) == before
    assert [one.id for one in sessions.of(["alice"])["alice"]] == ["phone="]


def test_to_block_a_made_up_user_counts_too(conversations: Conversations, table: Table, clock: ManualClock) -> None:
    blocking = Blocking(table, conversations, Sessions(table, clock), clock)
    for number in range(MOST):
        blocking.block("alice", f"made-up-{number}")

    with pytest.raises(ChatError) as refused:
        blocking.block("alice", "another")

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS
    assert len(conversations.overview("alice").chats) == MOST
    assert conversations.overview("another").chats == []


def test_to_block_who_has_written_counts_for_nothing(
    conversations: Conversations, table: Table, clock: ManualClock
) -> None:
    blocking = Blocking(table, conversations, Sessions(table, clock), clock)
    begin(conversations)
    send(conversations, "mallory", "alice")

    blocking.block("alice", "mallory")
    blocking.block("alice", "peer-0")
    blocking.unblock("alice", "mallory")
    blocking.block("alice", "mallory")

    assert {chat.peer for chat in conversations.overview("alice").chats if chat.blocked} == {"mallory", "peer-0"}
