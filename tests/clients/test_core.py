"""The client's core against scripted servers, without a socket, on a clock that the test moves."""

from __future__ import annotations

import copy
import functools
import json
import operator
from collections.abc import Iterator
from typing import Any

import pytest

import parley
from parley import (
    Bounds,
    Close,
    Connected,
    Disconnected,
    Failed,
    HistoryPage,
    Message,
    Refused,
    Sent,
    Session,
    TokenRefused,
    WrongUser,
)
from tests.clients.behaviours import Case, load
from tests.clients.behaviours.notation import SERVER_TIME, Fields, sync_reply
from tests.clients.drivers.core import CaseDriver, Driver
from tests.clients.drivers.names import pending_texts
from tests.fakes.chat_server import ChatServer


@pytest.mark.parametrize("case", load("python"), ids=str)
def test_behaviour(case: Case) -> None:
    for seed in range(5):  # of the jitter
        CaseDriver(case, seed).run()


# Receipts


def test_a_receipt_that_waits_for_others_is_sent_when_the_client_stops() -> None:
    driver = Driver(backlog=0)
    driver.start([{"peer": "bob", "seq": 5, "ts": 50, "read": 5, "peer_read": 0, "peer_delivered": 0}])
    driver.reply({"type": "message", "from": "bob", "to": "alice", "seq": 6, "id": "b6", "text": "six", "ts": 60})
    assert driver.frames == []
    driver.session.stop()
    driver.collect()
    assert driver.take("receipt") == {
        "action": "receipt",
        "id": "receipt-2",
        "peer": "bob",
        "kind": "delivered",
        "seq": 6,
    }
    assert 1 in driver.closed


# Connections


def test_backoff_is_full_jitter_that_grows_to_thirty_seconds() -> None:
    highest = [0.0] * 10
    for seed in range(200):
        driver = Driver(seed)
        for attempt in range(10):
            driver.refuse(503)
            (event,) = driver.events()
            assert isinstance(event, Disconnected)
            highest[attempt] = max(highest[attempt], event.retry_in)
    for attempt, delay in enumerate(highest):
        most = min(30, 0.5 * 2**attempt)
        assert 0.9 * most < delay <= most


def test_a_connection_that_ends_soon_after_it_was_made_is_not_made_ever_so_fast() -> None:
    driver = Driver(backlog=0)
    for number in range(1, 8):
        driver.start()
        driver.drop(number)
    delays = [event.retry_in for event in driver.events() if isinstance(event, Disconnected)]
    assert max(delays) > 2


def test_a_connection_that_has_lasted_is_replaced_soon() -> None:
    driver = Driver()
    for _ in range(6):
        driver.refuse(503)
    driver.start()
    driver.advance(301, answer_syncs=True)
    driver.events()
    driver.drop(1)
    (event,) = driver.events()
    assert isinstance(event, Disconnected)
    assert event.retry_in <= 0.5


def test_moves_are_spread_over_the_age_of_90_to_115_minutes() -> None:
    ages = []
    for seed in range(50):
        driver = Driver(seed)
        driver.start()
        began = driver.now
        while not driver.opening:
            driver.advance(60, answer_syncs=True)
        ages.append((driver.now - began) / 60)
    assert min(ages) >= 90
    assert max(ages) <= 116
    assert max(ages) - min(ages) > 15


def test_heartbeats_come_every_four_to_five_minutes_the_first_too() -> None:
    intervals = []
    for seed in range(50):
        driver = Driver(seed)
        driver.start()
        began = driver.now
        for _ in range(3):
            while not driver.frames:
                driver.advance(1)
            intervals.append(driver.now - began)
            began = driver.now
            driver.reply(sync_reply(driver.take("sync")["id"], [], SERVER_TIME))
    assert min(intervals) >= 240
    assert max(intervals) <= 301


def test_a_fixed_token_that_is_refused_ends_the_session_with_advice() -> None:
    driver = Driver(can_renew_token=False)
    driver.refuse(403)
    assert isinstance(driver.session.failure, TokenRefused)
    assert "a function that fetches a fresh one" in str(driver.session.failure)
    driver.advance(100)
    assert not driver.opening


