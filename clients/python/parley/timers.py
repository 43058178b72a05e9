"""The client's intervals, and what is due when. The clock is read, never waited for.

Differs from timers.js: a token and a handshake have one limit together, closing has one too, and a connection that is
in doubt is not tested.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The client's intervals, in seconds. Tests make them short; nothing else has to."""

    backoff_first: float = 0.5
    backoff_most: float = 30
    lasting: float = 5 * 60  # how long a connection has to last before the backoff begins anew
    move_earliest: float = 90 * 60
    move_latest: float = 115 * 60
    drain: float = 10  # how long an old connection is kept for the replies to what was asked on it
    open: float = 30  # for a token and a handshake
    reply: float = 35  # API Gateway gives a function 29
    composing_shown: float = 12
    composing_every: float = 10
    away: float = 60  # how long no `composing` goes to a user known to be away, before asking again
    receipts: float = 0.2  # on average; messages that come together share a `delivered`; 0 sends it at once
    presence: float = 0.2  # between questions for the presence of users coming into sight
    close: float = 5


@dataclass(slots=True)
class Timer:
    """An action that is due at `at`, by the clock."""

    at: float
    action: Callable[[], None] | None

    def cancel(self) -> None:
        self.action = None


class Timers:
    """Actions, each due at some time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Timer]] = []

    @property
    def now(self) -> float:
        return self._clock()

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        timer = Timer(self._clock() + seconds, action)
        heapq.heappush(self._heap, (timer.at, next(self._order), timer))
        return timer

    @property
    def deadline(self) -> float | None:
        """When the next action is due, None if there is none."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self) -> None:
        """Takes every action that is due."""
        now = self._clock()
        while self.deadline is not None and self.deadline <= now:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action:
                action()

    def clear(self) -> None:
        self._heap.clear()


def named_pause(milliseconds: object, most: int) -> float:
    """The pause that the server asks for, in seconds, as far as it can be meant."""
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return 0  # no reason to ignore what it comes with
    return max(0, min(milliseconds, most)) / 1_000


class Backoff:
    """How long to wait before an attempt. Full jitter: clients that lost the same server do not come back in step."""

    def __init__(self, timing: Timing, rng: random.Random) -> None:
        self._timing = timing
        self._random = rng

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt of this number, counted from 0."""
        most = min(self._timing.backoff_most, self._timing.backoff_first * 2.0 ** min(attempt, 32))
        return self._random.uniform(0, most)
