"""How long a test waits before it says that what it waits for hangs."""

from __future__ import annotations

HANG_SECONDS = 300
"""Far longer than anything here takes on a busy machine. A test waits for what happens, and never for a time: this is
only there so that a hang is told, by the one who knows what was waited for, before pytest's own limit ends the run."""
