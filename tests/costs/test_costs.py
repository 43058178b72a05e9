"""What each action costs at most, in calls, round trips, write units and read units. Better is welcome, worse fails."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from chat.acquaintance import PEER_WROTE, WROTE
from chat.conversations import FIRST_READ, MOST_CHATS_READ, REPEATED_MS, SEARCHED_PAGE, TAIL_LENGTH
from chat.delivery import Pushed
from chat.parallel import Threads
from chat.protocol import MAX_DATA_BYTES, MAX_TEXT_BYTES, UserPresence
from chat.routes import SYNC_OVERLAP_MS, MessageRoutes
from chat.sessions import MAX_CONNECTIONS, OPENING_MS, Connection
from chat.table import chat_key
from chat.tail import MOST_SEARCHED
from chat.wiring import connection_routes, message_routes
from tests.costs.chat import ALICE, BOB, TEXT, Chat, in_memory, on_engine
from tests.costs.meter import WRITE_UNIT, Cost, item_size, read_units, write_units
from tests.fakes.clock import HOUR_MS, RETENTION_MS
from tests.fakes.engines import Engine
from tests.fakes.instances import instance
from tests.fakes.memory import MemoryAnnouncer, MemoryBus, MemoryGateway
from tests.fakes.sdk import Recorder
from tests.hang import HANG_SECONDS

BEHIND_THE_TAIL = ["UpdateItem", "UpdateItem", "BatchGetItem"]
SEND = ["Query", "BatchGetItem", "PutItem", *BEHIND_THE_TAIL]
"""The tail, and beside it who listens; the message; both chats; and once more who listens, with the sender's own."""

TAIL, LONG_TAIL, EARLY, LISTENERS = 0.5, 1, 1, 2
"""Read units: of a tail, of one whose messages have 1 KiB each, of the first look at who listens and of the second."""


@pytest.fixture
def chat(dynamodb: Engine, table_name: str) -> Chat:
    return on_engine(dynamodb, table_name)


def counted(chat: Chat, *, new_chats: int) -> MessageRoutes:
    """An instance's routes, as they are deployed: they count conversations."""
    return message_routes(
        chat.table,
        chat.gateway,
        clock=chat.clock,
        parallel=Threads(),
        retention_ms=RETENTION_MS,
        epoch="1",
        new_chats=new_chats,
    )


def holds(cost: Cost, *, calls: list[str], written: int, read: float) -> None:
    print(f"{len(cost.calls)} calls, {cost.written} written, {cost.read:g} read")
    assert Counter(cost.calls) == Counter(calls)  # those that go side by side, go in any order
    assert cost.written <= written
    assert cost.read <= read


def send(text: str = TEXT, to: str = BOB, *, retry: bool | None = None) -> dict[str, Any]:
    return {"action": "send", "to": to, "id": str(uuid.uuid4()), "text": text, "retry": retry}


def longest_text_for_a_unit(chat: Chat) -> str:
    """So long that a message is 1 KiB to the byte."""
    return "x" * (WRITE_UNIT - item_size(chat.message(BOB, 1, "")))


@pytest.mark.parametrize(
    ("size", "written", "read"), [(0, 1, 1), (1_024, 1, 1), (1_025, 2, 1), (4_096, 4, 1), (4_097, 5, 2)]
)
def test_units_are_counted_as_dynamodb_does(size: int, written: int, read: int) -> None:
    assert write_units(size) == written
    assert read_units(size, consistent=True) == read
    assert read_units(size, consistent=False) == read / 2


def test_item_sizes_are_counted_as_dynamodb_does() -> None:
    assert item_size({"pk": "USER#é", "n": 12, "odd": 123}) == (2 + 7) + (1 + 2) + (3 + 3)


def test_the_engine_counts_the_same_units(chat: Chat) -> None:
    def ask(params: dict[str, Any], **_: object) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    chat.client.meta.events.register("provide-client-params.dynamodb", ask)
    calls = Recorder(chat.client).calls
    chat.fill(20, longest_text_for_a_unit(chat))
    for frame in (send(), send("x" * 5_000), {"action": "history", "peer": BOB}, {"action": "sync"}):
        calls.clear()
        cost = chat.cost(chat.warm, chat.alice, **frame)
        answers = [call.response["ConsumedCapacity"] for call in calls]
        units = sum(
            one["CapacityUnits"] for one in itertools.chain(*(a if isinstance(a, list) else [a] for a in answers))
        )
        assert units == cost.written + cost.read


def test_a_send(chat: Chat) -> None:
    chat.fill(20)
    holds(chat.cost(chat.warm, chat.alice, **send()), calls=SEND, written=3, read=TAIL + EARLY + LISTENERS)


def test_a_send_that_nobody_takes_puts_one_event_and_costs_the_table_nothing(chat: Chat) -> None:
    bus = MemoryBus()
    told = instance(chat.table, chat.gateway, clock=chat.clock, parallel=Threads(), bus=bus)
    chat.fill(20, peer="carol")
    holds(chat.cost(told, chat.alice, **send(to="carol")), calls=SEND, written=3, read=TAIL + EARLY + LISTENERS)
    assert len(bus.messages) == 1
    chat.fill(20)
    chat.cost(told, chat.alice, **send())
    assert len(bus.messages) == 1, "bob's devices have it"


def test_a_send_behind_long_messages(chat: Chat) -> None:
    chat.fill(20, longest_text_for_a_unit(chat))
    cost = chat.cost(chat.warm, chat.alice, **send(longest_text_for_a_unit(chat)))
    holds(cost, calls=SEND, written=3, read=LONG_TAIL + EARLY + LISTENERS)


def test_data_costs_its_bytes_and_nothing_else(chat: Chat) -> None:
    chat.fill(20)
    card = {"data": {"a": "x" * (MAX_DATA_BYTES - len('{"a":""}'))}}
    cost = chat.cost(chat.warm, chat.alice, **send("x" * 200), **card)
    # The message has 2.3 KiB: three units, and one for each of the two chats.
    holds(cost, calls=SEND, written=5, read=TAIL + EARLY + LISTENERS)


def test_a_history_of_data_ends_where_the_frame_is_full(chat: Chat) -> None:
    chat.fill(100)
    card = '{"a":"' + "x" * (MAX_DATA_BYTES - len('{"a":""}')) + '"}'
    chat.store({**chat.message(BOB, seq, ""), "data": card} for seq in range(1, 101))
    cost = chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=100)
    # Thirteen fit into the frame. How long they are is known once the first page is paid for.
    holds(cost, calls=["Query", "BatchGetItem"], written=0, read=14)


def test_a_send_that_is_overtaken_costs_a_refused_put_and_a_read_more(chat: Chat) -> None:
    chat.fill(20)
    overtaken = False

    def overtake(**_: object) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            chat.store([chat.message(BOB, 21, TEXT)])

    chat.client.meta.events.register("before-call.dynamodb.PutItem", overtake)
    cost = chat.cost(chat.warm, chat.alice, **send())
    holds(cost, calls=["PutItem", "Query", *SEND], written=4, read=TAIL + EARLY + LISTENERS + 2 * TAIL)


def test_a_first_message_looks_for_what_has_expired(chat: Chat) -> None:
    cost = chat.cost(chat.warm, chat.alice, **send())
    holds(cost, calls=["BatchGetItem", "Query", *SEND], written=3, read=TAIL + 2 + 2 * TAIL + EARLY + LISTENERS)


def test_counting_a_new_conversation_costs_an_update(chat: Chat) -> None:
    counting = replace(chat.warm, messages=counted(chat, new_chats=2))
    first, read = ["BatchGetItem", "Query", "UpdateItem", *SEND], TAIL + 2 + 2 * TAIL + EARLY + LISTENERS
    holds(chat.cost(counting, chat.alice, **send()), calls=first, written=4, read=read)
    # The second one in the hour finds that the hour has begun.
    again = [*first, "UpdateItem"]
    holds(chat.cost(counting, chat.alice, **send(to="carol")), calls=again, written=5, read=read)
    assert len(chat.cost(counting, chat.alice, **send()).calls) == len(SEND)


