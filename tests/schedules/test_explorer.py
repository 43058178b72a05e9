"""The explorer itself: it runs every order, tries every fault, and tells what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations, permutations
from math import comb

import pytest

from chat.protocol import ChatError
from chat.table import Key, Update
from tests.schedules.explorer import Actor, Explored, Outcome, Player, Scenario, ScheduleFailed, Step, explore
from tests.schedules.instance import Died, LostReply, StepTable
from tests.schedules.world import Violation, World

COUNTER = Key("counter", "of all")
ONE_MORE = Update(add={"count": 1})


def _count(world: World) -> int:
    return int(world.items.get(COUNTER, {}).get("count", 0))


def _explore(actors: Mapping[str, Actor], *, total: int) -> Explored:
    def check(world: World) -> None:
        if _count(world) != total:
            raise Violation(f"{_count(world)}, not {total}")

    return explore(Scenario(actors, World({}), check))


def _adds(times: int) -> Actor:
    def way(world: World) -> Outcome:
        world.update(COUNTER, ONE_MORE)
        return Outcome()

    def actor(player: Player) -> None:
        for _ in range(times):
            player.step(Step("adds", {"": way}))

    return actor


def _reads_then_writes(player: Player) -> None:
    table = StepTable(player)
    count = table.get([COUNTER]).get(COUNTER, {}).get("count", 0)
    table.update(COUNTER, Update(put={"count": int(count) + 1}))


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 2), (3, 5), (30, 30)])
def test_every_order_is_counted_and_none_gone_through_twice(first: int, second: int) -> None:
    explored = _explore({"first": _adds(first), "second": _adds(second)}, total=first + second)
    assert explored.schedules == comb(first + second, first)
    assert explored.states == (first + 1) * (second + 1)


def test_a_lost_update_is_found_and_told() -> None:
    with pytest.raises(ScheduleFailed) as found:
        _explore({"first": _reads_then_writes, "second": _reads_then_writes}, total=2)
    assert str(found.value).splitlines() == [
        "1, not 2",
        "  1  first: get counter of all -> 0 found",
        "  2  second: get counter of all -> 0 found",
        "  3  first: update counter of all: count = 1",
        "  4  second: update counter of all: count = 1",
    ]


def test_a_write_fails_before_it_is_made_and_after_and_is_made_twice() -> None:
    ends: set[tuple[str, int]] = set()

    def actor(player: Player) -> None:
        error = "none"
        try:
            StepTable(player).update(COUNTER, ONE_MORE)
        except (ChatError, Died, LostReply) as raised:
            error = type(raised).__name__
        ends.add((error, player.step(Step("looks", {"": lambda world: Outcome(_count(world))}))))

    explore(Scenario({"only": actor}, World({}, faults=1), lambda _: None, unreliable=["only"]))
    assert ends == {("none", 1), ("ChatError", 0), ("Died", 0), ("LostReply", 1), ("none", 2)}


def test_after_the_last_pause_the_actors_go_one_after_another() -> None:
    def actor(player: Player) -> None:
        player.pause(last=True)
        _adds(2)(player)

    assert _explore({"first": actor, "second": actor}, total=4).schedules == 1


def _added(player: Player, times: int) -> tuple[int, ...]:
    """What the counter shows behind each of these steps."""

    def way(world: World) -> Outcome:
        world.update(COUNTER, ONE_MORE)
        return Outcome(_count(world))

    return tuple(player.step(Step("adds", {"": way})) for _ in range(times))


def test_calls_side_by_side_go_in_every_order_of_their_steps() -> None:
    seen: set[tuple[tuple[int, ...], ...]] = set()

    def actor(player: Player) -> None:
        seen.add(tuple(player.side_by_side([partial(_added, player, 2), partial(_added, player, 2)])))

    _explore({"only": actor}, total=4)
    assert seen == {
        (first, tuple(number for number in range(1, 5) if number not in first))
        for first in combinations(range(1, 5), 2)
    }


def test_calls_within_calls_side_by_side_go_in_every_order_too() -> None:
    seen: set[tuple[int, ...]] = set()

    def actor(player: Player) -> None:
        one: Callable[[], tuple[int, ...]] = partial(_added, player, 1)

        def alone() -> list[tuple[int, ...]]:
            return [one()]

        def pair() -> list[tuple[int, ...]]:
            return player.side_by_side([one, one])

        first, others = player.side_by_side([alone, pair])
        seen.add(tuple(number for (number,) in (*first, *others)))

    _explore({"only": actor}, total=3)
    assert seen == set(permutations((1, 2, 3)))


def test_a_call_side_by_side_that_fails_is_raised_once_all_are_made() -> None:
    def fails(player: Player) -> tuple[int, ...]:
        _added(player, 1)
        raise ValueError("failed")

    def actor(player: Player) -> None:
        with pytest.raises(ValueError, match="failed"):
            player.side_by_side([partial(fails, player), partial(_added, player, 2)])

    _explore({"only": actor}, total=3)


def test_an_invocation_that_dies_in_one_call_dies_in_all() -> None:
    ends: set[int] = set()

    def actor(player: Player) -> None:
        table = StepTable(player)
        try:
            calls: list[Callable[[], object]] = [partial(table.update, COUNTER, ONE_MORE), partial(_added, player, 1)]
            player.side_by_side(calls)
        except (ChatError, LostReply):
            return
        except Died:
            ends.add(player.step(Step("looks", {"": lambda world: Outcome(_count(world))})))

    explore(Scenario({"only": actor}, World({}, faults=1), lambda _: None, unreliable=["only"]))
    assert ends == {0, 1}
