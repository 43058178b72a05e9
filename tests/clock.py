"""A clock for tests."""

from __future__ import annotations


class ManualClock:
    """Stands still until it is moved. Milliseconds since the epoch, as everywhere."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds
