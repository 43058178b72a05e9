"""Calls side by side. The stand-in of the unit tests has to do what the threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Barrier, Event, current_thread, main_thread

import pytest

from chat.parallel import Parallel, Threads
from tests.fakes.memory import serially
from tests.hang import HANG_SECONDS

BOTH = pytest.mark.parametrize("parallel", [Threads(), serially], ids=["threads", "serially"])


@BOTH
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_are_in_the_order_of_the_calls(parallel: Parallel, count: int) -> None:
    def returning(number: int) -> Callable[[], int]:
        return lambda: number

    assert parallel([returning(number) for number in range(count)]) == list(range(count))


@BOTH
@pytest.mark.parametrize("failing", [{0}, {1}, {2}, {1, 2}, {0, 1, 2}], ids=str)
def test_all_calls_are_made_and_then_the_first_failure_is_raised(parallel: Parallel, failing: set[int]) -> None:
    made: set[int] = set()

    def calling(number: int) -> Callable[[], None]:
        def call() -> None:
            made.add(number)
            if number in failing:
                raise ValueError(number)

        return call

    with pytest.raises(ValueError, match=str(min(failing))):
        parallel([calling(number) for number in range(3)])

    assert made == {0, 1, 2}


def test_no_call_outlives_a_failure() -> None:
    """One that did would freeze with the function, half done."""
    failed, finished = Event(), Event()

    def fail() -> None:
        failed.set()
        raise ValueError("failed")

    def finish_later() -> None:
        failed.wait(HANG_SECONDS)
        time.sleep(0.1)  # whoever does not wait for this one has gone by now
        finished.set()

    with pytest.raises(ValueError, match="failed"):
        Threads()([fail, finish_later])

    assert finished.is_set()


def test_threads_run_side_by_side() -> None:
    """Each call waits for all the others."""
    together = Barrier(8, timeout=HANG_SECONDS)

    assert sorted(Threads()([together.wait] * 8)) == list(range(8))


def test_the_first_call_stays_in_the_callers_thread() -> None:
    first, second, third = Threads()([current_thread] * 3)

    assert first is main_thread()
    assert main_thread() not in {second, third}


def test_a_single_call_needs_no_thread() -> None:
    assert Threads()([current_thread]) == [main_thread()]