def test_a_duplicate_send_reads_the_tail_once_more(chat: Chat) -> None:
    """Consistently. Both moves are refused, for the chats are there already; they cost what they would cost if made."""
    chat.fill(20, longest_text_for_a_unit(chat))
    frame = send()
    chat.warm.serve(chat.alice, **frame)
    calls = ["Query", "Query", "BatchGetItem", *BEHIND_THE_TAIL]
    read = 3 * LONG_TAIL + EARLY + LISTENERS
    holds(chat.cost(chat.warm, chat.alice, **frame), calls=calls, written=2, read=read)


def test_a_retry_in_a_calm_conversation_costs_what_a_first_try_does(chat: Chat) -> None:
    chat.fill(20, longest_text_for_a_unit(chat))
    cost = chat.cost(chat.warm, chat.alice, **send(retry=True))
    holds(cost, calls=SEND, written=3, read=LONG_TAIL + EARLY + LISTENERS)


@pytest.mark.parametrize(("young", "pages"), [(TAIL_LENGTH, 2), (100, 2), (250, 4), (MOST_SEARCHED + 500, 11)])
def test_a_retry_reads_what_was_stored_while_it_may_have_been(chat: Chat, young: int, pages: int) -> None:
    chat.fill(200, age_ms=REPEATED_MS + 1)
    chat.fill(young, age_ms=REPEATED_MS, behind=200)
    cost = chat.cost(chat.warm, chat.alice, **send(retry=True))
    unit = read_units(SEARCHED_PAGE * item_size(chat.message(BOB, 1, TEXT)), consistent=False)
    read = TAIL + (pages - 1) * unit + EARLY + LISTENERS
    holds(cost, calls=["Query"] * (pages - 1) + SEND, written=3, read=read)


def test_a_first_try_looks_among_eight_however_much_was_stored_just_before(chat: Chat) -> None:
    chat.fill(20, age_ms=1)
    cost = chat.cost(chat.warm, chat.alice, **send())
    holds(cost, calls=SEND, written=3, read=TAIL + EARLY + LISTENERS)


def meet(client: Any, operation: str, calls: int) -> Barrier:
    """No call of the operation goes out before this many are about to."""
    barrier = Barrier(calls)

    def wait(**_: object) -> None:
        barrier.wait(HANG_SECONDS)

    client.meta.events.register(f"before-send.dynamodb.{operation}", wait)
    return barrier


def test_a_send_moves_both_chats_in_one_round_trip(chat: Chat) -> None:
    """So six calls are four round trips."""
    chat.fill(20)
    met = meet(chat.client, "UpdateItem", 2)
    assert Counter(chat.cost(chat.warm, chat.alice, **send()).calls) == Counter(SEND)
    assert not met.broken


def test_a_send_looks_who_listens_beside_the_tail_and_pushes_beside_the_moves(chat: Chat) -> None:
    """So a device has the message after two round trips."""
    chat.fill(20)
    looked, moved = Barrier(2), Barrier(4)
    waiting = {"Query": looked, "BatchGetItem": looked}

    def wait(model: Any, **_: object) -> None:
        if barrier := waiting.pop(model.name, None):
            barrier.wait(HANG_SECONDS)
        elif model.name == "UpdateItem":
            moved.wait(HANG_SECONDS)

    class Waiting(MemoryGateway):
        def push(self, connection_id: str, data: bytes) -> Pushed:
            if connection_id != chat.other_of_alice.id:
                moved.wait(HANG_SECONDS)
            return super().push(connection_id, data)

    chat.client.meta.events.register("before-call.dynamodb", wait)
    chat.gateway = Waiting()
    assert chat.new().serve(chat.alice, **send())["delivered"] == 2
    assert not looked.broken
    assert not moved.broken


def test_a_sync_of_fifty_chats_with_previews(chat: Chat) -> None:
    for number in range(50):
        chat.fill(1, peer=f"{uuid.UUID(int=100 + number)}")
    cost = chat.cost(chat.warm, chat.alice, action="sync", limit=50)
    holds(cost, calls=["Query", "BatchGetItem"], written=0, read=30)


def test_a_heartbeat_with_nothing_new(chat: Chat) -> None:
    for number in range(50):
        chat.fill(1, peer=f"{uuid.UUID(int=100 + number)}")
    chat.clock.advance(SYNC_OVERLAP_MS)
    cost = chat.cost(chat.warm, chat.alice, action="sync", since=chat.clock())
    holds(cost, calls=["Query"], written=0, read=4)


def test_a_sync_that_has_to_put_its_connection_back(chat: Chat) -> None:
    chat.fill(1)
    chat.warm.connections.disconnect(chat.alice)
    cost = chat.cost(chat.warm, chat.alice, action="sync")
    holds(cost, calls=["Query", "UpdateItem", "Query", "BatchGetItem"], written=1, read=3)


BOUNDS = pytest.mark.parametrize("bound", [{}, {"after": 20}, {"before": 90}], ids=["latest", "after", "before"])


@BOUNDS
@pytest.mark.parametrize(("limit", "queries", "read"), [(20, 1, 3), (50, 2, 6), (100, 3, 12)])
def test_a_history(chat: Chat, bound: dict[str, int], limit: int, queries: int, read: int) -> None:
    chat.fill(100)
    cost = chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=limit, **bound)
    # The chat item says what is hidden. It can only be read behind the log.
    made = len(cost.calls) - 1
    assert made <= queries
    holds(cost, calls=[*["Query"] * made, "BatchGetItem"], written=0, read=read + 1)


@BOUNDS
def test_a_history_of_the_longest_messages_ends_where_the_frame_is_full(chat: Chat, bound: dict[str, int]) -> None:
    chat.fill(100, "x" * MAX_TEXT_BYTES)
    cost = chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=100, **bound)
    # Three fit into the frame. How long they are is known once the first page is paid for.
    holds(cost, calls=["Query", "BatchGetItem"], written=0, read=45)


@BOUNDS
@pytest.mark.parametrize("length", [200, 500, 1_000, 1_400])
def test_a_history_of_messages_of_one_length_reads_what_it_sends(
    chat: Chat, bound: dict[str, int], length: int
) -> None:
    chat.fill(200, "x" * length)
    chat.meter.reset()
    bound = {"before": 190} if "before" in bound else bound
    sent = len(chat.warm.serve(chat.alice, action="history", peer=BOB, limit=100, **bound)["messages"])
    least = read_units(sent * item_size(chat.message(BOB, 1, "x" * length)), consistent=True)
    # Each query rounds up, and has one message beyond the page or two; the chat item says what is hidden.
    assert chat.meter.cost.read <= least + len(chat.meter.cost.calls) + 1


def test_a_history_reads_no_more_than_three_times_what_it_shows(chat: Chat) -> None:
    """Short messages, behind which long ones wait: the most that a page can cost beyond its first query."""
    chat.fill(FIRST_READ, "x")
    chat.fill(100, "x" * MAX_TEXT_BYTES, behind=FIRST_READ)
    cost = chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=100, after=0)
    longest = read_units(2 * FIRST_READ * item_size(chat.message(BOB, 1, "x" * MAX_TEXT_BYTES)), consistent=True)
    holds(cost, calls=["Query", "Query", "BatchGetItem"], written=0, read=3 + longest)


def test_a_read_receipt(chat: Chat) -> None:
    chat.fill(20)
    chat.new().serve(chat.bob, **send(to=ALICE))
    met = meet(chat.client, "UpdateItem", 2)
    cost = chat.cost(chat.warm, chat.alice, action="receipt", peer=BOB, kind="read", seq=21)
    # The updates go side by side: two round trips.
    holds(cost, calls=["UpdateItem", "UpdateItem", "BatchGetItem"], written=2, read=2)
    assert not met.broken


def test_a_delivered_receipt(chat: Chat) -> None:
    chat.fill(20)
    cost = chat.cost(chat.warm, chat.alice, action="receipt", peer=BOB, kind="delivered", seq=20)
    holds(cost, calls=["UpdateItem", "BatchGetItem"], written=1, read=2)


