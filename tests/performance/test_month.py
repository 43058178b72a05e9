"""The bench's row of a month: what a user costs, and what our choices save."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.capacity import LEVERS, Audience, model
from bench.month import section

CHATS = (20, 50, 100)


def _row(text: str, name: str) -> list[float]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [float(cell.strip("% ")) for cell in line.split("|")[2:-1]]


@pytest.fixture(scope="module")
def text() -> str:
    return section({}).text


def test_the_features_of_each_kind_of_people_come_to_its_total(text: str) -> None:
    _, features = text.split("By feature, now:")
    table = features.split("\n\n")[1]
    names = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    sums = [sum(column) for column in zip(*(_row(table, name) for name in names), strict=True)]
    # Each is rounded to a hundredth of a cent; what costs the same for all together is not there.
    assert sums == pytest.approx(_row(text, "now"), abs=0.005 * len(names))


def test_the_settings_of_then_cost_what_the_model_of_then_said(text: str) -> None:
    assert _row(text, "before, counted anew") == pytest.approx(_row(text, "before"), rel=0.1)


def test_the_limits_are_the_totals(text: str) -> None:
    limits = section({}).limits
    assert [round(limit.measured, 2) for limit in limits] == _row(text, "now")
    assert [int(re.findall(r"\d+", limit.figure)[0]) for limit in limits] == list(CHATS)


def test_what_was_counted_takes_the_place_of_what_is_remembered(text: str) -> None:
    dear = {"send": {**model().figures["counted"]["send"], "writes": 100}}
    assert all(
        more > less for more, less in zip(_row(section(dear).text, "messages"), _row(text, "messages"), strict=True)
    )


@pytest.mark.parametrize("setting", LEVERS)
def test_each_choice_saves_somebody_something(setting: str) -> None:
    known = model()
    values = {**known.figures["settings_before"]}
    other = {
        "heartbeat_minutes": 7,
        "first_heartbeat_whole": 1,
        "announced_chats": 10,
        "grace_seconds": 60,
        "presence_asked": 10,
        "presence_with_sync": 1,
        "bytes_of_lambdas_own_lines": 0,
        "receipts_of_what_was_pushed": 0,
        "acks_of_receipts": 0,
        "typing_to_who_is_away": 0,
        "chats_a_page": 100,
        "previews_of_the_first_page_only": 1,
    }[setting]
    assert other != values[setting]
    chosen = replace(known, settings={**values, setting: other})
    assert any(
        replace(one, settings=chosen.settings).cents(audience) < one.before.cents(audience)
        for one, audience in known.people().values()
    )


def test_what_was_left_shows_what_it_would_save_now_and_all_of_it_together(text: str) -> None:
    _, left = text.split("were left")
    alone = [_row(left, LEVERS[name]) for name in model().figures["settings_left"]]
    together = _row(left, "all of them")
    assert all(saved <= 0 for row in alone for saved in row)
    assert all(whole < min(parts) for whole, *parts in zip(together, *alone, strict=True))


def test_a_grace_costs_a_queue_and_a_look_and_saves_what_need_not_be_told() -> None:
    (known, people), *_ = model().people().values()
    told = replace(known, settings={"grace_seconds": 0}).features(people)["presence, told"]
    late = known.features(people)["presence, told"]
    departures = told.invocations / 2
    spared = known.of("usage", "back_within_the_grace")
    assert late.frames == pytest.approx(told.frames * (1 - spared))
    assert late.queued == pytest.approx(3 * departures)
    assert late.reads == pytest.approx(told.reads * (1 - spared) + departures)
    assert late.invocations == pytest.approx(told.invocations * (1 - spared) + departures * spared)


def test_a_limit_in_brackets_is_what_it_was_then(text: str) -> None:
    (line,) = (line for line in text.splitlines() if line.startswith("| the stack's own throttle of `sync`"))
    throttle = model().figures["quotas"]["the stack's own throttle of `sync`"]
    for cell, (one, audience) in zip(line.split("|")[2:-1], model().people().values(), strict=True):
        then = {name: users for name, users, _ in one.before.limits(audience)}["the stack's own throttle of `sync`"]
        assert f"({then * throttle['a_second_before'] / throttle['a_second'] / 1_000:,.0f})" in cell
    assert throttle["a_second_before"] == 500


def test_every_setting_has_a_name_for_people_and_a_value_of_before() -> None:
    figures = model().figures
    assert set(LEVERS) == set(figures["settings"]) == set(figures["settings_before"])


def test_a_frame_is_cheaper_beyond_a_billion() -> None:
    known = model()
    few, many = (known.frame_price(replace(Audience(), users=users)) for users in (1_000, 1_000_000_000))
    assert few == 1.00e-6
    assert many == pytest.approx(0.80e-6, rel=0.01)
