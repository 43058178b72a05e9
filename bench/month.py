"""A month: what a user costs, at how many users AWS's limits are met, and what each choice saves.

The model of `bench/capacity.py`, with the counts of this run in the place of those that its file remembers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bench.capacity import ALL_OF_THEM, CENTS, DAYS_A_MONTH, LEVERS, Audience, Model, model
from bench.cost import DELIVERED, SEND, Cost, counted
from bench.history import DATE
from bench.measure import Limit, Section, table
from bench.prices import prices

COUNTED = {
    "send": SEND,
    "receipt": "receipt",
    "delivered": DELIVERED,
    "typing": "typing",
    "heartbeat": "sync, a heartbeat with one change",
    "history": "history, a page of 20",
    "connect": "connect",
    "disconnect": "disconnect",
    "presence": "presence of one",
}
"""The row of the costs that each action of the model is counted by."""

LEAST_SHOWN = 0.005
"""Of the bill: what is less would be shown as nothing."""

LEFT = (
    "with the choices that were left it would be {:.2f}: "
    "[seven minutes](decisions.md#a-heartbeat-stays-at-four-to-five-minutes), "
    "[fewer receipts](decisions.md#what-was-pushed-is-reported-delivered-all-the-same), "
    "[receipts without an answer](decisions.md#acknowledgements-of-receipts-stay)"
)
"""What is in the way of a month's bars: each would take something that people see."""

OTHERWISE = {
    "twice as many connects": {"connects_a_device": 2.0},
    "half as many connects": {"connects_a_device": 0.5},
    "twice as long online": {"hours_online_a_device": 2.0},
    "half as long online": {"hours_online_a_device": 0.5},
    "all whom a message is for are there": {"found_online": 2.0},
    "nobody has another device there": {"another_device_there": 0.0},
}
"""Assumptions that weigh, and how many times as much each may be."""


def counts(found: Mapping[str, Cost]) -> dict[str, dict[str, Any]]:
    """What the model has to know of each action, as it was counted."""
    return {action: _count(found[row]) for action, row in COUNTED.items()}


def _count(cost: Cost) -> dict[str, Any]:
    bill = cost.bill
    return {
        "frames": cost.frames,
        "writes": bill.write_units,
        "reads": bill.read_units,
        "calls": bill.calls,
        "table_trips": bill.table_round_trips,
        "push_trips": bill.push_round_trips,
        "beside_pushes": bill.beside_pushes,
        "invocations": cost.invocations,
    }


def run() -> Section:
    return section(counts(counted()))


def section(found: Mapping[str, Any]) -> Section:
    known = model()
    known = replace(known, figures={**known.figures, "counted": {**known.figures["counted"], **found}})
    people = known.people()
    limits = [
        _limit(one, audience, at_most)
        for (one, audience), at_most in zip(people.values(), known.figures["cents_at_most"].values(), strict=True)
    ]
    return Section("A month", _text(known, people), limits)


def _limit(one: Model, audience: Audience, at_most: float) -> Limit:
    cents, saved = one.cents(audience), one.left(audience)[ALL_OF_THEM]
    note = LEFT.format(cents * (1 - saved)) if cents > at_most else ""
    return Limit(f"a user and month with {audience.chats} chats, cents", cents, at_most, note)


