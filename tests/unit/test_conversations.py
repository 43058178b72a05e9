"""What the message log does when somebody else is faster, or the table fails.

What it stores is in the contract tests.
"""

from __future__ import annotations

import pytest

from chat.chats import chat_of
from chat.conversations import APPEND_ATTEMPTS, OLD_LOG_MS, TAIL_LENGTH, Conversations
from chat.protocol import ChatError, ErrorCode, History
from chat.table import Item, Query, message_key
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import MemoryTable, serially
from tests.unit.system import System, fails_at


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the append slept between its tries, without sleeping it."""
    waits: list[float] = []
    monkeypatch.setattr("chat.conversations.time.sleep", waits.append)
    return waits


def other(system: System) -> Conversations:
    """Another warm function over the same table."""
    return Conversations(system.table, retention_ms=RETENTION_MS, clock=system.clock, parallel=serially)


def texts(system: System) -> list[str]:
    page = system.conversations.history("alice", History(None, "bob", None, None, 100))
    return [message.text for message in page.messages]


def lose_every_race(system: System, races: int) -> None:
    """Bob's message is stored just before each of the next inserts."""
    faster, writing = other(system), False
    left = races

    def write(operation: str) -> None:
        nonlocal writing, left
        if operation == "insert" and not writing and left:
            writing = True
            left -= 1
            faster.append("bob", "alice", None, "faster")
            writing = False

    system.before = write


def test_an_append_that_loses_tries_again_behind_the_winner(system: System, waits: list[float]) -> None:
    lose_every_race(system, 3)

    assert system.conversations.append("alice", "bob", "m1", "hi").message.seq == 4

    assert texts(system) == ["faster"] * 3 + ["hi"]
    assert len(waits) == 3


def test_an_append_that_always_loses_gives_up(system: System, waits: list[float]) -> None:
    lose_every_race(system, 1_000)

    with pytest.raises(ChatError) as refused:
        system.conversations.append("alice", "bob", "m1", "hi")

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS
    assert texts(system) == ["faster"] * APPEND_ATTEMPTS
    assert sum(waits) < 5  # well within the function's 10 seconds


def test_an_append_that_gave_up_can_be_sent_again(system: System) -> None:
    lose_every_race(system, APPEND_ATTEMPTS)
    with pytest.raises(ChatError):
        system.conversations.append("alice", "bob", "m1", "hi")

    assert system.conversations.append("alice", "bob", "m1", "hi").message.seq == APPEND_ATTEMPTS + 1


@pytest.mark.parametrize("id", ["m1", None])
def test_an_insert_that_the_sdk_made_twice_is_recognised_as_ours(
    system: System, monkeypatch: pytest.MonkeyPatch, id: str | None
) -> None:
    """The first reply was lost; the SDK tried again and was told that the number is taken."""
    insert = system.table.insert
    monkeypatch.setattr(system.table, "insert", lambda item: insert(item) and insert(item))

    assert system.conversations.append("alice", "bob", id, "hi").message.seq == 1

    assert texts(system) == ["hi"]


class Stale(MemoryTable):
    """Answers what need not be consistent from what it was, where that was kept."""

    was: MemoryTable | None = None

    def query(self, query: Query) -> list[Item]:
        return super().query(query) if query.consistent or self.was is None else self.was.query(query)


@pytest.fixture
def stale(system: System) -> tuple[Stale, Conversations]:
    """A table that is read as it was, and a function on it."""
    table = Stale()
    return table, Conversations(table, retention_ms=RETENTION_MS, clock=system.clock, parallel=serially)


def keep(table: Stale, *, without: int | None = None) -> None:
    """From now on, what need not be consistent is read as the table is now."""
    was = MemoryTable()
    was.items = {key: item for key, item in table.items.items() if key != message_key("alice", "bob", without or 0)}
    table.was = was


@pytest.mark.parametrize("appended_since", [0, 1, TAIL_LENGTH, 3 * TAIL_LENGTH])
def test_a_tail_that_is_read_stale_does_no_harm(stale: tuple[Stale, Conversations], appended_since: int) -> None:
    table, conversations = stale
    conversations.append("alice", "bob", None, "known")
    keep(table)
    stored = conversations.append("alice", "bob", "m1", "hi").message
    for _ in range(appended_since):
        conversations.append("bob", "alice", None, "since")

    assert conversations.append("alice", "bob", "m1", "hi") == (stored, True)
    assert conversations.append("alice", "bob", None, "next").message.seq == appended_since + 3


def test_a_tail_that_lacks_a_message_between_others_is_read_again(stale: tuple[Stale, Conversations]) -> None:
    """Two parts of a partition may lag differently."""
    table, conversations = stale
    for id in ("m1", "m2", "m3"):
        conversations.append("alice", "bob", id, "hi")
    keep(table, without=2)

    assert conversations.append("alice", "bob", "m2", "hi").duplicate


