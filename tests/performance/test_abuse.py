"""What one abusive user can cost, simulated with the limits as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.abuse import INSTANCES, Hour, flooding, patient
from bench.cost import Cost
from bench.functions import NOWHERE, environment, running_in
from bench.meter import Bill
from chat import sdk
from tests.fakes.engines import PATIENT, Engine

DOLLARS = 2.0
OTHERS = 0.99

FRAMES = {
    "a ping": Cost(Bill(), frames=2),
    "a long message to twenty devices": Cost(
        Bill(calls=4, read_units=2, write_units=11, pushes=39, table_round_trips=3, push_round_trips=1), frames=2
    ),
    "a retry behind a thousand long messages": Cost(
        Bill(calls=15, read_units=2_035, write_units=3, pushes=39, table_round_trips=14, push_round_trips=1), frames=2
    ),
}
"""The cheapest, the dearest, and one in between."""


@pytest.mark.parametrize("way", [flooding, patient])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("instances", [5, INSTANCES, 50])
def test_one_user_costs_less_than_two_dollars_an_hour_and_leaves_the_others_alone(
    dynamodb: Engine, way: Callable[[Cost, int], Hour], frame: str, instances: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "CONFIG", PATIENT)  # a charge that a busy machine delays is not made twice
    with running_in(environment(dynamodb.url, NOWHERE)):
        hour = way(FRAMES[frame], instances)

    print(hour)
    assert hour.dollars < DOLLARS
    if way is flooding and instances <= INSTANCES:  # the more there are, the later each has seen enough
        assert hour.honest_share > OTHERS


def test_so_says_the_table() -> None:
    text = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    rows = re.findall(r"^\| `.*\| \$\S+ \| \$(\S+) \| \$(\S+) \| \S+ \| (\S+)% \|$", text, re.MULTILINE)
    assert len(rows) > len(FRAMES)
    for flood, just_below, others in rows:
        assert float(flood) < DOLLARS
        assert float(just_below) < DOLLARS
        assert float(others) > 100 * OTHERS
