"""One JSON line an invocation, for people and for metric filters; never a text, a token or an exception's message.

The lines are printed, not sent through `logging`, so they look the same on AWS, where the functions' log format is
JSON, and on the emulator. `timestamp` and `level` are what AWS filters on.
"""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from typing import Literal

Level = Literal["INFO", "WARN", "ERROR"]


def line(level: Level, message: str, **fields: object) -> None:
    """Writes one line; fields that are None are left out."""
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    known = {name: value for name, value in fields.items() if value is not None}
    # One write, line break included: lines of parallel threads must not run into each other.
    text = json.dumps({"timestamp": timestamp, "level": level, "message": message, **known}, separators=(",", ":"))
    print(text + "\n", end="", flush=True)


def failure(message: str, error: BaseException, **fields: object) -> None:
    """Writes what failed and where. An exception's own message may quote a frame, so only its type is written."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    line("ERROR", message, error=type(error).__name__, aws_error=code, where=where, **fields)