def test_a_duplicate_is_found_in_a_consistent_read(stale: tuple[Stale, Conversations]) -> None:
    """What has become of the message since it was stored, a stale read may not say."""
    table, conversations = stale
    conversations.append("alice", "bob", "m1", "as it was")
    keep(table)
    key = message_key("alice", "bob", 1)
    table.items[key] = {**table.items[key], "text": "as it is"}

    assert conversations.append("alice", "bob", "m1", "as it is").duplicate


def test_an_append_that_failed_is_read_anew(system: System) -> None:
    """Its reply may be what was lost."""
    system.conversations.append("alice", "bob", None, "one")
    system.after = fails_at(1, ConnectionError())
    with pytest.raises(ConnectionError):
        system.conversations.append("alice", "bob", "m2", "two")

    assert system.conversations.append("alice", "bob", "m2", "two").duplicate

    assert texts(system) == ["one", "two"]


@pytest.mark.parametrize("appended_since", [0, 1, TAIL_LENGTH, 3 * TAIL_LENGTH])
def test_a_retry_is_recognised_however_many_were_appended_since(system: System, appended_since: int) -> None:
    faster = other(system)
    system.conversations.append("alice", "bob", None, "known")
    stored = faster.append("alice", "bob", "m1", "hi").message
    for _ in range(appended_since):
        faster.append("bob", "alice", None, "since")

    again = system.conversations.append("alice", "bob", "m1", "hi")

    assert (again.duplicate, again.message) == (True, stored)


# old conversations


def expire(system: System, *seqs: int) -> None:
    """Deletes messages, as TTL does: late, and in no order."""
    for seq in seqs:
        del system.table.items[message_key("alice", "bob", seq)]


def converse(system: System, count: int) -> None:
    for number in range(count):
        system.conversations.advance(system.conversations.append("alice", "bob", None, f"number {number}").message)


@pytest.mark.parametrize("gone", [(3,), (2, 3), (1, 2, 3), (1, 3)], ids=str)
@pytest.mark.parametrize("early_ms", [0, OLD_LOG_MS])
def test_a_number_is_never_given_out_twice_though_the_newest_messages_are_deleted(
    system: System, clock: ManualClock, gone: tuple[int, ...], early_ms: int
) -> None:
    converse(system, 3)
    clock.advance(RETENTION_MS - early_ms)
    expire(system, *gone)

    assert system.conversations.append("bob", "alice", None, "again").message.seq == 4


def test_a_log_that_may_have_been_deleted_from_is_read_after_the_chats(system: System) -> None:
    """The other way round, a message that is stored and moved between the two reads would be stored twice."""
    faster = other(system)

    def write_between(_: str) -> None:
        if system.steps[-2:] == ["get", "query"]:
            system.before = lambda _: None
            faster.advance(faster.append("alice", "bob", "m1", "hi").message)

    system.before = write_between

    assert system.conversations.append("alice", "bob", "m1", "hi").duplicate

    assert texts(system) == ["hi"]


def test_a_tail_that_is_old_is_read_again(system: System, clock: ManualClock) -> None:
    system.conversations.append("alice", "bob", "m1", "hi")
    clock.advance(RETENTION_MS - OLD_LOG_MS)
    system.steps.clear()

    system.conversations.append("alice", "bob", "m2", "hi again")

    assert system.steps == ["query", "get", "query", "insert"]


# chat items


@pytest.mark.parametrize(
    "item",
    [
        {"pk": "USER#alice", "sk": "SESSIONS", "rev": 1},
        {"pk": "USER#alice", "sk": "CHAT#bob"},
        {"pk": "USER#alice", "sk": "CHAT#bob", "read": 1},
        {"pk": "USER#alice", "sk": "CHAT#bob", "seq": 0},
        {"pk": "USER#alice", "sk": "CHAT#bob", "seq": "1"},
        {"pk": "USER#alice", "sk": "CHAT#bob", "seq": -1},
        {"pk": "USER#alice", "sk": "CHAT#bob", "seq": 10**12},
        {"pk": "USER#alice", "sk": "CHAT#", "seq": 1},
        {"pk": "USER#alice", "sk": "CHAT#bob builder", "seq": 1},
        {"pk": "USER#alice", "sk": "bob", "seq": 1},
        {"pk": "USER#alice", "sk": "XCHAT#bob", "seq": 1},
    ],
)
def test_an_item_that_is_not_a_chat_with_a_message_is_skipped(item: dict[str, str | int]) -> None:
    assert chat_of(item, RETENTION_MS) is None