@pytest.mark.parametrize(("kind", "updates"), [("read", 2), ("delivered", 1)])
def test_a_receipt_that_moves_nothing_tells_nobody(chat: Chat, kind: str, updates: int) -> None:
    chat.fill(20)
    frame = {"action": "receipt", "peer": BOB, "kind": kind, "seq": 20}
    chat.warm.serve(chat.alice, **frame)
    chat.gateway.pushed.clear()
    holds(chat.cost(chat.warm, chat.alice, **frame), calls=["UpdateItem"] * updates, written=updates, read=0)
    assert not chat.gateway.pushed


def test_typing(chat: Chat) -> None:
    chat.fill(1)
    cost = chat.cost(chat.warm, chat.alice, action="typing", to=BOB, state="composing")
    holds(cost, calls=["BatchGetItem"], written=0, read=2)


def test_typing_to_a_stranger(chat: Chat) -> None:
    cost = chat.cost(chat.warm, chat.alice, action="typing", to=BOB, state="composing")
    holds(cost, calls=["BatchGetItem"], written=0, read=2)
    assert not chat.gateway.pushed


def test_presence_of_a_hundred_users(chat: Chat) -> None:
    users = [BOB, *(f"{uuid.UUID(int=100 + number)}" for number in range(99))]
    for user in users:
        chat.fill(1, peer=user)
    cost = chat.cost(chat.warm, chat.alice, action="presence", users=users)
    holds(cost, calls=["BatchGetItem", "BatchGetItem"], written=0, read=200)


def test_presence_of_a_hundred_strangers(chat: Chat) -> None:
    users = [BOB, *(f"{uuid.UUID(int=100 + number)}" for number in range(99))]
    cost = chat.cost(chat.warm, chat.alice, action="presence", users=users)
    holds(cost, calls=["BatchGetItem"], written=0, read=100)


def test_the_first_answer_costs_two_reads_more(chat: Chat) -> None:
    """It tells both sides that the other is there; once in a conversation."""
    chat.warm.serve(chat.alice, **send())
    cost = chat.cost(chat.warm, chat.bob, **send(to=ALICE))
    calls = [*SEND, "BatchGetItem", "BatchGetItem"]
    holds(cost, calls=calls, written=3, read=TAIL + EARLY + LISTENERS + 4)
    assert Counter(chat.cost(chat.warm, chat.alice, **send()).calls) == Counter(SEND)


def test_a_send_to_a_user_who_has_blocked_the_sender_costs_no_more(chat: Chat) -> None:
    chat.fill(20, longest_text_for_a_unit(chat))
    chat.warm.serve(chat.bob, action="block", user=ALICE)
    chat.warm.serve(chat.alice, **send())
    chat.gateway.pushed.clear()
    cost = chat.cost(chat.warm, chat.alice, **send(longest_text_for_a_unit(chat)))
    holds(cost, calls=SEND, written=3, read=LONG_TAIL + EARLY + LISTENERS)
    assert len(chat.gateway.pushed) == 1  # alice's other device


def test_a_block_and_an_unblock(chat: Chat) -> None:
    chat.fill(20)
    cost = chat.cost(chat.warm, chat.alice, action="block", user=BOB)
    holds(cost, calls=["BatchGetItem", *["UpdateItem"] * 5, *["BatchGetItem"] * 2], written=5, read=3)
    cost = chat.cost(chat.warm, chat.alice, action="unblock", user=BOB)
    update, get = "UpdateItem", "BatchGetItem"
    holds(cost, calls=[get, "Query", update, "Query", update, update, get, get, get], written=3, read=10)


def test_an_unsend(chat: Chat) -> None:
    """A send, and before it a read and a write of the message; the tail is cold, as after a while."""
    chat.fill(20, longest_text_for_a_unit(chat))
    chat.warm.serve(chat.alice, **send())
    cost = chat.cost(chat.new(), chat.alice, action="unsend", peer=BOB, seq=21)
    update = "UpdateItem"
    calls = ["BatchGetItem", update, "Query", "PutItem", update, update, "BatchGetItem"]
    holds(cost, calls=calls, written=4, read=8)


def test_history_skips_what_is_hidden(chat: Chat) -> None:
    chat.fill(20)
    chat.warm.serve(chat.alice, action="block", user=BOB)
    chat.store(chat.message(BOB, seq, TEXT) for seq in range(21, 1_021))
    for bound in ({}, {"after": 5}):
        cost = chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=50, **bound)
        assert cost.read <= 20


