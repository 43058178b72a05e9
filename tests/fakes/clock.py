"""A clock for tests, and times in its unit."""

from __future__ import annotations

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
RETENTION_MS = 30 * DAY_MS


START = 1_800_000_000_000


class ManualClock:
    """Stands still until it is moved. Milliseconds since the epoch, as everywhere."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds


def expiry(ts: int) -> int:
    """When a message of that time expires, in milliseconds since the epoch: in whole seconds, as DynamoDB counts."""
    return (ts + RETENTION_MS) // 1_000 * 1_000
