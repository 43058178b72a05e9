"""What an action costs, as the bench counts it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.cost import (
    BASELINE_NAME,
    SEND,
    SEND_ASKED,
    SEND_AWAY,
    SEND_AWAY_TOLD,
    SEND_BEHIND,
    SEND_FIRST,
    SEND_LONG_TAIL,
    Cost,
)
from bench.meter import Bill
from bench.prices import duration_ms, running
from chat.protocol import ACTION_OF

BUDGETS = {
    SEND: Bill(calls=6, table_round_trips=4, read_units=3.5, write_units=3, pushes=1),
    SEND_LONG_TAIL: Bill(calls=6, table_round_trips=4, read_units=4, write_units=3, pushes=1),
    SEND_FIRST: Bill(calls=8, table_round_trips=6, read_units=6.5, write_units=3, pushes=1),
    "receipt": Bill(calls=3, table_round_trips=2, read_units=2, write_units=2, pushes=1),
    "typing": Bill(calls=1, table_round_trips=1, read_units=2, pushes=1),
    "ping": Bill(),
    "unsend": Bill(calls=7, table_round_trips=6, read_units=3.5, write_units=4, pushes=1),
    "connect": Bill(calls=1, table_round_trips=1, write_units=1),
    "disconnect": Bill(calls=1, table_round_trips=1, write_units=1),
}


@pytest.mark.parametrize("action", BUDGETS)
@pytest.mark.parametrize("figure", ["calls", "table_round_trips", "read_units", "write_units", "pushes"])
def test_an_action_stays_within_its_budget(found: Mapping[str, Cost], action: str, figure: str) -> None:
    assert getattr(found[action].bill, figure) <= getattr(BUDGETS[action], figure)


def test_every_action_has_a_row(found: Mapping[str, Cost]) -> None:
    first_words = {re.split(r"\W", name)[0] for name in found}
    assert set(ACTION_OF.values()) <= first_words


def test_a_send_looks_once_more_than_before_and_takes_no_longer(found: Mapping[str, Cost]) -> None:
    now, before = found[SEND].bill, found[SEND_BEHIND].bill
    assert now.calls - before.calls == now.read_units - before.read_units == 1
    assert (now.table_round_trips, now.write_units, now.pushes) == (
        before.table_round_trips,
        before.write_units,
        before.pushes,
    )
    assert duration_ms(now) < duration_ms(before)


def test_looking_for_what_is_not_there_is_billed(found: Mapping[str, Cost]) -> None:
    # An empty log, two chats that are not there, the log once more; who listens; then both users' sessions.
    assert found[SEND_FIRST].bill.read_units == 0.5 + 2 + 1 + 1 + 2


def test_a_million_direct_messages_stay_within_their_price(found: Mapping[str, Cost]) -> None:
    send = found[SEND]
    assert send.bill.pushes == 1
    assert send.dollars.total - running(duration_ms(send.bill)) <= 5.5125  # frames, units and the request
    assert duration_ms(send.bill) <= 31.5  # as the row Memory measures it


def test_a_message_costs_less_than_through_a_plain_handler(found: Mapping[str, Cost]) -> None:
    assert found[SEND].dollars.total < found[BASELINE_NAME].dollars.total


def test_an_event_is_all_that_a_message_to_nobody_costs_more(found: Mapping[str, Cost]) -> None:
    without, told = found[SEND_AWAY].bill, found[SEND_AWAY_TOLD].bill

    assert (without.events, told.events, without.pushes) == (0, 1, 0)
    assert replace(told, events=0) == without
    more = found[SEND_AWAY_TOLD].dollars.total - found[SEND_AWAY].dollars.total
    assert more == pytest.approx(1 + running(10))  # the event, and the wait for it


def test_nothing_else_costs_an_event(found: Mapping[str, Cost]) -> None:
    assert {name for name, cost in found.items() if cost.bill.events} == {SEND_AWAY_TOLD}


def test_a_rule_of_ones_own_costs_a_question_before_a_first_message_alone(found: Mapping[str, Cost]) -> None:
    without, asked = found[SEND_FIRST], found[SEND_ASKED]

    assert replace(asked.bill, questions=0) == without.bill
    assert {name for name, cost in found.items() if cost.bill.questions} == {SEND_ASKED}
    assert duration_ms(asked.bill) - duration_ms(without.bill) == 20
    more = asked.dollars.total - without.dollars.total
    assert more == pytest.approx(0.2 + 2 * running(20))  # a request, the rule's time, and the wait for it