def with_chats(count: int) -> Chat:
    """Alice has this many chats, in which both have written."""
    chat = in_memory()
    chat.clock.advance(HOUR_MS)
    ids = [f"{uuid.UUID(int=1_000 + 7_919 * number % count)}" for number in range(count)]  # not in the order of time
    for number, peer in enumerate(ids):
        numbers = {"seq": 42, "ts": chat.clock() - number, "changed": chat.clock() - HOUR_MS, "read": 42}
        written = {"peer_read": 42, "peer_delivered": 42, WROTE: 42, PEER_WROTE: 41}
        chat.store([{**chat_key(ALICE, peer)._asdict(), **numbers, **written}])
    return chat


def all_pages(chat: Chat, since: int | None = None) -> tuple[list[str], list[float]]:
    """The peers that a sync lists over all of its pages, and the read units of each page."""
    found, read, next = list[str](), list[float](), dict[str, str]()
    while not read or next:
        chat.meter.reset()
        reply = chat.warm.serve(chat.alice, action="sync", since=since, **next)
        assert len(chat.meter.cost.calls) <= 2
        read.append(chat.meter.cost.read)
        found += [one["peer"] for one in reply["chats"]]
        next = {"next": reply["next"]} if "next" in reply else {}
    return found, read


@pytest.mark.parametrize(
    ("chats", "pages", "read"),
    [(50, 1, 28), (300, 4, 57), (1_000, 11, 128), (MOST_CHATS_READ, 21, 231), (5_000, 51, 410)],
)
def test_a_fresh_client_reads_its_chat_list_about_twice_however_long_it_is(chats: int, pages: int, read: int) -> None:
    chat = with_chats(chats)
    found, cost = all_pages(chat)
    print(f"{len(cost)} pages, {sum(cost):g} read")
    assert len(set(found)) == chats
    assert len(found) <= chats + 50  # those of the first page may be on another, too
    assert len(cost) <= pages
    assert sum(cost) <= read
    assert all(one <= 6 for one in cost[1:])


@pytest.mark.parametrize("chats", [MOST_CHATS_READ - 1, MOST_CHATS_READ, 44_000])
def test_a_frame_reads_no_more_of_a_longer_chat_list(chats: int) -> None:
    """Strangers can make a user's list as long as they like."""
    chat = in_memory()
    now = chat.clock()
    numbers = {"seq": 1, "ts": now, "changed": now, PEER_WROTE: 1}
    peers = [f"{uuid.UUID(int=1_000 + number)}" for number in range(chats)]
    chat.store({**chat_key(ALICE, peer)._asdict(), **numbers} for peer in peers)
    units = MOST_CHATS_READ / 25  # 160 bytes each

    frames, next = 0, dict[str, str]()
    while frames == 0 or next:
        chat.meter.reset()
        reply = chat.warm.serve(chat.alice, action="sync", since=now + HOUR_MS, **next)
        assert chat.meter.cost.read <= units + 1
        assert len(chat.meter.cost.calls) <= 2
        next = {"next": reply["next"]} if "next" in reply else {}
        frames += 1
    assert frames <= chats / MOST_CHATS_READ + 1

    chat.meter.reset()
    chat.warm.messages.announce(UserPresence(ALICE, True, now, 1))
    assert chat.meter.cost.read <= units


def test_ping(chat: Chat) -> None:
    holds(chat.cost(chat.warm, chat.alice, action="ping"), calls=[], written=0, read=0)


def test_connect_and_disconnect(chat: Chat) -> None:
    for _ in range(MAX_CONNECTIONS - 3):
        chat.connect(ALICE)
    chat.meter.reset()
    connection = chat.connect(ALICE)
    holds(chat.meter.cost, calls=["UpdateItem"], written=1, read=0)
    chat.meter.reset()
    chat.warm.connections.disconnect(connection)
    holds(chat.meter.cost, calls=["UpdateItem"], written=1, read=0)


