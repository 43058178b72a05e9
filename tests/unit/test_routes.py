"""What the chat does with each frame: who is told what, in which order, and what is left after a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.conversations import REPEATED_MS, TAIL_LENGTH, Advanced
from chat.delivery import Pushed
from chat.erasing import Erasing
from chat.protocol import (
    MAX_CHAT_BYTES,
    MAX_FRAME_BYTES,
    MAX_INTEGER,
    STAY_AWAY_MS,
    Block,
    Chat,
    ChatError,
    Cursor,
    ErrorCode,
    Frame,
    History,
    Message,
    Ping,
    Presence,
    Receipt,
    ReceiptKind,
    Send,
    Sync,
    Typing,
    TypingState,
    Unsend,
    UserPresence,
    chat_fields,
    encode,
    encoded_size,
    message_frame,
    presence_frame,
)
from chat.routes import SYNC_OVERLAP_MS
from chat.sessions import MAX_CONNECTION_MS, MAX_CONNECTIONS, OPENING_MS, Connection
from chat.table import Update, chat_key, sessions_key
from tests.fakes.clock import HOUR_MS, MINUTE_MS, START, ManualClock, expiry
from tests.fakes.memory import serially
from tests.unit.system import System, fails_at, on_the_wire

HI = Send("m1", "bob", "hi")
LATEST = History(None, "bob", None, None, 50)


def ack(seq: int, ts: int, *, id: str = "m1", to: str = "bob", duplicate: bool = False, delivered: int = 0) -> Frame:
    stored: Frame = {"to": to, "seq": seq, "ts": ts, "expires": expiry(ts)}
    return {"type": "ack", "id": id, **stored, "duplicate": duplicate, "delivered": delivered}


def sync(
    since: int | None = None, limit: int = 50, next: Cursor | None = None, presence: tuple[str, ...] | int = ()
) -> Sync:
    return Sync("s", since, limit, next, presence)


def chats(reply: Frame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(encode(reply))["chats"]
    return found


def peers(reply: Frame) -> list[str]:
    return [chat["peer"] for chat in chats(reply)]


def live(system: System, user: str) -> set[str]:
    return {connection.id for connection in system.sessions.of([user])[user]}


# send


def test_a_message_to_somebody_offline_is_stored_and_found_by_sync(system: System, clock: ManualClock) -> None:
    alice = system.connect("alice")

    assert system.serve(alice, HI) == ack(1, clock.now)

    bob = system.connect("bob")
    assert chats(system.serve(bob, sync())) == [
        {
            "peer": "alice",
            "seq": 1,
            "ts": clock.now,
            "read": 0,
            "peer_read": 0,
            "peer_delivered": 0,
            "wrote": 0,
            "peer_wrote": 1,
            "expires": expiry(clock.now),
            "last": {"from": "alice", "text": "hi"},
        }
    ]


def test_a_message_reaches_every_device_of_the_recipient(system: System, clock: ManualClock) -> None:
    system.acquaint("alice", "bob")
    alice = system.connect("alice")
    devices = [system.connect("bob", "phone"), system.connect("bob", "laptop")]

    assert system.serve(alice, HI) == ack(1, clock.now, delivered=2)

    frame = message_frame(Message("alice", "bob", 1, "m1", "hi", clock.now, expires=expiry(clock.now)))
    for device in devices:
        assert system.pushed(device) == on_the_wire(frame)


def test_a_message_reaches_the_senders_other_devices_and_not_the_one_it_came_from(system: System) -> None:
    phone, laptop = system.connect("alice", "phone"), system.connect("alice", "laptop")

    assert system.serve(phone, HI)["delivered"] == 0

    assert len(system.pushed(laptop)) == 1
    assert system.pushed(phone) == []


def test_a_message_reaches_nobody_else(system: System) -> None:
    alice, carol = system.connect("alice"), system.connect("carol")

    system.serve(alice, HI)

    assert system.pushed(carol) == []


def test_a_duplicate_goes_all_the_way_with_the_stored_message(system: System, clock: ManualClock) -> None:
    """The first try may have died anywhere behind the append."""
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    first_ts = clock.now
    system.serve(alice, HI)
    clock.advance(1_000)

    assert system.serve(alice, HI) == ack(1, first_ts, duplicate=True, delivered=1)

    frame = message_frame(Message("alice", "bob", 1, "m1", "hi", first_ts, expires=expiry(first_ts)))
    assert system.pushed(bob) == on_the_wire(frame, frame)


def test_a_note_to_oneself_is_pushed_once_to_the_other_device(system: System, clock: ManualClock) -> None:
    phone, laptop = system.connect("alice", "phone"), system.connect("alice", "laptop")

    reply = system.serve(phone, Send("m1", "alice", "buy milk"))

    assert reply == ack(1, clock.now, to="alice", delivered=1)
    assert len(system.pushed(laptop)) == 1
    assert system.pushed(phone) == []


def test_delivered_counts_the_recipients_connections_that_took_it(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, _ = system.connect("alice", "phone"), system.connect("alice", "laptop")
    taking, failing, gone = (system.connect("bob", name) for name in ("taking", "failing", "gone"))
    system.gateway.answers = {failing.id: Pushed.FAILED, gone.id: Pushed.GONE}

    served = system.routes.serve(alice, HI)

    assert served.reply is not None
    assert served.reply["delivered"] == 1
    assert served.delivered is not None
    # The one that is gone may be opening, so it is tried once more behind the moves.
    assert (len(served.delivered.taken), served.delivered.failed, served.delivered.gone) == (2, 1, 2)
    assert len(system.pushed(taking)) == 1


def test_a_send_stores_then_pushes_and_moves_the_chats_then_looks_who_listens(system: System) -> None:
    """In any other order a message can be lost without a trace, or a device can skip one."""
    alice, _, _ = system.connect("alice"), system.connect("alice", "laptop"), system.connect("bob")
    system.serve(alice, Send("m0", "bob", "the first"))
    system.steps.clear()

    system.serve(alice, HI)

    # The steps that go side by side, in one order: tail and first look; first pushes and moves.
    assert system.steps == ["query", "insert", "get", "push", "update", "update", "get", "push"]


def test_a_duplicate_is_looked_up_and_takes_the_same_steps_but_the_append(system: System) -> None:
    alice, _ = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.steps.clear()

    system.serve(alice, HI)

    # Once it is found, the tail is read once more, consistently.
    assert system.steps == ["query", "query", "get", "push", "update", "update", "get"]


def test_a_connection_that_failed_to_take_a_message_is_tried_once(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.gateway.answers = {bob.id: Pushed.FAILED}

    served = system.routes.serve(alice, HI)

    assert system.steps.count("push") == 1
    assert served.delivered is not None
    assert served.delivered.failed == 1


def test_who_has_ever_blocked_somebody_hears_of_a_message_once_its_chat_is_moved(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(bob, Block(None, "carol"))
    system.steps.clear()

    system.serve(alice, HI)

    assert system.steps[-2:] == ["get", "push"]
    assert len(system.pushed(bob)) == 1


def test_a_message_is_taken_back_before_the_log_says_so_and_then_it_is_told_as_any_other(system: System) -> None:
    alice, _ = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.steps.clear()

    system.serve(alice, Unsend("u1", "bob", 1))

    assert system.steps == ["get", "update", "query", "insert", "update", "update", "get", "push"]


def _talk(system: System, count: int) -> None:
    bob = system.connect("bob", "laptop")
    for number in range(count):
        system.serve(bob, Send(None, "alice", f"number {number}"))


@pytest.mark.parametrize(("age_ms", "is_recognised"), [(REPEATED_MS, True), (REPEATED_MS + 1, False)])
def test_a_retry_is_recognised_for_eleven_minutes(system: System, age_ms: int, is_recognised: bool) -> None:
    alice = system.connect("alice")
    system.clock.advance(MINUTE_MS)
    first = system.serve(alice, HI)
    _talk(system, TAIL_LENGTH)
    system.clock.advance(age_ms)

    again = system.serve(alice, HI._replace(retry=True))

    assert again["duplicate"] is is_recognised
    assert (again["seq"] == first["seq"]) is is_recognised


def test_a_first_try_that_its_retry_has_overtaken_is_recognised(system: System) -> None:
    alice, received_at = system.connect("alice"), system.clock()
    system.clock.advance(1_000)
    first = system.serve(alice, HI._replace(retry=True))
    _talk(system, TAIL_LENGTH)
    system.clock.advance(1_000)

    served = system.routes.serve(alice, HI, received_at).reply

    assert served is not None
    assert (served["duplicate"], served["seq"]) == (True, first["seq"])


def test_a_refused_message_moves_and_tells_nothing(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    before = dict(system.table.items)
    system.gateway.pushed.clear()

    with pytest.raises(ChatError):
        system.serve(alice, Send("m1", "bob", "another text"))

    assert system.table.items == before
    assert system.pushed(bob) == []


STEPS_OF_A_FIRST_SEND = ["query", "get", "query", "insert", "get", "update", "update", "get"]


def test_a_first_send_also_looks_for_an_old_conversation(system: System) -> None:
    alice = system.connect("alice")
    system.steps.clear()

    system.serve(alice, HI)

    assert system.steps == STEPS_OF_A_FIRST_SEND


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
@pytest.mark.parametrize("reply_lost", [True, False], ids=["reply lost", "call lost"])
@pytest.mark.parametrize("step", range(len(STEPS_OF_A_FIRST_SEND)))
def test_a_retry_heals_a_send_that_died_anywhere(system: System, step: int, reply_lost: bool, cold: bool) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    died = fails_at(step, ConnectionError())
    if reply_lost:
        system.after = died
    else:
        system.before = died
    with pytest.raises(ConnectionError):
        system.serve(alice, HI)
    if cold:
        system.restart()

    reply = system.serve(alice, HI)

    assert (reply["seq"], reply["delivered"]) == (1, 1)
    assert system.pushed(bob)
    for caller, peer in [(alice, "bob"), (bob, "alice")]:
        page = system.conversations.history(caller.user, History(None, peer, None, None, 50))
        assert [message.text for message in page.messages] == ["hi"]
        assert [chat["seq"] for chat in chats(system.serve(caller, sync()))] == [1]


def test_one_that_died_is_healed_by_its_retry_and_shows_at_the_next_heartbeat(
    system: System, clock: ManualClock
) -> None:
    """`changed` is when the chat moved, not when the message was sent."""
    alice, bob = system.connect("alice"), system.connect("bob")
    system.conversations.append("alice", "bob", "m1", "hi")
    clock.advance(2 * SYNC_OVERLAP_MS)
    server_time = system.serve(bob, sync())["server_time"]
    assert isinstance(server_time, int)
    clock.advance(2 * SYNC_OVERLAP_MS)

    system.serve(alice, HI)

    assert peers(system.serve(bob, sync(since=server_time))) == ["alice"]


# sync


def test_sync_of_a_newcomer_is_empty(system: System, clock: ManualClock) -> None:
    assert system.serve(system.connect("alice"), sync()) == {
        "type": "sync",
        "id": "s",
        "user": "alice",
        "epoch": "1",
        "chats": [],
        "server_time": clock.now,
        "heartbeat_ms": 270_000,
        "max_text_bytes": 8_192,
    }


def write_to_many(system: System, caller: Connection, count: int) -> list[str]:
    """Writes to that many peers, a second apart; returns them, the latest first."""
    names = [f"peer-{number:03d}" for number in range(count)]
    for name in names:
        system.clock.advance(1_000)
        system.serve(caller, Send(None, name, f"hi {name}"))
    return names[::-1]


def test_sync_is_newest_first(system: System) -> None:
    alice = system.connect("alice")
    newest_first = write_to_many(system, alice, 5)

    assert peers(system.serve(alice, sync())) == newest_first


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_pages_of_a_sync_put_together_are_all_chats(system: System, limit: int) -> None:
    alice = system.connect("alice")
    newest_first = write_to_many(system, alice, 5)
    seen: list[str] = []
    cursor: Cursor | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        reply = system.serve(alice, sync(limit=limit, next=cursor))
        seen += peers(reply)
        cursor = Cursor.decode(str(reply["next"])) if "next" in reply else None
        pages += 1
        assert pages <= 5

    assert seen == newest_first
    assert pages == -(-5 // limit)


def test_pages_of_a_sync_part_chats_of_one_moment(system: System) -> None:
    alice = system.connect("alice")
    for peer in ("bob", "carol", "dave"):
        system.serve(alice, Send(None, peer, "hi"))

    first = system.serve(alice, sync(limit=2))
    second = system.serve(alice, sync(limit=2, next=Cursor.decode(str(first["next"]))))

    assert peers(first) + peers(second) == ["dave", "carol", "bob"]


def test_sync_since_shows_what_has_changed_with_some_overlap(system: System, clock: ManualClock) -> None:
    alice = system.connect("alice")
    system.serve(alice, Send(None, "before", "hi"))
    clock.advance(1)
    system.serve(alice, Send(None, "overlapping", "hi"))
    clock.advance(SYNC_OVERLAP_MS - 1)
    since = clock.now
    clock.advance(1)
    system.serve(alice, Send(None, "after", "hi"))

    assert peers(system.serve(alice, sync(since=since))) == ["after", "overlapping"]
    assert peers(system.serve(alice, sync(since=0))) == ["after", "overlapping", "before"]


def test_a_receipt_shows_at_the_next_heartbeat(system: System, clock: ManualClock) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    clock.advance(2 * SYNC_OVERLAP_MS)
    since = clock.now
    clock.advance(1)
    system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 1))

    assert [chat["peer_read"] for chat in chats(system.serve(alice, sync(since=since)))] == [1]


def test_sync_puts_back_a_connection_that_was_taken_out(system: System, clock: ManualClock) -> None:
    alice = system.connect("alice")
    system.sessions.prune(alice)
    clock.advance(OPENING_MS)

    system.serve(alice, sync())

    assert system.sessions.of(["alice"]) == {"alice": [alice]}


def test_who_was_taken_for_gone_is_told_of_once_its_connection_is_put_back(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    gone = system.sessions.prune(alice)
    assert gone is not None
    system.gateway.pushed.clear()

    system.serve(alice, sync())

    (presence,) = system.sessions.presence(["alice"])
    assert (presence.online, presence.rev) == (True, gone.presence.rev + 1)
    assert system.pushed(bob) == system.pushed(alice) == on_the_wire(presence_frame([presence]))


def test_a_connection_that_is_put_back_beside_another_one_is_told_to_nobody_else(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, _, bob = system.connect("alice"), system.connect("alice", "laptop"), system.connect("bob")
    system.serve(alice, HI)
    system.sessions.prune(alice)
    system.gateway.pushed.clear()

    system.serve(alice, sync())

    assert live(system, "alice") == {alice.id, "alice-laptop="}
    assert system.pushed(bob) == []


@pytest.mark.parametrize("age_ms", [0, OPENING_MS + 1])
@pytest.mark.parametrize("next", [None, Cursor(None, "a")])
def test_a_sync_behind_the_end_of_its_connection_puts_nothing_back(
    system: System, clock: ManualClock, age_ms: int, next: Cursor | None
) -> None:
    """However young it is: it has sent a frame, so it is not opening."""
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    clock.advance(age_ms)
    system.gateway.answers = {alice.id: Pushed.GONE}
    system.connection_routes.disconnect(alice)
    (gone,) = system.announcer.announced
    system.gateway.pushed.clear()

    system.serve(alice, sync(next=next))

    assert live(system, "alice") == set()
    (presence,) = system.sessions.presence(["alice"])
    assert (presence.online, presence.rev) == (False, gone.rev + 2)
    assert system.pushed(bob) == on_the_wire(presence_frame([presence]))


def test_a_departure_that_waits_is_told_if_a_sync_behind_it_has_put_the_connection_back(
    system: System, clock: ManualClock
) -> None:
    system.set_grace(60_000)
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    clock.advance(1)
    system.gateway.answers = {alice.id: Pushed.GONE}
    system.connection_routes.disconnect(alice)
    (departure,) = system.announcer.later
    system.gateway.pushed.clear()

    system.serve(alice, sync())

    (presence,) = system.sessions.presence(["alice"])
    assert system.pushed(bob) == on_the_wire(presence_frame([presence]))
    assert (presence.online, presence.last_seen) == (False, clock.now)
    clock.advance(60_000)
    assert system.routes.announce_departure(departure) is None


def test_a_sync_is_answered_though_a_partner_cannot_be_told_that_it_is_there(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = system.connect("alice")
    system.serve(alice, HI)
    system.sessions.prune(alice)
    capsys.readouterr()

    def fails(_: object) -> None:
        raise ChatError(ErrorCode.TOO_MANY_REQUESTS, "the table is over its rate")

    monkeypatch.setattr(system.routes, "announce", fails)

    assert peers(system.serve(alice, sync())) == ["bob"]
    assert json.loads(capsys.readouterr().out)["message"] == "announcement failed"


def test_sync_reads_the_chats_after_it_has_put_the_connection_back(system: System) -> None:
    """Whoever sends before sees no device, but its message is read; whoever sends after sees the device."""
    alice = system.connect("alice")
    bob = system.connect("bob")
    system.sessions.prune(alice)
    sent = False

    def bob_writes(operation: str) -> None:
        nonlocal sent
        if operation == "update" and not sent:
            sent = True
            system.serve(bob, Send("m1", "alice", "hi"))

    system.before = bob_writes

    assert peers(system.serve(alice, sync())) == ["bob"]


def test_sync_is_one_query_and_one_batch(system: System) -> None:
    alice = system.connect("alice")
    system.serve(alice, HI)
    system.steps.clear()

    system.serve(alice, sync())

    assert system.steps == ["query", "get"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("count", [3, 4, 5, 9, 10])
def test_pages_of_a_long_list_put_together_are_all_chats(
    system: System, monkeypatch: pytest.MonkeyPatch, limit: int, count: int
) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 3)
    alice = system.connect("alice")
    names = write_to_many(system, alice, count)

    assert sorted(all_pages(system, alice, None, limit)) == sorted(names)
    assert all_pages(system, alice, system.clock.now + SYNC_OVERLAP_MS, limit) == []
    assert all_pages(system, alice, system.clock.now, limit) == names


def all_pages(system: System, caller: Connection, since: int | None, limit: int) -> list[str]:
    seen: list[str] = []
    cursor: Cursor | None = None
    for _ in range(20):
        reply = system.serve(caller, sync(since, limit, cursor))
        seen += peers(reply)
        if "next" not in reply:
            break
        cursor = Cursor.decode(str(reply["next"]))
    return seen


def test_a_list_that_grows_long_while_it_is_paged_through_is_paged_through_anew(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 3)
    alice = system.connect("alice")
    write_to_many(system, alice, 2)
    (newest,) = chats(system.serve(alice, sync(limit=1)))
    write_to_many(system, alice, 6)

    # As an older version goes on.
    rest, cursor = [newest["peer"]], Cursor(newest["ts"], newest["peer"])
    reply = system.serve(alice, sync(limit=2, next=cursor))
    while "next" in reply:
        rest += peers(reply)
        reply = system.serve(alice, sync(limit=2, next=Cursor.decode(str(reply["next"]))))
    rest += peers(reply)

    assert {f"peer-{number:03d}" for number in range(6)} == set(rest)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_what_moves_while_a_list_is_paged_through_is_on_a_page_or_in_the_sync_that_follows(
    system: System, limit: int
) -> None:
    alice, writer = system.connect("alice"), system.connect("peer-002")
    write_to_many(system, alice, 5)
    system.clock.advance(HOUR_MS)
    reply = first = system.serve(alice, sync(limit=limit))
    found = {chat["peer"]: chat["seq"] for chat in chats(first)}
    for number in range(10):
        system.serve(writer, Send(None, "alice", "hi"))
        system.serve(system.connect(f"aaa-{number}"), Send(None, "alice", "hi"))
        system.serve(system.connect(f"zzz-{number}"), Send(None, "alice", "hi"))
        if "next" in reply:
            reply = system.serve(alice, sync(limit=limit, next=Cursor.decode(str(reply["next"]))))
            found |= {chat["peer"]: chat["seq"] for chat in chats(reply)}
    while "next" in reply:
        reply = system.serve(alice, sync(limit=limit, next=Cursor.decode(str(reply["next"]))))
        found |= {chat["peer"]: chat["seq"] for chat in chats(reply)}
    for peer in all_pages(system, alice, int(str(first["server_time"])), 100):
        found[peer] = 11 if peer == "peer-002" else 1

    now = {chat["peer"]: chat["seq"] for chat in chats(system.serve(alice, sync(limit=100)))}
    assert len(now) == 25
    assert found == now


def test_the_first_page_has_the_newest_chats_and_previews_and_later_ones_have_no_previews(system: System) -> None:
    alice = system.connect("alice")
    names = [f"{name}-{number}" for number in range(4) for name in ("b", "a", "c")]
    for name in names:
        system.clock.advance(1_000)
        system.serve(alice, Send(None, name, "hi"))

    first = system.serve(alice, sync(limit=6))
    later = chats(system.serve(alice, sync(limit=100, next=Cursor.decode(str(first["next"])))))

    newest_first = names[::-1]
    assert peers(first) == [*newest_first[:5], max(newest_first[5:])]
    assert ["last" in chat for chat in chats(first)] == [True] * 5 + [False]
    assert {*peers(first), *(chat["peer"] for chat in later)} == set(names)
    assert not any("last" in chat for chat in later)


def test_no_chat_without_a_preview_is_longer_than_a_page_leaves_room_for() -> None:
    most = MAX_INTEGER
    chat = Chat("x" * 128, most, most, most, most, most, most, most, most, blocked=True, instead=None)
    assert encoded_size(chat_fields(chat, None)) < MAX_CHAT_BYTES


@pytest.mark.parametrize("page", [1, 2])
def test_each_page_of_a_long_list_puts_the_connection_back_before_it_reads(
    system: System, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 3)
    alice = system.connect("alice")
    write_to_many(system, alice, 9)
    cursor = Cursor(None, "peer-006") if page == 2 else None
    system.table.update(sessions_key("alice"), Update(remove=[f"@{alice.id}"]))
    system.steps.clear()

    system.serve(alice, sync(next=cursor))

    reads = ["query", "get"] if page == 1 else ["query"]  # a later page has no previews
    steps = ["update", "push", *reads, "query"]  # the last one looks for partners to tell: there are none
    assert system.steps[-len(steps) :] == steps
    assert system.connection_routes._sessions.has(alice)


def test_an_announcement_reads_a_part_of_a_long_list(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 3)
    alice = system.connect("alice")
    write_to_many(system, alice, 9)
    system.steps.clear()

    system.routes.announce(UserPresence("alice", True, 1, 1))

    assert system.steps.count("query") == 1


def test_server_time_is_taken_before_the_chats_are_read(system: System, clock: ManualClock) -> None:
    alice = system.connect("alice")
    asked_at = clock.now
    system.before = lambda _: clock.advance(5_000)

    assert system.serve(alice, sync())["server_time"] == asked_at


def longest(number: int) -> str:
    return f"{number:0128d}"


@pytest.mark.parametrize("text", ["\x01" * 4_900, "👋" * 2_048, '"' * 8_192])
def test_no_page_of_chats_is_over_the_limit_of_a_frame(system: System, text: str) -> None:
    alice = Connection("a" * 128, "phone=", system.clock.now)
    for number in range(100):
        system.serve(alice, Send(None, longest(number), text))
    seen: list[str] = []
    cursor: Cursor | None = None
    while not seen or cursor is not None:
        reply = system.serve(alice, Sync("\x01" * 64, None, 100, cursor, presence=100))
        assert len(encode(reply).encode()) <= MAX_FRAME_BYTES
        seen += peers(reply)
        assert len(seen) <= 100
        cursor = Cursor.decode(str(reply["next"])) if "next" in reply else None

    assert sorted(seen) == [longest(number) for number in range(100)]


@pytest.mark.parametrize("text", ["\x01" * 4_900, "👋" * 2_048, '"' * 8_192, "a"])
def test_no_page_of_history_is_over_the_limit_of_a_frame(system: System, text: str) -> None:
    alice, peer = Connection("a" * 128, "phone=", system.clock.now), longest(0)
    for number in range(120):
        system.serve(alice, Send("\x01" * 60 + f"{number:04d}", peer, text))
    seen: list[int] = []
    more = True
    while more:
        reply = system.serve(alice, History("\x01" * 64, peer, seen[-1] if seen else 0, None, 100))
        assert len(encode(reply).encode()) <= MAX_FRAME_BYTES
        page = json.loads(encode(reply))
        seen += [message["seq"] for message in page["messages"]]
        assert len(seen) <= 120
        more = page["more"]

    assert seen == list(range(1, 121))


# history


def test_history_is_the_same_for_both_sides(system: System, clock: ManualClock) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.serve(bob, Send("m2", "alice", "hello"))

    times = {"ts": clock.now, "expires": expiry(clock.now)}
    expected = [
        {"from": "alice", "to": "bob", "seq": 1, "id": "m1", "text": "hi", **times},
        {"from": "bob", "to": "alice", "seq": 2, "id": "m2", "text": "hello", **times},
    ]
    assert system.serve(alice, LATEST) == {"type": "history", "peer": "bob", "messages": expected, "more": False}
    assert system.serve(bob, History("h", "alice", None, None, 50)) == {
        "type": "history",
        "id": "h",
        "peer": "alice",
        "messages": expected,
        "more": False,
    }


def test_history_shows_nobody_elses_conversation(system: System) -> None:
    alice, eve = system.connect("alice"), system.connect("eve")
    system.serve(alice, HI)

    assert system.serve(eve, LATEST)["messages"] == []
    assert chats(system.serve(eve, sync())) == []


# receipt


@pytest.mark.parametrize("kind", ReceiptKind)
def test_a_receipt_is_acknowledged_and_told_to_the_peer_and_the_other_devices(
    system: System, clock: ManualClock, kind: ReceiptKind
) -> None:
    system.acquaint("alice", "bob")
    alice, phone, laptop = system.connect("alice"), system.connect("bob", "phone"), system.connect("bob", "laptop")
    system.serve(alice, HI)
    system.gateway.pushed.clear()
    clock.advance(1)

    reply = system.serve(phone, Receipt("r", "alice", kind, 1))

    assert reply == {"type": "ack", "id": "r", "peer": "alice", "kind": kind, "seq": 1}
    told = on_the_wire({"type": "receipt", "from": "bob", "peer": "alice", "kind": kind, "seq": 1, "ts": clock.now})
    assert (system.pushed(alice), system.pushed(laptop), system.pushed(phone)) == (told, told, [])


def test_both_chats_are_marked_before_anybody_is_told(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.steps.clear()

    system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 1))

    assert system.steps == ["update", "update", "get", "push"]


@pytest.mark.parametrize("kind", ReceiptKind)
@pytest.mark.parametrize("seq", [1, 2], ids=["lower", "the same"])
def test_a_receipt_that_moves_nothing_is_acknowledged_and_told_to_nobody(
    system: System, kind: ReceiptKind, seq: int
) -> None:
    system.acquaint("alice", "bob")
    alice, bob, _ = system.connect("alice"), system.connect("bob", "phone"), system.connect("bob", "laptop")
    for text in ("one", "two"):
        system.serve(alice, Send(None, "bob", text))
    system.serve(bob, Receipt(None, "alice", kind, 2))
    system.gateway.pushed.clear()

    reply = system.serve(bob, Receipt("r", "alice", kind, seq))

    assert reply == {"type": "ack", "id": "r", "peer": "alice", "kind": kind, "seq": seq}
    assert system.gateway.pushed == []


@pytest.mark.parametrize("lost", [0, 1])
def test_a_receipt_of_which_half_was_stored_is_told_when_the_other_half_is(system: System, lost: int) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.gateway.pushed.clear()
    system.before = fails_at(lost, ConnectionError())
    with pytest.raises(ConnectionError):
        system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 1))

    system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 1))

    assert told(system, alice) == ["receipt"]


def test_a_receipt_that_is_refused_is_told_to_nobody(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.gateway.pushed.clear()

    with pytest.raises(ChatError) as refused:
        system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 2))

    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert system.gateway.pushed == []


@pytest.mark.parametrize("lost", [0, 1])
def test_both_chats_are_attempted_though_one_fails(system: System, lost: int) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.before = fails_at(lost, ConnectionError())

    with pytest.raises(ConnectionError):
        system.serve(bob, Receipt(None, "alice", ReceiptKind.READ, 1))

    reader, writer = (system.table.items[key] for key in (chat_key("bob", "alice"), chat_key("alice", "bob")))
    assert [reader.get("read", 0), writer.get("peer_read", 0)] in ([0, 1], [1, 0])


# presence asked with a sync


def people(system: System) -> tuple[Connection, tuple[str, ...]]:
    """Alice, and one of everybody that there can be for her."""
    alice = system.connect("alice")
    for user in ("there", "blocked", "blocker", "admirer", "idol"):
        system.connect(user)
    for user in ("there", "away", "blocked", "blocker", "admirer", "erased"):
        system.serve(Connection(user, f"{user}-tablet=", system.clock.now), Send(None, "alice", "hi"))
    for user in ("there", "away", "blocked", "blocker", "idol", "erased"):
        system.serve(alice, Send(None, user, "hi"))
    system.serve(alice, Block(None, "blocked"))
    system.serve(Connection("blocker", "blocker-phone=", system.clock.now), Block(None, "alice"))
    assert Erasing(system.table, clock=system.clock, parallel=serially).erase("erased", None).next is None
    return alice, ("there", "away", "blocked", "blocker", "admirer", "idol", "erased", "nobody", "alice")


def test_a_sync_says_of_presence_what_presence_says(system: System) -> None:
    alice, users = people(system)
    asked = system.serve(alice, Presence(None, users))["users"]

    assert system.serve(alice, sync(presence=users))["presence"] == asked
    assert system.serve(alice, sync(since=system.clock.now + HOUR_MS, presence=users))["presence"] == asked


def test_a_sync_says_who_of_the_latest_chats_is_there_in_which_the_user_has_written(
    system: System, clock: ManualClock
) -> None:
    alice, _ = people(system)
    for user in ("there", "admirer", "away", "idol"):
        clock.advance(1)
        system.serve(Connection(user, "tablet=", clock.now), Send(None, "alice", "hi"))

    asked = system.serve(alice, Presence(None, ("idol", "away", "there")))["users"]
    assert system.serve(alice, sync(presence=3))["presence"] == asked


def test_a_sync_that_does_not_ask_for_presence_is_not_told(system: System) -> None:
    alice, _ = people(system)
    assert "presence" not in system.serve(alice, sync())


def test_a_sync_without_chats_says_that_nobody_is_there(system: System) -> None:
    assert system.serve(system.connect("alice"), sync(presence=10))["presence"] == []


def test_a_part_of_a_long_list_says_nothing_of_presence(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 3)
    alice = system.connect("alice")
    write_to_many(system, alice, 9)
    assert "presence" not in system.serve(alice, sync(presence=("peer-001",)))


def test_the_presence_that_a_sync_says_is_read_after_the_connection_is_put_back(system: System) -> None:
    alice, users = people(system)
    system.table.update(sessions_key("alice"), Update(remove=[f"@{alice.id}"]))
    system.steps.clear()

    system.serve(alice, sync(presence=users))

    partners_told = ["query", "get", "push"]
    assert (system.steps[:2], system.steps[-6:]) == (["query", "update"], ["query", "get", "get", *partners_told])


# typing, presence, ping


def test_typing_is_told_to_the_peer_and_answered_with_nothing(system: System, clock: ManualClock) -> None:
    system.acquaint("alice", "bob")
    alice, bob, laptop = system.connect("alice"), system.connect("bob"), system.connect("alice", "laptop")

    served = system.routes.serve(alice, Typing("t", "bob", TypingState.COMPOSING))

    assert served.reply is None
    told = {"type": "typing", "from": "alice", "state": TypingState.COMPOSING, "ts": clock.now}
    assert system.pushed(bob) == on_the_wire(told)
    assert system.pushed(alice) == system.pushed(laptop) == []


def test_typing_to_oneself_is_told_to_the_other_devices(system: System) -> None:
    phone, laptop = system.connect("alice", "phone"), system.connect("alice", "laptop")

    system.routes.serve(phone, Typing(None, "alice", TypingState.PAUSED))

    assert len(system.pushed(laptop)) == 1
    assert system.pushed(phone) == []


def test_typing_is_not_stored(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, _ = system.connect("alice"), system.connect("bob")
    before = dict(system.table.items)

    system.routes.serve(alice, Typing(None, "bob", TypingState.COMPOSING))

    assert system.table.items == before


def test_presence_says_who_is_online(system: System, clock: ManualClock) -> None:
    system.acquaint("alice", "bob")
    alice = system.connect("alice")

    assert system.serve(alice, Presence("p", ("bob", "alice"))) == {
        "type": "presence",
        "id": "p",
        "users": [
            {"user": "bob", "online": False, "last_seen": None, "rev": 0},
            {"user": "alice", "online": True, "last_seen": clock.now, "rev": START + 1},
        ],
    }


def test_ping_touches_nothing(system: System, clock: ManualClock) -> None:
    alice = Connection("alice", "phone=", clock.now)

    assert system.serve(alice, Ping("1")) == {"type": "pong", "id": "1", "ts": clock.now}
    assert system.steps == []


# announcements

ONLINE = UserPresence("alice", True, 1, 1)


def test_an_arrival_is_announced_to_acquaintances(system: System) -> None:
    system.acquaint("alice", "bob")
    alice, bob, carol = (system.connect(user) for user in ("alice", "bob", "carol"))
    system.serve(alice, HI)
    system.gateway.pushed.clear()

    system.routes.announce(ONLINE)

    assert system.pushed(bob) == on_the_wire(presence_frame([ONLINE]))
    assert system.pushed(carol) == system.pushed(alice) == []


def test_a_note_to_oneself_makes_no_partner(system: System) -> None:
    alice, laptop = system.connect("alice"), system.connect("alice", "laptop")
    system.serve(alice, Send(None, "alice", "buy milk"))
    system.gateway.pushed.clear()

    system.routes.announce(ONLINE)

    assert system.pushed(alice) == system.pushed(laptop) == []


def test_an_arrival_is_announced_to_the_latest_chats_only(system: System) -> None:
    routes = system.message_routes(announced_chats=3)
    latest_first = ["stranger-1", "erin", "bob", "stranger-2", "dave", "carol", "frank"]
    for age, peer in enumerate(latest_first):
        if peer.startswith("stranger"):
            system.serve(system.connect(peer), Send(None, "alice", "hi"))
        else:
            system.acquaint("alice", peer)
            system.connect(peer)
        system.table.update(chat_key("alice", peer), Update(put={"seq": 1, "ts": 1_000 - age}))
    system.gateway.pushed.clear()

    routes.announce(ONLINE)

    assert {id for id, _ in system.gateway.pushed} == {f"{peer}-phone=" for peer in ("erin", "bob", "dave")}


def test_where_arrivals_are_announced_to_nobody_nobody_is_told(system: System) -> None:
    system.acquaint("alice", "bob")
    bob = system.connect("bob")

    system.message_routes(announced_chats=0).announce(ONLINE)

    assert system.pushed(bob) == []


def test_two_who_meet_are_told_of_each_other_however_few_chats_are_announced(system: System) -> None:
    system.routes = system.message_routes(announced_chats=0)
    alice, bob = system.connect("alice"), system.connect("bob")

    system.serve(alice, HI)
    system.serve(bob, Send(None, "alice", "hi"))

    for connection, peer in ((alice, "bob"), (bob, "alice")):
        told = [frame for data in system.pushed(connection) if (frame := json.loads(data))["type"] == "presence"]
        assert [(one["user"], one["online"]) for frame in told for one in frame["users"]] == [(peer, True)]


def test_a_user_whom_a_push_finds_gone_is_announced(system: System, clock: ManualClock) -> None:
    system.acquaint("bob", "carol")
    alice, bob, carol = (system.connect(user) for user in ("alice", "bob", "carol"))
    system.serve(carol, Send(None, "bob", "hi"))
    clock.advance(OPENING_MS + 1)
    system.gateway.answers = {bob.id: Pushed.GONE}
    system.gateway.pushed.clear()

    system.serve(alice, HI)

    (told,) = system.pushed(carol)
    assert json.loads(told)["users"][0] == {
        "user": "bob",
        "online": False,
        "last_seen": carol.connected_at,
        "rev": START + 2,
    }


def test_one_departure_sets_off_no_chain_of_announcements(system: System, clock: ManualClock) -> None:
    system.acquaint("bob", "carol")
    system.acquaint("carol", "dave")
    alice, bob, carol, dave = (system.connect(user) for user in ("alice", "bob", "carol", "dave"))
    system.serve(carol, Send(None, "bob", "hi"))
    system.serve(dave, Send(None, "carol", "hi"))
    clock.advance(OPENING_MS + 1)
    system.gateway.answers = {bob.id: Pushed.GONE, carol.id: Pushed.GONE}

    system.serve(alice, HI)

    assert not any(presence.online for presence in system.sessions.presence(["bob", "carol"]))
    assert system.pushed(dave) == []


# strangers: who has not been answered, and who has not answered

NEVER_THERE = {"online": False, "last_seen": None, "rev": 0}


def told(system: System, connection: Connection) -> list[str]:
    """What kinds of frames the connection was pushed."""
    return [json.loads(frame)["type"] for frame in system.pushed(connection)]


def test_a_stranger_is_not_told_how_many_devices_took_its_message(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")

    assert system.serve(alice, HI)["delivered"] == 0
    assert told(system, bob) == ["message"]

    system.serve(bob, Send("m2", "alice", "hello"))
    assert system.serve(alice, Send("m3", "bob", "how are you?"))["delivered"] == 1


def _write_as(system: System, connections: dict[str, Connection], writer: str) -> None:
    """At most one of the two has written, so they stay strangers."""
    match writer:
        case "alice":
            system.serve(connections["alice"], HI)
        case "bob":
            system.serve(connections["bob"], Send(None, "alice", "hi"))


@pytest.mark.parametrize("written", ["nobody", "alice", "bob"])
def test_strangers_are_answered_as_if_they_had_never_been_there(system: System, written: str) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    _write_as(system, {"alice": alice, "bob": bob}, written)

    users = system.serve(alice, Presence("p", ("bob", "nobody-at-all")))["users"]

    assert users == [{"user": "bob", **NEVER_THERE}, {"user": "nobody-at-all", **NEVER_THERE}]


def test_who_exists_is_read_no_differently_from_who_does_not(system: System) -> None:
    alice, _ = system.connect("alice"), system.connect("bob")
    steps = []
    for user in ("bob", "nobody-at-all"):
        system.steps.clear()
        system.serve(alice, Presence(None, (user,)))
        system.routes.serve(alice, Typing(None, user, TypingState.COMPOSING))
        steps.append(list(system.steps))

    assert steps[0] == steps[1]


@pytest.mark.parametrize("written", ["nobody", "alice", "bob"])
def test_strangers_are_told_of_no_typing_no_receipt_and_no_arrival(system: System, written: str) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    _write_as(system, {"alice": alice, "bob": bob}, written)
    system.gateway.pushed.clear()

    system.routes.serve(alice, Typing(None, "bob", TypingState.COMPOSING))
    if written != "nobody":
        for kind in ReceiptKind:
            system.serve(alice, Receipt(None, "bob", kind, 1))
    system.routes.announce(ONLINE)

    assert system.pushed(bob) == []


def test_a_receipt_to_a_stranger_moves_ones_own_chat_only(system: System) -> None:
    alice, phone, laptop = system.connect("alice"), system.connect("bob", "phone"), system.connect("bob", "laptop")
    system.serve(alice, HI)
    system.gateway.pushed.clear()

    for kind in ReceiptKind:
        assert system.serve(phone, Receipt(None, "alice", kind, 1))["seq"] == 1

    assert [chat["read"] for chat in chats(system.serve(phone, sync()))] == [1]
    assert [(chat["peer_read"], chat["peer_delivered"]) for chat in chats(system.serve(alice, sync()))] == [(0, 0)]
    assert (told(system, alice), told(system, laptop)) == ([], ["receipt"])  # the delivered one moved nothing


def test_the_answer_to_a_first_message_shows_both_that_the_other_is_there(system: System) -> None:
    """And nobody has to ask."""
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    assert (told(system, alice), told(system, bob)) == ([], ["message"])

    system.serve(bob, Send(None, "alice", "hello"))

    assert (told(system, alice), told(system, bob)) == (["message", "presence"], ["message", "presence"])
    assert json.loads(system.pushed(alice)[1])["users"][0]["user"] == "bob"
    assert json.loads(system.pushed(bob)[1])["users"][0]["user"] == "alice"
    system.serve(bob, Send(None, "alice", "are you there?"))
    assert told(system, alice) == ["message", "presence", "message"]


@pytest.mark.parametrize("kind", ReceiptKind)
def test_a_receipt_that_moves_the_chats_to_a_first_answer_shows_both_that_the_other_is_there(
    system: System, kind: ReceiptKind
) -> None:
    """It came before the moves, or whoever stored the answer died before them: nobody else tells the two."""
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    answer = system.conversations.append("bob", "alice", "m2", "hello").message
    system.gateway.pushed.clear()

    system.serve(alice, Receipt(None, "bob", kind, answer.seq))

    assert (told(system, alice), told(system, bob)) == (["presence"], ["receipt", "presence"])
    system.serve(alice, Receipt(None, "bob", kind, answer.seq))
    assert told(system, alice) == ["presence"]


def test_a_message_of_each_side_acquaints_them_though_the_later_one_moved_the_chats_first(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    first = system.conversations.append("alice", "bob", "m1", "hi").message
    system.serve(bob, Send(None, "alice", "hello"))

    assert system.conversations.advance(first) == Advanced(acquainted=True, newly=True, hidden=False, met=True)

    for caller, peer in [(alice, "bob"), (bob, "alice")]:
        assert system.serve(caller, Presence(None, (peer,)))["users"] != [{"user": peer, **NEVER_THERE}]
        (chat,) = chats(system.serve(caller, sync()))
        assert 0 not in (chat["wrote"], chat["peer_wrote"])


def test_an_introduction_that_fails_does_not_change_the_ack(system: System) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, HI)
    system.steps.clear()

    def fail(_: str) -> None:
        if system.steps.count("get") > 2:
            raise ChatError(ErrorCode.TOO_MANY_REQUESTS, "over its rate")

    system.before = fail
    assert system.serve(bob, Send(None, "alice", "hello"))["type"] == "ack"


# $connect and $disconnect


def test_the_first_connection_is_announced_and_a_second_is_not(system: System, clock: ManualClock) -> None:
    system.connection_routes.connect(Connection("alice", "phone=", clock.now))
    system.connection_routes.connect(Connection("alice", "laptop=", clock.now))

    assert system.announcer.announced == [UserPresence("alice", True, clock.now, START + 1)]
    assert system.steps == ["update", "update"]


def test_only_the_last_disconnect_is_announced_and_only_once(system: System, clock: ManualClock) -> None:
    phone, laptop = system.connect("alice", "phone"), system.connect("alice", "laptop")
    system.steps.clear()

    for connection in (phone, laptop):
        system.connection_routes.disconnect(connection)
    went = clock.now
    clock.advance(1)  # in the same millisecond it would be one whose reply was lost
    system.connection_routes.disconnect(laptop)

    assert system.announcer.announced == [UserPresence("alice", False, went, START + 4)]
    assert system.steps == ["update"] * 3


def test_a_device_over_the_cap_closes_the_oldest(system: System, clock: ManualClock) -> None:
    oldest = system.connect("alice", "oldest")
    for number in range(MAX_CONNECTIONS - 1):
        clock.advance(1)
        system.connect("alice", f"device-{number}")
    clock.advance(1)

    system.connection_routes.connect(Connection("alice", "one-more=", clock.now))

    assert system.gateway.closed == [oldest.id]
    assert system.steps[-2:] == ["push", "close"]
    (told,) = map(json.loads, system.pushed(oldest))
    assert (told["type"], told["code"], told["retry_after_ms"]) == ("close", "too_many_connections", STAY_AWAY_MS)
    assert system.announcer.announced == []


def test_a_connection_after_a_dead_one_is_announced(system: System, clock: ManualClock) -> None:
    system.connect("alice", "dead")
    clock.advance(MAX_CONNECTION_MS)

    system.connection_routes.connect(Connection("alice", "live=", clock.now))

    assert [presence.online for presence in system.announcer.announced] == [True]
    assert system.gateway.closed == []


@pytest.mark.parametrize("failing", [6, 10, 11])
def test_what_fails_after_the_push_does_not_change_the_ack(system: System, clock: ManualClock, failing: int) -> None:
    """Forgetting who is gone, and telling others of it, are hints: the message is stored and was pushed."""
    caller, gone = (Connection(user, user, clock()) for user in ("alice", "bob"))
    system.connection_routes.connect(caller)
    system.connection_routes.connect(gone)
    clock.advance(OPENING_MS + 1)
    system.gateway.answers[gone.id] = Pushed.GONE
    system.steps.clear()

    def fail(_: str) -> None:
        if len([step for step in system.steps if step != "push"]) == failing:
            raise ChatError(ErrorCode.TOO_MANY_REQUESTS, "over its rate")

    system.before = fail
    served = system.routes.serve(caller, Send("1", "bob", "hi"))
    assert served.reply is not None
    assert served.reply["type"] == "ack"
