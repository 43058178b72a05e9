"""How long a test waits before it says that what it waits for hangs."""

from __future__ import annotations

import time
from collections.abc import Callable

HANG_SECONDS = 180
"""Far longer than anything here takes on a busy machine. A test waits for what happens, and never for a time: this is
only there so that a hang is told, by the one who knows what was waited for, before pytest's own limit ends the run."""

_LOOK_AGAIN_SECONDS = 0.01


def until(holds: Callable[[], object], what: str = "") -> None:
    """Waits for something that nobody announces. Raises AssertionError if that hangs."""
    deadline = time.monotonic() + HANG_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {HANG_SECONDS} s in vain: {what or holds}"
        time.sleep(_LOOK_AGAIN_SECONDS)