def test_a_grace_costs_neither_a_call_nor_a_unit_more_and_a_return_one_read(chat: Chat) -> None:
    """For a user with as many devices as it may have, whose sessions item is the largest."""
    grace_ms, announcer = 60_000, MemoryAnnouncer()
    connections = connection_routes(
        chat.table, chat.gateway, announcer, clock=chat.clock, retention_ms=RETENTION_MS, grace_ms=grace_ms
    )
    devices = [chat.alice, chat.other_of_alice, *(chat.connect(ALICE) for _ in range(MAX_CONNECTIONS - 2))]
    chat.clock.advance(1_000)
    for device in devices:
        chat.meter.reset()
        connections.disconnect(device)
        holds(chat.meter.cost, calls=["UpdateItem"], written=1, read=0)
    (departure,) = announcer.later
    chat.clock.advance(1_000)
    chat.meter.reset()
    connections.connect(Connection(ALICE, "back=", chat.clock()))
    holds(chat.meter.cost, calls=["UpdateItem"], written=1, read=0)
    assert announcer.announced == []

    chat.meter.reset()
    assert chat.warm.messages.announce_departure(departure) is None
    holds(chat.meter.cost, calls=["BatchGetItem"], written=0, read=1)


def test_a_device_beyond_the_cap_costs_a_second_update(chat: Chat) -> None:
    for _ in range(MAX_CONNECTIONS - 2):
        chat.connect(ALICE)
    chat.meter.reset()
    chat.connect(ALICE)
    holds(chat.meter.cost, calls=["UpdateItem", "UpdateItem"], written=2, read=0)


def test_a_send_is_pushed_once_to_each_other_connection(chat: Chat) -> None:
    chat.connect(BOB)
    chat.warm.serve(chat.alice, **send())
    pushed = [connection for connection, _ in chat.gateway.pushed]
    assert len(pushed) == len(set(pushed)) == 4
    assert chat.alice.id not in pushed


def test_a_send_to_oneself_is_pushed_once_and_moves_one_chat(chat: Chat) -> None:
    cost = chat.cost(chat.warm, chat.alice, **send(to=ALICE))
    assert cost.written == 2
    assert len(chat.gateway.pushed) == 1


def test_a_connection_that_is_gone_costs_one_update(chat: Chat) -> None:
    chat.fill(20)
    chat.gateway.answers[chat.bob.id] = Pushed.GONE
    chat.clock.advance(OPENING_MS + 1)
    cost = chat.cost(chat.warm, chat.alice, **send())
    holds(cost, calls=[*SEND, "UpdateItem"], written=4, read=4)


def costs_behind(chat: Chat, messages: int) -> dict[str, tuple[list[str], int, float]]:
    chat.fill(messages)
    costs = {
        "send": chat.cost(chat.warm, chat.alice, **send()),
        "send again": chat.cost(chat.warm, chat.alice, **send()),
        "retry": chat.cost(chat.new(), chat.alice, **send(retry=True)),
        "sync": chat.cost(chat.warm, chat.alice, action="sync"),
        "latest": chat.cost(chat.warm, chat.alice, action="history", peer=BOB, limit=5),
        "after": chat.cost(chat.warm, chat.alice, action="history", peer=BOB, after=messages - 5, limit=5),
        "before": chat.cost(chat.warm, chat.alice, action="history", peer=BOB, before=7, limit=5),
        "receipt": chat.cost(chat.warm, chat.alice, action="receipt", peer=BOB, kind="read", seq=messages),
    }
    return {action: (sorted(cost.calls), cost.written, cost.read) for action, cost in costs.items()}


@pytest.mark.parametrize("messages", [1_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_no_cost_grows_with_what_is_stored(dynamodb: Engine, messages: int) -> None:
    few, many = (on_engine(dynamodb, dynamodb.create_table()) for _ in range(2))
    assert costs_behind(many, messages) == costs_behind(few, 10)


def test_nor_with_a_hundred_thousand_messages_in_memory() -> None:
    """The same routes over a table in memory; an engine takes too long to be filled like that."""
    assert costs_behind(in_memory(), 100_000) == costs_behind(in_memory(), 10)


def test_memory_meters_as_the_engine_is_metered(chat: Chat) -> None:
    assert costs_behind(in_memory(), 10) == costs_behind(chat, 10)
