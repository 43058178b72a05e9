"""What one user may cost: within its allowance nothing is noticed, over it frames wait, far over it the user is out."""

from __future__ import annotations

import json
from typing import Any

import announcement as announcement_function
import connection as connection_function
import message
import pytest
from botocore.exceptions import ConnectTimeoutError

from chat.announcements import announcement
from chat.limits import (
    BURST_MS,
    FORGOTTEN_SHARE,
    INVOCATION,
    MAX_ACCOUNTS,
    MAX_BELIEVED_MS,
    MAX_REFUSALS,
    MESSAGE,
    READ_UNIT,
    REFUSAL_MS,
    SEND,
    SHARED_MS,
    WRITE_UNIT,
    Limits,
    OverLimit,
)
from chat.protocol import Send, UserPresence
from chat.sessions import BAR_REMEMBERED_MS, FIRST_BAR_MS, LONGEST_BAR_MS, SPENT_UNTIL, Barred, Connection
from chat.table import Consumed, sessions_key
from tests.fakes.clock import ManualClock
from tests.fakes.instances import RATE
from tests.unit.events import websocket_event
from tests.unit.system import System, always

BURST = BURST_MS * RATE // 1_000
"""Messages that may be sent ahead."""


def spend(limits: Limits, messages: float, user: str = "alice") -> None:
    """As if the user had sent this many messages."""
    limits.charge(user, messages=round(messages * SEND - INVOCATION))


def refusals(limits: Limits, times: int, user: str = "alice") -> None:
    for _ in range(times):
        with pytest.raises(OverLimit):
            limits.admit(user)


def frame(system: System, action: str = "ping", **fields: object) -> Any:
    event = websocket_event("MESSAGE", body=json.dumps({"action": action, "id": "1", **fields}))
    response = message.serve(event, system.routes, system.limits)
    return json.loads(response["body"]) if "body" in response else None


def test_what_is_earned_in_half_a_minute_may_be_spent_at_once(system: System) -> None:
    spend(system.limits, BURST)

    system.limits.admit("alice")


def test_beyond_it_a_frame_is_told_exactly_how_long_to_wait(system: System, clock: ManualClock) -> None:
    spend(system.limits, BURST + 5)

    with pytest.raises(OverLimit) as refused:
        system.limits.admit("alice")

    assert refused.value.retry_after_ms == 500
    clock.advance(499)
    refusals(system.limits, 1)
    clock.advance(1)
    system.limits.admit("alice")


def test_a_user_that_keeps_to_the_rate_is_never_refused(system: System, clock: ManualClock) -> None:
    for _ in range(10 * BURST):
        system.limits.admit("alice")
        spend(system.limits, 1)
        clock.advance(1_000 // RATE)


def test_users_have_accounts_of_their_own(system: System) -> None:
    spend(system.limits, 2 * BURST)

    system.limits.admit("bob")


def test_a_frame_over_the_limit_is_an_error_that_says_when_and_costs_no_call(system: System) -> None:
    spend(system.limits, BURST + 10)
    system.steps.clear()

    error = frame(system, "send", to="bob", text="hi")

    assert (error["code"], error["temporary"], error["retry_after_ms"], error["id"]) == (
        "too_many_requests",
        True,
        1_000,
        "1",
    )
    assert system.steps == []


def test_a_frame_that_is_refused_is_not_charged(system: System, clock: ManualClock) -> None:
    """Or who has many under way would wait for ever."""
    spend(system.limits, BURST + 10)
    for _ in range(MAX_REFUSALS // 2):
        frame(system)

    clock.advance(1_000)

    assert frame(system)["type"] == "pong"


def test_a_receipt_that_moves_something_is_paid_for_by_who_has_written(system: System) -> None:
    """Clients send it unasked, from each device: those who write could have whoever reads them barred."""
    alice, bob = system.connect("alice"), system.connect("bob")
    system.routes.serve(alice, Send(None, "bob", "hi"))
    for _ in range(2):
        system.routes.serve(bob, Send(None, "alice", "hi"))
    before = system.limits._account("alice").spent_until
    system.consumed = Consumed(100, 100)

    for seq in (2, 3):
        for kind in ("delivered", "read"):
            assert frame(system, "receipt", peer="bob", kind=kind, seq=seq)["type"] == "ack"
    assert system.limits._account("alice").spent_until == before

    frame(system, "receipt", peer="bob", kind="read", seq=3)
    assert system.limits._account("alice").spent_until > before


def test_a_bad_frame_counts_as_any_other(system: System) -> None:
    for _ in range(10 * BURST):
        event = websocket_event("MESSAGE", body="not json")
        error = json.loads(message.serve(event, system.routes, system.limits)["body"])
        if error["code"] != "bad_request":
            break

    assert error["code"] == "too_many_requests"


def test_typing_over_the_limit_is_dropped_without_a_word(system: System) -> None:
    """An error without an id would have a client repeat all that it waits for."""
    spend(system.limits, BURST + 10)

    event = websocket_event("MESSAGE", body='{"action": "typing", "to": "bob", "state": "paused"}')

    assert message.serve(event, system.routes, system.limits) == {"statusCode": 200}


@pytest.mark.parametrize(
    ("consumed", "messages", "cost"),
    [
        (Consumed(), 2, INVOCATION + 2 * MESSAGE),
        (Consumed(read=200), 2, INVOCATION + 2 * MESSAGE + 200 * READ_UNIT),
        (Consumed(read=2, written=3), 3, INVOCATION + 3 * MESSAGE + 2 * READ_UNIT + 3 * WRITE_UNIT),
    ],
    ids=["a ping", "presence of a hundred", "a send to one device"],
)
def test_what_costs_more_counts_for_more(system: System, consumed: Consumed, messages: int, cost: float) -> None:
    allowance = 100  # messages to one device
    spend(system.limits, BURST - allowance)
    system.consumed = consumed
    count = 0
    while True:
        try:
            system.limits.admit("alice")
        except OverLimit:
            break
        system.limits.charge("alice", messages=messages)
        count += 1

    assert count == pytest.approx((allowance * SEND) / cost, abs=2)


def test_who_does_not_stop_is_barred_and_every_connection_closed(system: System, clock: ManualClock) -> None:
    phone, laptop = system.connect("alice"), system.connect("alice", "laptop")
    spend(system.limits, BURST + 10_000)
    refusals(system.limits, MAX_REFUSALS)

    assert frame(system) is None

    assert system.gateway.closed == [phone.id, laptop.id]
    for device in (phone, laptop):
        (told,) = system.pushed(device)
        assert json.loads(told) == {
            "type": "close",
            "code": "too_many_requests",
            "message": "this user keeps sending more than their allowance",
            "temporary": True,
            "retry_after_ms": FIRST_BAR_MS,
        }
    with pytest.raises(Barred):
        system.connect("alice", "tablet")
    clock.advance(FIRST_BAR_MS)
    system.connect("alice", "tablet")


def test_who_is_refused_now_and_then_is_not_barred(system: System, clock: ManualClock) -> None:
    spend(system.limits, 100 * BURST)
    for _ in range(10 * MAX_REFUSALS):
        refusals(system.limits, 1)
        clock.advance(REFUSAL_MS)


def test_a_bar_is_believed_without_asking_but_not_for_long(system: System, clock: ManualClock) -> None:
    """An operator may have lifted it."""
    bar = system.sessions.bar("alice", 10 * MAX_BELIEVED_MS)
    system.limits.believe("alice", bar)
    system.steps.clear()

    with pytest.raises(Barred):
        system.limits.admit("alice")
    assert system.steps == []

    clock.advance(MAX_BELIEVED_MS)
    system.limits.admit("alice")


def test_each_bar_lasts_twice_as_long_as_the_one_before_up_to_an_hour(system: System, clock: ManualClock) -> None:
    lasted = []
    for _ in range(8):
        bar = system.sessions.bar_for_longer("alice")
        lasted.append(bar.until - clock.now)
        clock.advance(lasted[-1])

    assert lasted == [min(FIRST_BAR_MS * 2**number, LONGEST_BAR_MS) for number in range(8)]
    clock.advance(BAR_REMEMBERED_MS)
    assert system.sessions.bar_for_longer("alice").until == clock.now + FIRST_BAR_MS


def test_one_that_is_barred_already_is_left_so(system: System, clock: ManualClock) -> None:
    """Several instances find out at once."""
    bar = system.sessions.bar_for_longer("alice")
    clock.advance(1)

    assert system.sessions.bar_for_longer("alice") == bar


def test_a_user_that_is_barred_is_online_nowhere_and_no_sync_puts_it_back(system: System, clock: ManualClock) -> None:
    phone = system.connect("alice")

    system.sessions.bar("alice", FIRST_BAR_MS)

    assert system.sessions.of(["alice"]) == {"alice": []}
    assert not system.sessions.presence(["alice"])[0].online
    with pytest.raises(Barred):
        system.sessions.restore(phone)


def test_what_is_spent_on_several_instances_counts_together(system: System, clock: ManualClock) -> None:
    instances = [Limits(system.sessions, Consumed, clock, rate=RATE) for _ in range(10)]
    sent = 0
    for _ in range(60):  # seconds
        for limits in instances:
            for _ in range(RATE):
                try:
                    limits.admit("alice")
                except (OverLimit, Barred):
                    break
                spend(limits, 1)
                sent += 1
        clock.advance(1_000)

    unseen = len(instances) * SHARED_MS * RATE // 1_000
    earned = RATE * 60 + BURST
    forgotten = round(len(instances) * FORGOTTEN_SHARE * RATE * 60)
    assert sent <= earned + unseen + forgotten


def test_who_sends_little_to_each_instance_costs_no_call(system: System, clock: ManualClock) -> None:
    system.steps.clear()
    for _ in range(600):
        system.limits.admit("alice")
        spend(system.limits, 1)
        clock.advance(round(1_000 / (FORGOTTEN_SHARE * RATE)))

    assert system.steps == []


def test_a_hundred_messages_in_a_row_cost_one_call(system: System) -> None:
    system.steps.clear()

    spend(system.limits, SHARED_MS * RATE // 1_000)

    assert system.steps == ["update"]
    assert system.table.items[sessions_key("alice")][SPENT_UNTIL] == system.clock.now + SHARED_MS


def test_a_table_that_does_not_answer_refuses_nobody(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system.before = always(ConnectTimeoutError(endpoint_url="https://dynamodb"), on="update")

    spend(system.limits, SHARED_MS * RATE // 1_000)

    system.limits.admit("alice")
    assert "spending not shared" in capsys.readouterr().out


def test_memory_is_bounded(system: System) -> None:
    for number in range(MAX_ACCOUNTS + 10):
        system.limits.admit(f"user-{number}")

    assert len(system.limits._accounts) == MAX_ACCOUNTS


# handshakes and announcements


def connect(system: System, device: str = "phone") -> int:
    event = websocket_event("CONNECT", connection=f"alice-{device}=", connected_at=system.clock.now)
    return connection_function.serve(event, system.connection_routes, system.limits)["statusCode"]


def test_a_handshake_of_a_barred_user_is_refused_with_one_call_and_the_next_with_none(system: System) -> None:
    system.sessions.bar("alice", FIRST_BAR_MS)
    system.steps.clear()

    assert [connect(system), connect(system)] == [429, 429]

    assert system.steps == ["update"]
    assert system.announcer.announced == []


def test_handshakes_are_spent_from_the_same_allowance(system: System) -> None:
    answers = [connect(system, str(number)) for number in range(2 * BURST)]

    assert set(answers) == {200, 429}
    assert answers.index(429) <= BURST * SEND / INVOCATION
    with pytest.raises(Barred):
        system.connect("alice")


def test_arrivals_and_departures_are_spent_from_it_too_and_are_left_out_beyond(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.acquaint("alice", "bob")
    bob = system.connect("bob")
    system.serve(Connection("alice", "phone", system.clock.now), Send(None, "bob", "hi"))
    spend(system.limits, BURST + 10)
    system.gateway.pushed.clear()

    news = announcement(UserPresence("alice", True, system.clock.now, 1))
    assert announcement_function.serve(news, system.routes, system.limits) == {"statusCode": 200}

    assert system.pushed(bob) == []
    assert json.loads(capsys.readouterr().out)["message"] == "announcement left out"
