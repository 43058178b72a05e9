"""The simulation on which it was decided that no tail is remembered."""

from __future__ import annotations

import pytest

from bench.remembered_tail import FRAMES_A_SECOND, PICKS, SENDS, Sends, simulated


@pytest.mark.parametrize("frames_a_second", FRAMES_A_SECOND)
@pytest.mark.parametrize("pick", PICKS)
def test_a_remembered_tail_costs_more_than_it_saves(frames_a_second: int, pick: str) -> None:
    found = simulated(frames_a_second, PICKS[pick])
    assert found.fresh + found.stale + found.neither == SENDS
    assert found.dollars > 0


def test_a_run_finds_what_the_one_before_found() -> None:
    assert simulated(2, PICKS["any"]) == simulated(2, PICKS["any"])


def test_it_pays_where_it_is_fresh_eleven_times_as_often_as_stale() -> None:
    assert Sends(fresh=11, stale=1).dollars == pytest.approx(0)
    assert Sends(fresh=12, stale=1).dollars < 0 < Sends(fresh=10, stale=1).dollars