def _text(known: Model, people: Mapping[str, tuple[Model, Audience]]) -> str:
    figures = known.figures
    slower, peak = figures["settings_left"]["heartbeat_minutes"], figures["usage"]["peak_over_mean"]
    back = figures["usage"]["back_within_the_grace"]
    header = ["", *(f"{audience.chats} chats" for _, audience in people.values())]
    return f"""\
A model, not a measurement: the counts of [Cost of an action](#cost-of-an-action), list prices of {prices()["region"]},
and assumptions about people ([bench/capacity.json](../bench/capacity.json), {figures["date"]}, to be edited; `make
capacity` answers for other numbers). Cents a user and month, at a million users who each send and receive
{Audience().messages_per_day:g} messages a day, by the chats that they have; with {_each(people)}. *Before* is the model
of {DATE}, *counted anew* are the settings of that day with the calls, log lines and prices of this one. A line of
the log is as long as the handler writes it for users whose ids are UUIDs. Of those who go, {back:.0%} are assumed to
be back within the grace, which nobody has measured.

{table(header, list(_totals(known, people)))}

By feature, now:

{table(header, list(_features(people)))}

What each choice changes, alone, of the bill that there would be without all of them, if that comes to 1 % for
somebody:

{table(header, list(_levers(people)))}

Choices that were left, since each would take something that people see, and what each would save of the bill as it is
(a heartbeat every {slower:g} minutes):

{table(header, list(_left(people)))}

At how many thousand users who are there on a day each limit is met, in the hour with {peak:g} times as many as the
mean; in brackets before the choices above:

{table(header, list(_quotas(people)))}

Connections are assumed to end at any time with the same chance, so short ones have no heartbeat. If what is assumed of
people is otherwise, cents:

{table(header, list(_otherwise(people)))}
"""


def _each(people: Mapping[str, tuple[Model, Audience]]) -> str:
    return "; ".join(
        f"{audience.devices:g} {'device' if audience.devices == 1 else 'devices'}, "
        f"{one.of('usage', 'hours_online_a_device'):g} h a day and "
        f"{one.of('usage', 'connects_a_device'):g} connects a day on each"
        for one, audience in people.values()
    )


def _totals(known: Model, people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    yield ["before", *(f"{cents:.2f}" for cents in known.figures["cents_before"].values())]
    yield ["before, counted anew", *(f"{one.before.cents(audience):.2f}" for one, audience in people.values())]
    yield ["now", *(f"{one.cents(audience):.2f}" for one, audience in people.values())]


def _features(people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    columns = [_by_feature(one, audience) for one, audience in people.values()]
    for name in columns[0]:
        yield [name, *(f"{column[name]:.2f}" for column in columns)]


def _by_feature(one: Model, audience: Audience) -> dict[str, float]:
    price = one.frame_price(audience)
    cents = {
        name: CENTS * DAYS_A_MONTH * sum(one.dollars(load, price).values())
        for name, load in one.features(audience).items()
    }
    return cents | {"what is kept": CENTS * one.storage(audience) / audience.users}


def _levers(people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    columns = [one.levers(audience) for one, audience in people.values()]
    for name in LEVERS.values():
        saved = [column.get(name, 0) for column in columns]
        if max(saved) >= LEAST_SHOWN:
            yield [name, *(f"{-one:+.0%}" for one in saved)]


def _left(people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    columns = [one.left(audience) for one, audience in people.values()]
    for name in columns[0]:
        yield [name, *(f"{-column[name]:+.0%}" for column in columns)]


def _quotas(people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    columns = [
        ({name: users for name, users, _ in one.limits(audience)}, dict(_before(one, audience)))
        for one, audience in people.values()
    ]
    for name, quota in next(iter(people.values()))[0].figures["quotas"].items():
        shown = (f"{now[name] / 1_000:,.0f} ({before[name] / 1_000:,.0f})" for now, before in columns)
        yield [f"{name}, {quota['a_second']:,} a second", *shown]


def _before(one: Model, audience: Audience) -> Iterator[tuple[str, float]]:
    for name, users, a_second in one.before.limits(audience):
        yield name, users * one.figures["quotas"][name].get("a_second_before", a_second) / a_second


def _otherwise(people: Mapping[str, tuple[Model, Audience]]) -> Iterator[list[str]]:
    for name, changed in OTHERWISE.items():
        cents = []
        for one, audience in people.values():
            usage = one.figures["usage"]
            usage = {**usage, **{assumed: times * usage[assumed] for assumed, times in changed.items()}}
            cents.append(f"{replace(one, figures={**one.figures, 'usage': usage}).cents(audience):.2f}")
        yield [name, *cents]