def test_a_fixed_token_that_expires_ends_the_session_with_advice() -> None:
    driver = Driver(can_renew_token=False)
    driver.start()
    driver.session.post("bob", "hi")
    driver.reply({"type": "error", "code": "token_expired", "message": "expired", "temporary": False})
    assert isinstance(driver.session.failure, TokenRefused)
    assert "has expired" in str(driver.session.failure)
    assert driver.closed == {1}


def test_a_token_of_another_user_than_the_state_ends_the_session() -> None:
    driver = Driver()
    driver.start()
    driver.restart()
    driver.accept()
    driver.reply(sync_reply(driver.take("sync")["id"], [], SERVER_TIME) | {"user": "mallory"})
    assert isinstance(driver.session.failure, WrongUser)


def test_a_connection_that_comes_after_the_end_is_closed() -> None:
    driver = Driver()
    link = driver.next_opening()
    driver.session.stop()
    driver.session.opened(link)
    assert list(driver.session.effects) == [Close(link)]


# What the application may ask


@pytest.mark.parametrize(
    ("to", "text", "reason"),
    [
        ("b b", "hi", "is not a valid user id: use 1 to 128"),
        ("", "hi", "is not a valid user id: use 1 to 128"),
        ("bob", "", "a string that is not empty"),
        ("bob", "\ud800", "a lone surrogate"),
        ("bob", "x" * 8_193, "1 character too long: it has 8193 bytes"),
        ("bob", "x" * 9_200, "1,008 characters too long: it has 9200 bytes"),
        ("bob", "\u20ac" * 3_000, "270 characters too long: it has 9000 bytes"),
        ("bob", "\x01" * 6_000, "too many characters need escaping"),
    ],
)
def test_a_message_that_the_server_could_never_take_is_not_queued(to: str, text: str, reason: str) -> None:
    driver = Driver()
    driver.start()
    with pytest.raises(ValueError, match=reason):
        driver.session.post(to, text)
    assert driver.session.conversations == []


@pytest.mark.parametrize("to", ["bob", "carol"])
def test_an_id_is_not_used_for_two_waiting_messages(to: str) -> None:
    driver = Driver()
    driver.session.post("bob", "one", id="same")
    with pytest.raises(ValueError, match="its own id"):
        driver.session.post(to, "two", id="same")
    assert [chat.peer for chat in driver.session.conversations] == ["bob"]


@pytest.mark.parametrize(
    ("retry_after_ms", "least", "most"),
    [(10**400, 60, 61), (2**53, 60, 61), (900, 0.9, 2), (0, 0, 1), (-(10**9), 0, 1), ("900", 0, 1), (0.5, 0, 1)],
)
def test_a_server_asks_for_a_pause_of_a_minute_at_most(retry_after_ms: object, least: float, most: float) -> None:
    driver = Driver()
    driver.start()
    driver.session.post("bob", "hi")
    driver.collect()
    error = {"type": "error", "id": driver.take("send")["id"], "code": "too_many_requests", "temporary": True}
    driver.reply(error | {"retry_after_ms": retry_after_ms})
    began = driver.now
    while not any(frame["action"] == "send" for _, frame in driver.frames):
        assert driver.session.deadline is not None
        driver.advance(driver.session.deadline - driver.now, answer_syncs=True)
    assert least <= driver.now - began <= most


@pytest.mark.parametrize(
    ("heartbeat_ms", "least", "most"),
    [(1, 60, 60), (-1, 60, 60), (0, 270, 270), (120_000, 120, 120), (10**400, 480, 480)],
)
def test_heartbeats_come_between_every_minute_and_every_eight(heartbeat_ms: int, least: float, most: float) -> None:
    driver = Driver()
    driver.accept()
    for _ in range(2):  # the first is of the interval that the accepted sync named
        while not driver.frames:
            driver.advance(0.25)
        driver.reply(sync_reply(driver.take("sync")["id"], [], SERVER_TIME) | {"heartbeat_ms": heartbeat_ms})
    began = driver.now
    while not driver.frames:
        driver.advance(0.25)
    interval = driver.now - began
    assert least * 8 / 9 <= interval <= most * 10 / 9 + 0.25


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("", "1 to 64 characters"),
        ("x" * 65, "1 to 64 characters"),
        ("\ud800", "a lone surrogate"),
        ("history-1", "its own id"),
    ],
)
def test_an_id_that_could_not_be_told_apart_or_sent_is_refused(id: str, reason: str) -> None:
    driver = Driver()
    driver.start()
    with pytest.raises(ValueError, match=reason):
        driver.session.post("bob", "hi", id=id)
    assert driver.session.conversations == []


