"""Time, in milliseconds since the epoch: on the wire, in the table, everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def is_older(moment: int | None, age_ms: int, now: int) -> bool:
    """Whether the moment lies at least `age_ms` back, never was, or lies ahead because the clock was set back."""
    return moment is None or not 0 <= now - moment < age_ms
