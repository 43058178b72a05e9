"""Calls side by side: SDK calls wait for the network, so threads take as long as the slowest of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar, cast

S = TypeVar("S")
T = TypeVar("T")

THREADS = 40
"""Calls at a time: a push to every device that two users can have. The SDK's connection pool has the same size, or
calls would open connections beyond it, and drop them afterwards."""


class Parallel(Protocol):
    """Runs all of the calls, and returns their results in order; then raises the first error, if any."""

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]: ...


def both(parallel: Parallel, first: Callable[[], S], second: Callable[[], T]) -> tuple[S, T]:
    """Runs two calls with results of different types."""
    calls: list[Callable[[], S | T]] = [first, second]
    one, other = parallel(calls)
    return cast("S", one), cast("T", other)


class Threads:
    """Runs the first call in the caller's thread, and the others in threads that are kept between invocations.

    So put the call first that must not wait. A call may itself run calls here: two that do, with all that they run, are
    fewer than there are threads.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS)

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        futures = [self._executor.submit(call) for call in calls[1:]]
        try:
            first = [call() for call in calls[:1]]
        finally:
            # Wait for all before raising: a call that outlives its invocation would freeze with the function, half-way.
            for future in futures:
                future.exception()
        return first + [future.result() for future in futures]