def test_ids_of_the_clients_own_requests_are_those_that_it_refuses_to_an_application() -> None:
    driver = Driver(backlog=0)
    driver.start([_chat("bob", 1)])
    driver.reply({"type": "message", "from": "bob", "to": "alice", "seq": 3, "id": "b3", "text": "hi", "ts": 3})
    driver.session.read("bob", 1)
    driver.session.typing("bob")
    driver.session.ask_presence(["bob"])
    driver.collect()
    own = [frame["id"] for _, frame in driver.frames]
    assert len(own) == 4
    for id in own:
        with pytest.raises(ValueError, match="its own id"):
            driver.session.post("bob", "hi", id=id)


def test_a_queue_has_an_end() -> None:
    driver = Driver()
    for _ in range(parley.MAX_OUTBOX):
        driver.session.post("bob", "hi")
    with pytest.raises(parley.ParleyError, match="wait to be sent"):
        driver.session.post("bob", "hi")


def test_a_send_is_answered_when_it_is_stored_and_when_it_is_refused() -> None:
    driver = Driver()
    driver.start()
    stored, refused = driver.session.post("bob", "hi"), driver.session.post("carol", "hi")
    driver.collect()
    driver.reply({"type": "ack", "id": stored, "to": "bob", "seq": 1, "ts": 10, "duplicate": False, "delivered": 1})
    driver.reply({"type": "error", "id": refused, "code": "forbidden", "message": "no", "temporary": False})
    assert driver.answers[stored] == Sent(stored, "bob", 1, 10, 1)
    assert isinstance(driver.answers[refused], Refused)
    assert driver.events() == [
        Connected("alice"),
        Sent(stored, "bob", 1, 10, 1),
        Message("bob", "alice", "bob", 1, stored, "hi", 10),
        Failed(refused, "carol", "forbidden", "no"),
    ]


def test_a_question_is_asked_again_on_the_next_connection() -> None:
    driver = Driver()
    driver.start()
    id = driver.session.ask_history("bob", before=10, limit=20)
    driver.collect()
    assert driver.take("history") == {"action": "history", "peer": "bob", "limit": 20, "before": 10, "id": id}
    driver.drop(1)
    driver.accept()
    assert driver.take("history")["id"] == id
    old = {"from": "bob", "to": "alice", "seq": 9, "id": "b9", "text": "nine", "ts": 9}
    driver.reply({"type": "history", "id": id, "peer": "bob", "messages": [old], "more": True})
    assert driver.answers[id] == HistoryPage((Message("bob", "bob", "alice", 9, "b9", "nine", 9),), more=True)
    assert not any(isinstance(event, Message) for event in driver.events())


def test_a_question_that_nobody_waits_for_is_not_repeated() -> None:
    driver = Driver()
    driver.start()
    id = driver.session.ask_presence(["bob"])
    driver.collect()
    driver.session.forget_question(id)
    driver.frames.clear()
    driver.drop(1)
    driver.accept()
    assert [frame["action"] for _, frame in driver.frames] == ["sync"]


def test_a_chat_list_has_unread_counts_ticks_and_what_is_pending() -> None:
    driver = Driver(backlog=0)
    last = {"from": "bob", "text": "six"}
    driver.start([{"peer": "bob", "seq": 6, "ts": 60, "read": 4, "peer_read": 3, "peer_delivered": 2, "last": last}])
    driver.session.post("bob", "hi", id="m")
    (chat,) = driver.session.conversations
    assert driver.session.conversation("bob") == chat
    assert driver.session.conversation("carol") is None
    assert (chat.unread, chat.peer_read, chat.peer_delivered, chat.last_text) == (2, 3, 3, "six")
    assert chat.pending == (parley.Pending("m", "hi"),)
    driver.session.read("bob")
    assert driver.session.conversations[0].unread == 0


