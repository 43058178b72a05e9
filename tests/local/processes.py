"""What runs on this machine."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil


def members(group: int) -> list[str]:
    """The commands of the living processes of a group."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found
