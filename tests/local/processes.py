"""What runs on this machine."""

from __future__ import annotations

import subprocess


def members(group: int) -> list[str]:
    """The commands of the living processes of a group."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=", "-o", "stat=", "-o", "args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [row[-1] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]