def test_a_message_of_ours_is_pending_until_it_was_read_from_the_session() -> None:
    driver = Driver()
    driver.start()
    driver.session.post("bob", "hi", id="m")
    driver.collect()
    driver.drop(1)
    driver.accept()
    driver.events()
    stored = {"from": "alice", "to": "bob", "seq": 1, "id": "m", "text": "hi", "ts": 10}
    page = {"type": "history", "peer": "bob", "messages": [stored], "more": False}
    driver.reply(page | {"id": driver.take("history")["id"]})
    assert pending_texts(driver.session.conversations, "bob") == ["hi"]
    assert isinstance(driver.session.next_event(), Message)
    assert pending_texts(driver.session.conversations, "bob") == []


def test_what_was_not_read_from_the_session_is_not_marked_read() -> None:
    driver = Driver(send_delivered=False)
    driver.start()
    for seq in (1, 2):
        driver.reply({"type": "message", "from": "bob", "to": "alice", "seq": seq, "id": "b", "text": "x", "ts": seq})
    assert isinstance(driver.session.next_event(), Connected)
    assert isinstance(driver.session.next_event(), Message)
    driver.session.read("bob")
    driver.collect()
    assert driver.take("receipt")["seq"] == 1


def test_a_number_that_does_not_exist_cannot_be_read() -> None:
    driver = Driver(backlog=0)
    driver.start([{"peer": "bob", "seq": 6, "ts": 60, "read": 4, "peer_read": 3, "peer_delivered": 2}])
    with pytest.raises(ValueError, match="no message 7"):
        driver.session.read("bob", 7)


# Bounds


def _chat(peer: str, seq: int) -> Fields:
    return {"peer": peer, "seq": seq, "ts": seq, "read": 0, "peer_read": 0, "peer_delivered": 0}


def test_a_first_sync_of_many_conversations_asks_for_a_few_at_a_time() -> None:
    driver = Driver()
    driver.start([_chat(f"user{number}", 1) for number in range(50)])
    asked = 0
    while driver.frames:
        assert len(driver.frames) <= parley.MAX_FETCHES
        frame = driver.take("history")
        message = {"from": frame["peer"], "to": "alice", "seq": 1, "id": "x", "text": "hi", "ts": 1}
        driver.reply(
            {"type": "history", "id": frame["id"], "peer": frame["peer"], "messages": [message], "more": False}
        )
        driver.frames = [one for one in driver.frames if one[1]["action"] == "history"]
        asked += 1
    assert asked == 50
    assert isinstance(driver.events()[-1], Connected)


def test_messages_wait_at_the_server_while_the_application_reads_none() -> None:
    driver = Driver(send_delivered=False, bounds=Bounds(events=10))
    driver.start()
    log = [
        {"from": "bob", "to": "alice", "seq": seq, "id": f"b{seq}", "text": str(seq), "ts": seq} for seq in range(1, 31)
    ]
    for message in log:
        driver.reply({"type": "message"} | message)
    assert driver.frames == []
    told = []
    for _ in range(200):
        event = driver.session.next_event()
        driver.collect()
        if isinstance(event, Message):
            told.append(event.seq)
        for _, frame in driver.frames:
            page = [message for message in log if int(str(message["seq"])) > frame["after"]][:3]
            more = bool(page) and page[-1] is not log[-1]
            reply = {"type": "history", "id": frame["id"], "peer": "bob", "messages": page, "more": more}
            driver.frames.remove((1, frame))
            driver.reply(reply)
            break
    assert told == list(range(1, 31))


def test_an_application_that_only_sends_fills_no_memory() -> None:
    driver = Driver(backlog=0, bounds=Bounds(events=10))
    driver.start()
    for seq in range(1, 101):
        for to, reply in (
            ("bob", {"type": "ack", "to": "bob", "seq": seq, "ts": seq}),
            ("carol", {"type": "error", "code": "forbidden", "message": "no", "temporary": False}),
        ):
            id = driver.session.post(to, "hi")
            driver.collect()
            driver.reply(reply | {"id": id})
            assert id in driver.answers
    assert len(driver.events()) <= 20


def test_a_long_history_is_left_at_the_server_while_the_application_reads_nothing() -> None:
    driver = Driver(send_delivered=False, bounds=Bounds(events=10))
    driver.start()
    log = [{"from": "bob", "to": "alice", "seq": seq, "id": f"b{seq}", "text": "x", "ts": seq} for seq in range(1, 101)]
    driver.reply({"type": "message"} | log[-1])
    told: list[int] = []
    most = 0
    while len(told) < 100:
        while driver.frames:
            frame = driver.take("history")
            page = log[frame["after"] : frame["after"] + 4]
            more = page[-1] is not log[-1]
            driver.reply({"type": "history", "id": frame["id"], "peer": "bob", "messages": page, "more": more})
        events = driver.events()
        most = max(most, len(events))
        told += [event.seq for event in events if isinstance(event, Message)]
    assert told == list(range(1, 101))
    assert most <= 2 * 10


def test_the_oldest_conversations_are_forgotten_and_found_again() -> None:
    driver = Driver(backlog=0, bounds=Bounds(chats=10))
    driver.start([_chat(f"user{number}", number) for number in range(1, 31)])
    assert len(driver.session.state["chats"]) <= 10
    assert driver.session.conversations[0].peer == "user30"
    message = {"type": "message", "from": "user1", "to": "alice", "seq": 2, "id": "x", "text": "back", "ts": 99}
    driver.reply(message)
    driver.reply(sync_reply(driver.take("sync")["id"], [_chat("user1", 2)], SERVER_TIME + 1))
    assert driver.session.conversations[0].peer == "user30"
    assert "user1" in [chat.peer for chat in driver.session.conversations]


# Saved states


def _state() -> Any:
    """A state with a message that was tried and lost, one found, one that waits and one refused, as JSON carries it."""
    driver = Driver(backlog=0)
    driver.start([_chat("bob", 5), _chat("carol", 2)])
    for to, text in (("bob", "found"), ("bob", "waiting"), ("carol", "tried")):
        driver.session.post(to, text, id=text)
    driver.collect()
    driver.drop(1)
    driver.accept()
    stored = {"from": "alice", "to": "bob", "seq": 6, "id": "found", "text": "found", "ts": 10}
    page = {"type": "history", "peer": "bob", "messages": [stored], "more": False}
    asked = next(frame for _, frame in driver.frames if frame["action"] == "history" and frame["peer"] == "bob")
    driver.reply(page | {"id": asked["id"]})
    driver.reply(
        {"type": "error", "id": driver.session.post("dave", "no"), "code": "forbidden", "message": "not to him"}
    )
    state = json.loads(json.dumps(driver.session.state))
    assert [[one["found"] for one in chat["outbox"]] for chat in state["chats"]] == [[[6, 10], None], [None], []]
    return state


