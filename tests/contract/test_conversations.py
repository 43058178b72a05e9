"""The message log and the chat items, over every kind of table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from chat.acquaintance import PEER_WROTE, WROTE
from chat.blocking import Blocking
from chat.conversations import SEARCHED_PAGE, TAIL_LENGTH, Conversations, Page
from chat.dynamo import DynamoTable
from chat.hidden import KEPT_UNTIL
from chat.protocol import (
    PAGE_ROOM,
    Chat,
    ChatError,
    ErrorCode,
    History,
    Message,
    Receipt,
    ReceiptKind,
    UserPresence,
    message_size,
)
from chat.sessions import Sessions
from chat.table import Condition, Item, Key, Query, Table, Update, Updated, chat_key
from tests.fakes.clock import DAY_MS, HOUR_MS, MINUTE_MS, RETENTION_MS, ManualClock, expiry
from tests.fakes.engines import Engine
from tests.fakes.memory import serially


def send(conversations: Conversations, sender: str, to: str, text: str, *, id: str | None = None) -> Message:
    """What a send does to the table."""
    message = conversations.append(sender, to, id, text).message
    conversations.advance(message)
    return message


def history(
    conversations: Conversations,
    *,
    user: str = "alice",
    peer: str = "bob",
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Page:
    return conversations.history(user, History(None, peer, after, before, limit))


def texts(page: Page) -> list[str]:
    return [message.text for message in page.messages]


def numbers(page: Page) -> list[int]:
    return [message.seq for message in page.messages]


def chats(conversations: Conversations, user: str) -> dict[str, Chat]:
    return {chat.peer: chat for chat in conversations.overview(user).chats}


def acquaint(table: Table) -> None:
    """Alice and bob have both written, some time ago."""
    for key in (chat_key("alice", "bob"), chat_key("bob", "alice")):
        table.update(key, Update(put={WROTE: 1, PEER_WROTE: 1}))


def read_up_to(conversations: Conversations, user: str, peer: str, seq: int) -> None:
    conversations.mark(user, Receipt(None, peer, ReceiptKind.READ, seq))


class Interrupted(Table):
    """A table on which somebody else is faster: `interruption` happens just before the first insert."""

    def __init__(self, table: Table, interruption: Callable[[], object]) -> None:
        self._table = table
        self._interruption: Callable[[], object] | None = interruption

    def query(self, query: Query) -> list[Item]:
        return self._table.query(query)

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        return self._table.get(keys, consistent=consistent)

    def insert(self, item: Item) -> bool:
        interruption, self._interruption = self._interruption, None
        if interruption is not None:
            interruption()
        return self._table.insert(item)

    def update(self, key: Key, update: Update) -> Updated:
        return self._table.update(key, update)

    def delete(self, key: Key, only_if: Sequence[Condition] = ()) -> bool:
        return self._table.delete(key, only_if)


def interrupted(table: Table, clock: ManualClock, interruption: Callable[[], object]) -> Conversations:
    return Conversations(Interrupted(table, interruption), retention_ms=RETENTION_MS, clock=clock, parallel=serially)


# append


def test_messages_are_numbered_from_one_whoever_sends(conversations: Conversations, clock: ManualClock) -> None:
    for sender, to in [("alice", "bob"), ("bob", "alice"), ("alice", "bob")]:
        clock.advance(1)
        send(conversations, sender, to, f"from {sender}", id=f"id-{clock.now}")

    start = clock.now - 3
    assert history(conversations).messages == [
        Message("alice", "bob", 1, f"id-{start + 1}", "from alice", start + 1, expires=expiry(start + 1)),
        Message("bob", "alice", 2, f"id-{start + 2}", "from bob", start + 2, expires=expiry(start + 2)),
        Message("alice", "bob", 3, f"id-{start + 3}", "from alice", start + 3, expires=expiry(start + 3)),
    ]
    assert history(conversations, user="bob", peer="alice") == history(conversations)


@pytest.mark.parametrize("text", ["hi", ""])
def test_data_is_stored_beside_a_text_or_instead_of_it(conversations: Conversations, text: str) -> None:
    data = '{"é":[1,null,{"\U0010ffff":true}]}'
    stored = conversations.append("alice", "bob", "m1", text, data=data).message
    conversations.advance(stored)

    assert (stored.text, stored.data) == (text, data)
    assert history(conversations).messages == [stored]
    assert conversations.append("alice", "bob", "m1", text, data=data).duplicate
    conversations.unsend("alice", "bob", 1)
    assert [(one.text, one.data) for one in history(conversations).messages] == [("", "")] * 2


def test_conversations_are_numbered_each_for_itself(conversations: Conversations) -> None:
    assert send(conversations, "alice", "bob", "hi").seq == 1
    assert send(conversations, "alice", "carol", "hi").seq == 1
    assert send(conversations, "bob", "carol", "hi").seq == 1


def test_user_ids_that_run_together_have_conversations_of_their_own(conversations: Conversations) -> None:
    send(conversations, "a", "b|c", "one")
    send(conversations, "a|b", "c", "two")

    assert texts(history(conversations, user="a", peer="b|c")) == ["one"]
    assert texts(history(conversations, user="c", peer="a|b")) == ["two"]


def test_each_message_without_id_is_one_of_its_own(conversations: Conversations) -> None:
    assert send(conversations, "alice", "bob", "hi").seq == 1
    assert send(conversations, "alice", "bob", "hi").seq == 2
    first, second = history(conversations).messages
    assert first.id != second.id


@pytest.mark.parametrize("remembered", [True, False], ids=["same function", "another function"])
@pytest.mark.parametrize("newer", [0, TAIL_LENGTH - 1])
def test_a_retry_is_recognised(
    conversations: Conversations, others: Conversations, clock: ManualClock, remembered: bool, newer: int
) -> None:
    first = send(conversations, "alice", "bob", "hi", id="m1")
    for number in range(newer):
        send(conversations, "bob", "alice", f"number {number}")
    clock.advance(1_000)

    again = (conversations if remembered else others).append("alice", "bob", "m1", "hi")

    assert again.duplicate
    assert again.message == first
    assert len(history(conversations).messages) == 1 + newer


@pytest.mark.parametrize("remembered", [True, False], ids=["same function", "another function"])
@pytest.mark.parametrize("newer", [TAIL_LENGTH, TAIL_LENGTH + SEARCHED_PAGE + 1])
def test_a_retry_is_recognised_among_all_that_was_stored_since(
    conversations: Conversations, others: Conversations, clock: ManualClock, remembered: bool, newer: int
) -> None:
    clock.advance(HOUR_MS)
    first = send(conversations, "alice", "bob", "hi", id="m1")
    for number in range(newer):
        send(others, "bob", "alice", f"number {number}")
    clock.advance(MINUTE_MS)

    again = (conversations if remembered else others).append("alice", "bob", "m1", "hi", since=first.ts)

    assert (again.duplicate, again.message) == (True, first)


def test_a_message_is_not_looked_for_among_older_ones(conversations: Conversations, others: Conversations) -> None:
    first = send(conversations, "alice", "bob", "hi", id="m1")
    for number in range(2 * SEARCHED_PAGE):
        send(others, "bob", "alice", f"number {number}")

    again = others.append("alice", "bob", "m1", "hi", since=first.ts + 1)

    assert not again.duplicate


def test_an_id_is_of_one_sender_and_one_conversation(conversations: Conversations) -> None:
    send(conversations, "alice", "bob", "hi", id="m1")

    assert not conversations.append("bob", "alice", "m1", "hi").duplicate
    assert not conversations.append("alice", "carol", "m1", "hi").duplicate


@pytest.mark.parametrize("remembered", [True, False], ids=["same function", "another function"])
def test_an_id_with_another_text_is_refused(
    conversations: Conversations, others: Conversations, remembered: bool
) -> None:
    send(conversations, "alice", "bob", "hi", id="m1")

    with pytest.raises(ChatError) as refused:
        (conversations if remembered else others).append("alice", "bob", "m1", "ho")

    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert "ho" not in refused.value.message.split()
    assert texts(history(conversations)) == ["hi"]


def test_what_others_have_appended_is_counted(conversations: Conversations, others: Conversations) -> None:
    send(conversations, "alice", "bob", "one")
    for number in range(TAIL_LENGTH + 3):
        send(others, "bob", "alice", f"other {number}")

    assert send(conversations, "alice", "bob", "last").seq == TAIL_LENGTH + 5

    assert numbers(history(conversations)) == list(range(1, TAIL_LENGTH + 6))


def test_a_retry_is_recognised_behind_what_others_have_appended(
    conversations: Conversations, others: Conversations
) -> None:
    send(conversations, "alice", "bob", "one")
    retried = send(others, "alice", "bob", "two", id="m2")
    for number in range(TAIL_LENGTH + 3):
        send(others, "bob", "alice", f"other {number}")

    again = conversations.append("alice", "bob", "m2", "two")

    assert again.duplicate
    assert again.message == retried


def test_both_sides_write_the_first_message_at_once(table: Table, clock: ManualClock, others: Conversations) -> None:
    slower = interrupted(table, clock, lambda: send(others, "bob", "alice", "from bob"))

    assert send(slower, "alice", "bob", "from alice").seq == 2

    assert texts(history(others)) == ["from bob", "from alice"]


def test_one_frame_that_is_served_twice_at_once_is_stored_once(
    table: Table, clock: ManualClock, others: Conversations
) -> None:
    slower = interrupted(table, clock, lambda: send(others, "alice", "bob", "hi", id="m1"))

    assert slower.append("alice", "bob", "m1", "hi").duplicate

    assert texts(history(others)) == ["hi"]


def test_many_writers_leave_no_gap(engine: Engine, clock: ManualClock) -> None:
    table = DynamoTable(engine.shared, engine.create_table())
    writers = [Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially) for _ in range(4)]

    def write(writer: Conversations) -> list[int]:
        return [send(writer, "alice", "bob", "hi").seq for _ in range(5)]

    with ThreadPoolExecutor(len(writers)) as threads:
        given = [seq for seqs in threads.map(write, writers) for seq in seqs]

    assert sorted(given) == list(range(1, 21))
    assert numbers(history(writers[0])) == list(range(1, 21))
    assert chats(writers[0], "alice")["bob"].seq == 20


def test_numbers_go_on_where_the_chats_are_when_the_log_has_expired(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    """The messages of an old conversation are deleted; its chat items stay and remember how far it went."""
    table.update(chat_key("alice", "bob"), Update(put={"seq": 6, "ts": 1}))
    table.update(chat_key("bob", "alice"), Update(put={"seq": 7, "ts": 1}))

    assert send(conversations, "alice", "bob", "hi again").seq == 8


def test_numbers_go_on_where_the_log_is_when_the_chats_are_behind(
    conversations: Conversations, others: Conversations, clock: ManualClock
) -> None:
    conversations.append("alice", "bob", "m1", "never moved")
    clock.advance(RETENTION_MS - HOUR_MS)

    assert send(others, "alice", "bob", "next").seq == 2


@pytest.mark.parametrize("late_ms", [-MINUTE_MS, 0, MINUTE_MS])
def test_a_log_without_chats_is_not_written_to_while_it_ends(
    conversations: Conversations, clock: ManualClock, late_ms: int
) -> None:
    """Functions' clocks differ: to one the numbers go on, to another they begin again."""
    conversations.append("alice", "bob", "m1", "never moved")
    clock.advance(RETENTION_MS + late_ms)

    with pytest.raises(ChatError) as refused:
        conversations.append("alice", "bob", "m2", "next")

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS


def test_numbers_begin_again_once_nothing_is_left_but_what_ttl_has_not_deleted(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    for number in range(3):
        conversations.append("alice", "bob", f"m{number}", "never moved")
    clock.advance(RETENTION_MS + HOUR_MS)

    assert send(conversations, "bob", "alice", "hello").seq == 1

    assert [item["text"] for item in table.query(Query("CHAT#alice#bob"))] == ["hello"]


def test_chats_expire_a_day_after_their_last_message(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    for sender, to in (("alice", "bob"), ("bob", "alice")):
        clock.advance(HOUR_MS)
        send(conversations, sender, to, "hi")

    keys = [chat_key("alice", "bob"), chat_key("bob", "alice")]
    assert [item["ttl"] for item in table.get(keys).values()] == [(expiry(clock.now) + DAY_MS) // 1_000] * 2


@pytest.mark.parametrize("deleted", [(), ("alice",), ("bob",)])
def test_numbers_go_on_while_one_chat_is_there_and_both_are_kept_then(
    table: Table, conversations: Conversations, clock: ManualClock, deleted: Collection[str]
) -> None:
    keys = {"alice": chat_key("alice", "bob"), "bob": chat_key("bob", "alice")}
    send(conversations, "alice", "bob", "hi")
    send(conversations, "bob", "alice", "hello")
    clock.advance(RETENTION_MS + DAY_MS + HOUR_MS)
    for user in deleted:
        table.delete(keys[user])

    assert send(conversations, "alice", "bob", "long ago").seq == 3

    unread = {user: chat.seq - chat.read for user in keys for chat in chats(conversations, user).values()}
    assert unread == {"alice": 0, "bob": 1}
    assert [item["ttl"] for item in table.get(keys.values()).values()] == [(expiry(clock.now) + DAY_MS) // 1_000] * 2


def test_numbers_begin_again_once_both_chats_are_gone(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    send(conversations, "alice", "bob", "hi")
    clock.advance(RETENTION_MS + DAY_MS + HOUR_MS)
    for key in (chat_key("alice", "bob"), chat_key("bob", "alice")):
        table.delete(key)

    assert send(conversations, "bob", "alice", "who was that?").seq == 1


def test_chats_of_two_of_whom_one_has_blocked_the_other_do_not_expire(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    """What is hidden is so by number."""
    blocking = Blocking(table, conversations, Sessions(table, clock), clock)
    send(conversations, "alice", "bob", "hi")
    blocking.block("alice", "bob")
    send(conversations, "bob", "alice", "hidden")
    blocking.unblock("alice", "bob")
    send(conversations, "alice", "bob", "hello again")

    items = table.get([chat_key("alice", "bob"), chat_key("bob", "alice")]).values()
    assert [item["ttl"] for item in items] == [KEPT_UNTIL] * 2
    assert [item["seq"] for item in items] == [3, 3]


def test_a_receipt_of_an_expired_message_makes_no_chat(
    table: Table, conversations: Conversations, clock: ManualClock
) -> None:
    conversations.append("alice", "bob", "m1", "never moved")
    clock.advance(RETENTION_MS + HOUR_MS)

    with pytest.raises(ChatError) as refused:
        conversations.mark("bob", Receipt(None, "alice", ReceiptKind.READ, 1))

    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert not table.get([chat_key("alice", "bob"), chat_key("bob", "alice")])


def test_no_message_expires_before_an_earlier_one(table: Table, clock: ManualClock) -> None:
    longer = Conversations(table, retention_ms=2 * RETENTION_MS, clock=clock, parallel=serially)
    shorter = Conversations(table, retention_ms=RETENTION_MS, clock=clock, parallel=serially)
    send(longer, "alice", "bob", "kept for long")

    send(shorter, "alice", "bob", "kept as long")

    first, second = table.query(Query("CHAT#alice#bob"))
    assert first["ttl"] == second["ttl"] == (clock.now + 2 * RETENTION_MS) // 1_000


# to oneself


def test_a_note_to_oneself_is_one_chat_all_read(conversations: Conversations) -> None:
    message = send(conversations, "alice", "alice", "buy milk")

    assert history(conversations, peer="alice").messages == [message]
    chat = chats(conversations, "alice")["alice"]
    assert (chat.seq, chat.read) == (1, 1)


def test_a_receipt_to_oneself_is_taken(conversations: Conversations) -> None:
    send(conversations, "alice", "alice", "buy milk")

    read_up_to(conversations, "alice", "alice", 1)

    assert chats(conversations, "alice")["alice"].read == 1


# advance


def test_advance_moves_both_chats(conversations: Conversations, clock: ManualClock) -> None:
    send(conversations, "alice", "bob", "hi")

    now, expires = clock.now, expiry(clock.now)
    stranger = UserPresence("bob", last_seen=0)
    assert chats(conversations, "alice") == {"bob": Chat("bob", 1, now, now, 1, 0, 0, 1, 0, False, stranger, expires)}
    stranger = UserPresence("alice", last_seen=0)
    assert chats(conversations, "bob") == {"alice": Chat("alice", 1, now, now, 0, 0, 0, 0, 1, False, stranger, expires)}


def test_advance_leaves_a_chat_that_is_ahead(conversations: Conversations, clock: ManualClock) -> None:
    first = send(conversations, "alice", "bob", "one")
    clock.advance(1)
    send(conversations, "bob", "alice", "two")
    before = chats(conversations, "alice"), chats(conversations, "bob")
    clock.advance(1)

    conversations.advance(first)

    assert (chats(conversations, "alice"), chats(conversations, "bob")) == before


def test_advance_heals_the_one_chat_that_is_behind(table: Table, conversations: Conversations) -> None:
    message = conversations.append("alice", "bob", "m1", "hi").message
    table.update(chat_key("alice", "bob"), Update(put={"seq": 1, "ts": message.ts, "changed": 1, WROTE: 1}))

    conversations.advance(message)

    assert chats(conversations, "bob")["alice"].seq == 1
    assert chats(conversations, "alice")["bob"].changed == 1


def test_advance_keeps_what_was_marked(table: Table, conversations: Conversations) -> None:
    acquaint(table)
    send(conversations, "alice", "bob", "one")
    read_up_to(conversations, "bob", "alice", 1)

    send(conversations, "alice", "bob", "two")

    assert chats(conversations, "bob")["alice"].read == 1
    assert chats(conversations, "alice")["bob"].peer_read == 1


# history


class Bounds(NamedTuple):
    after: int | None
    before: int | None
    limit: int


@pytest.mark.parametrize(
    ("bounds", "expected", "more"),
    [
        (Bounds(None, None, 3), [8, 9, 10], True),
        (Bounds(None, None, 10), list(range(1, 11)), False),
        (Bounds(0, None, 3), [1, 2, 3], True),
        (Bounds(7, None, 3), [8, 9, 10], False),
        (Bounds(8, None, 3), [9, 10], False),
        (Bounds(10, None, 3), [], False),
        (Bounds(2**53 - 1, None, 3), [], False),
        (Bounds(None, 4, 3), [1, 2, 3], False),
        (Bounds(None, 5, 3), [2, 3, 4], True),
        (Bounds(None, 1, 3), [], False),
        (Bounds(None, 0, 3), [], False),
        (Bounds(None, 2**53 - 1, 3), [8, 9, 10], True),
    ],
    ids=str,
)
def test_history_stays_within_its_bounds(
    conversations: Conversations, bounds: Bounds, expected: list[int], more: bool
) -> None:
    for number in range(1, 11):
        send(conversations, "alice", "bob", f"number {number}")

    page = history(conversations, after=bounds.after, before=bounds.before, limit=bounds.limit)

    assert (numbers(page), page.more) == (expected, more)


def test_history_of_strangers_is_empty(conversations: Conversations) -> None:
    assert history(conversations) == Page([], more=False)


@pytest.mark.parametrize("forwards", [True, False], ids=["after", "before"])
def test_pages_put_together_are_the_conversation(conversations: Conversations, forwards: bool) -> None:
    """Texts of 8 KiB: what fits into a frame ends a page long before its limit."""
    for number in range(1, 11):
        send(conversations, "alice", "bob", str(number % 10) * 8_192)
    seen: list[int] = []
    more = True
    while more:
        if forwards:
            page = history(conversations, after=seen[-1] if seen else 0)
            seen = seen + numbers(page)
        else:
            page = history(conversations, before=seen[0] if seen else None)
            seen = numbers(page) + seen
        assert sum(message_size(message) for message in page.messages) <= PAGE_ROOM
        assert len(seen) <= 10
        more = page.more

    assert seen == list(range(1, 11))


def test_a_message_that_fills_a_frame_is_a_page(conversations: Conversations) -> None:
    escaped = "\x01" * 4_900
    send(conversations, "alice", "bob", escaped)
    send(conversations, "alice", "bob", escaped)

    page = history(conversations, after=0)

    assert (texts(page), page.more) == ([escaped], True)


def test_history_leaves_out_what_has_expired(conversations: Conversations, clock: ManualClock) -> None:
    for number in range(1, 6):
        send(conversations, "alice", "bob", f"number {number}")
    clock.advance(HOUR_MS)
    for number in range(6, 9):
        send(conversations, "alice", "bob", f"number {number}")
    clock.advance(RETENTION_MS - HOUR_MS)  # the first five are past their ttl, and nobody has deleted them

    assert numbers(history(conversations)) == [6, 7, 8]
    assert numbers(history(conversations, after=0)) == [6, 7, 8]
    assert numbers(history(conversations, before=6)) == []
    assert history(conversations, after=0, limit=2) == Page(history(conversations, after=5, limit=2).messages, True)


# overview and previews


def test_an_overview_is_of_one_user(conversations: Conversations) -> None:
    send(conversations, "alice", "bob", "hi")
    send(conversations, "carol", "alice", "hi")

    assert set(chats(conversations, "alice")) == {"bob", "carol"}
    assert set(chats(conversations, "carol")) == {"alice"}
    assert chats(conversations, "dave") == {}


def test_previews_are_the_last_messages(conversations: Conversations) -> None:
    send(conversations, "alice", "bob", "old")
    last = {
        "bob": send(conversations, "bob", "alice", "from bob"),
        "carol": send(conversations, "alice", "carol", "to carol"),
        "alice": send(conversations, "alice", "alice", "a note"),
    }

    assert conversations.previews("alice", chats(conversations, "alice").values()) == last


def test_previews_of_no_chats_are_none(conversations: Conversations) -> None:
    assert conversations.previews("alice", []) == {}


def test_what_has_expired_has_no_preview(conversations: Conversations, clock: ManualClock) -> None:
    send(conversations, "alice", "bob", "old")
    clock.advance(RETENTION_MS)

    assert conversations.previews("alice", chats(conversations, "alice").values()) == {}


# mark


def test_a_read_receipt_shows_on_both_sides(table: Table, conversations: Conversations, clock: ManualClock) -> None:
    acquaint(table)
    send(conversations, "alice", "bob", "one")
    send(conversations, "alice", "bob", "two")
    clock.advance(1)

    read_up_to(conversations, "bob", "alice", 2)

    reader, writer = chats(conversations, "bob")["alice"], chats(conversations, "alice")["bob"]
    assert (reader.read, reader.peer_read, reader.changed) == (2, 0, clock.now)
    assert (writer.peer_read, writer.read, writer.changed) == (2, 2, clock.now)


def test_a_delivered_receipt_shows_to_the_writer(table: Table, conversations: Conversations) -> None:
    acquaint(table)
    send(conversations, "alice", "bob", "one")

    conversations.mark("bob", Receipt(None, "alice", ReceiptKind.DELIVERED, 1))

    assert chats(conversations, "alice")["bob"].peer_delivered == 1
    assert chats(conversations, "bob")["alice"].read == 0


def test_a_receipt_never_moves_back(conversations: Conversations, clock: ManualClock) -> None:
    for text in ("one", "two", "three"):
        send(conversations, "alice", "bob", text)
    read_up_to(conversations, "bob", "alice", 3)
    before = chats(conversations, "alice"), chats(conversations, "bob")
    clock.advance(1)

    read_up_to(conversations, "bob", "alice", 2)
    read_up_to(conversations, "bob", "alice", 3)

    assert (chats(conversations, "alice"), chats(conversations, "bob")) == before


@pytest.mark.parametrize("seq", [2, 10**12, 2**53 - 1])
def test_a_receipt_for_no_message_is_refused(conversations: Conversations, seq: int) -> None:
    send(conversations, "alice", "bob", "one")

    with pytest.raises(ChatError) as refused:
        read_up_to(conversations, "bob", "alice", seq)

    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert chats(conversations, "alice")["bob"].peer_read == 0


def test_a_receipt_to_a_stranger_is_refused_and_starts_no_chat(conversations: Conversations) -> None:
    with pytest.raises(ChatError):
        read_up_to(conversations, "bob", "alice", 1)

    assert chats(conversations, "bob") == chats(conversations, "alice") == {}


def test_a_receipt_heals_the_chats_of_a_message_that_was_stored_but_not_moved(
    table: Table, conversations: Conversations
) -> None:
    acquaint(table)
    send(conversations, "alice", "bob", "one")
    conversations.append("alice", "bob", "m2", "whoever stored this died here")

    read_up_to(conversations, "bob", "alice", 2)

    reader, writer = chats(conversations, "bob")["alice"], chats(conversations, "alice")["bob"]
    assert (reader.seq, reader.read) == (2, 2)
    assert (writer.seq, writer.peer_read) == (2, 2)