def _values(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value in a state."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _values(value[key], (*path, key))


STATE = _state()
ABSENT = "absent"


@pytest.mark.parametrize("damage", [ABSENT, None, "text", -1.5, True, [], {}, [[]]], ids=str)
@pytest.mark.parametrize("path", list(_values(STATE)), ids=str)
def test_a_state_that_is_damaged_is_refused_with_advice_or_does_no_harm(path: tuple[Any, ...], damage: object) -> None:
    state = copy.deepcopy(STATE)
    *way, last = path
    holder = functools.reduce(operator.getitem, way, state)
    if damage is ABSENT:
        del holder[last]
    else:
        holder[last] = damage
    if driver := _restored(state):
        driver.start([_chat("bob", 6)])
        driver.session.post("dave", "hi")
        driver.advance(60)
        assert json.loads(json.dumps(driver.session.state)) == driver.session.state
        assert driver.session.conversations


def _restored(state: Fields) -> Driver | None:
    """A client that goes on with the state, or None if that is refused with advice."""
    try:
        return Driver(state=state, backlog=0)
    except ValueError as error:
        if parley.ANEW not in str(error):
            raise
        return None


def test_a_state_from_before_messages_were_found_looks_for_them_again() -> None:
    state = copy.deepcopy(STATE)
    for outgoing in (one for chat in state["chats"] for one in chat["outbox"]):
        del outgoing["found"]
    driver = Driver(state=state, backlog=0)
    driver.accept()
    asked = sorted((frame["peer"], frame["after"]) for _, frame in driver.frames if frame["action"] == "history")
    assert asked == [("bob", 5), ("carol", 2)]
    assert not [frame for _, frame in driver.frames if frame["action"] == "send"]


def test_a_failure_is_kept_in_the_state_until_it_was_read() -> None:
    driver = Driver(backlog=0)
    driver.start([_chat("bob", 5)])
    id = driver.session.post("bob", "hi")
    driver.reply({"type": "error", "id": id, "code": "forbidden", "message": "no", "temporary": False})
    for _ in range(2):
        driver.restart()
    assert driver.session.next_event() == Failed(id, "bob", "forbidden", "no")
    driver.restart()
    assert driver.session.next_event() is None


def test_the_list_is_in_the_same_order_after_a_restart() -> None:
    driver = Driver(backlog=0)
    driver.start([_chat("bob", 5)])
    driver.session.post("dave", "first")
    driver.session.post("carol", "second")
    for _ in range(2):
        assert [one.peer for one in driver.session.conversations] == ["carol", "dave", "bob"]
        driver.restart()


def test_a_state_from_before_failures_were_kept_is_taken() -> None:
    state = {name: value for name, value in STATE.items() if name != "failed"}
    assert Driver(state=state).session.next_event() is None


def test_a_preview_is_as_short_as_the_servers() -> None:
    driver = Driver()
    driver.start()
    text = "\u20ac" * 2_000
    driver.reply({"type": "message", "from": "bob", "to": "alice", "seq": 1, "id": "b", "text": text, "ts": 1})
    assert driver.session.conversations[0].last_text == text[:200]
    assert json.dumps(driver.session.state, ensure_ascii=False).count("\u20ac") == 200
    assert [event.text for event in driver.events() if isinstance(event, Message)] == [text]


def _serve(server: ChatServer, driver: Driver) -> None:
    """Answers until nothing is asked any more."""
    while driver.frames:
        number, frame = driver.frames.pop(0)
        reply = server.answer(frame)
        assert reply
        driver.reply(reply, number)


def _texts(server: ChatServer) -> list[str]:
    return [message["text"] for message in server.logs["bob"]]


@pytest.mark.parametrize("backlog", [0, 50])
@pytest.mark.parametrize("is_new_user", [True, False])
@pytest.mark.parametrize("sent_before", [0, 5, 12])
def test_a_state_from_before_its_queue_was_sent_sends_only_what_is_not_stored(
    sent_before: int, is_new_user: bool, backlog: int
) -> None:
    server = ChatServer()
    offline = Driver(backlog=backlog)
    if not is_new_user:
        offline.accept()
        _serve(server, offline)
        offline.drop(1)
    texts = [f"message {number}" for number in range(12)]
    for text in texts:
        offline.session.post("bob", text)
    state = json.loads(json.dumps(offline.session.state))
    for one in state["chats"][0]["outbox"][:sent_before]:
        server.store("alice", "bob", one["text"], one["id"])
    restored = Driver(state=state, backlog=backlog)
    restored.accept()
    _serve(server, restored)
    assert _texts(server) == texts
    events = restored.events()
    assert [event.text for event in events if isinstance(event, Message)] == texts
    assert [event.seq for event in events if isinstance(event, Sent)] == list(range(1, 13))
    assert restored.session.conversations[0].pending == ()


def test_what_another_client_with_the_same_state_has_sent_is_not_sent_again() -> None:
    server = ChatServer()
    driver = Driver(backlog=0)
    driver.accept()
    _serve(server, driver)
    ids = [driver.session.post("bob", text) for text in ("first", "second")]
    driver.collect()
    for id, text in zip(ids, ("first", "second"), strict=True):
        server.store("alice", "bob", text, id)
    for message in reversed(server.logs["bob"]):
        driver.reply({"type": "message"} | message)
    assert not [frame for _, frame in driver.frames if frame.get("text") == "second"]
    driver.frames = [one for one in driver.frames if one[1]["action"] != "send"]
    _serve(server, driver)
    assert _texts(server) == ["first", "second"]
    assert driver.session.conversations[0].pending == ()


@pytest.mark.parametrize("state", [{}, [], "state", {"version": None}, {"version": "1"}, {"version": True}])
def test_an_invalid_state_is_refused_with_advice(state: Any) -> None:
    with pytest.raises(ValueError, match=r"or it is damaged; connect without a state: .* only what was unsent is lost"):
        Session(state=state)


def test_a_state_of_another_version_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"has version 2, .* only version 1; use the client that saved it, or connect"):
        Session(state=STATE | {"version": 2, "chats": {"another": "shape"}})
