"""The functions' log for people: one line per event, in the order in which they happened."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

HOLD = timedelta(seconds=0.5)
"""How long an event waits for an earlier one: an invocation's lines arrive when it ends, and several run at once."""

UNSHOWN = frozenset({"timestamp", "level", "message", "user", "request_id", "connection"})
WIDTH = 16
"""Columns for a user id; longer ones take what they need."""


class Journal:
    """Takes the log's lines as they arrive, and returns them in order."""

    def __init__(self) -> None:
        self._held: list[tuple[datetime, int, str]] = []
        self._taken = 0

    def take(self, line: str) -> None:
        """Takes a line. Anything that is not an event, such as a Python warning, is left out."""
        try:
            event = json.loads(line)
            moment = datetime.fromisoformat(event["timestamp"])
            shown = f"{moment.astimezone():%H:%M:%S}.{moment.microsecond // 1000:03}  {describe(event)}"
        except (ValueError, TypeError, KeyError):
            return
        self._taken += 1
        heapq.heappush(self._held, (moment, self._taken, shown))

    def due(self, now: datetime | None = None) -> Iterator[str]:
        """The events that have waited long enough by `now`."""
        until = (now or datetime.now(UTC)) - HOLD
        while self._held and self._held[0][0] <= until:
            yield heapq.heappop(self._held)[2]

    def rest(self) -> Iterator[str]:
        """Every event that is still waiting."""
        while self._held:
            yield heapq.heappop(self._held)[2]


def describe(event: dict[str, Any]) -> str:
    """Who did what, and how it went, in a line that is safe to print."""
    match event:
        case {"message": "frame"}:
            what = event.get("action", "an invalid frame")
            shown = {"action"}
        case {"message": "connection", "event": "CONNECT" | "DISCONNECT" as kind}:
            what = f"{kind.lower()}ed"
            shown = {"event"}
        case {"message": "announcement"}:
            what = f"announced {'online' if event.get('online') else 'offline'}"
            shown = {"online"}
        case _:
            what, shown = event["message"], set()
    rest = {name: value for name, value in event.items() if name not in UNSHOWN | shown}
    taken, milliseconds = rest.pop("taken", None), rest.pop("duration_ms", None)
    words = [what]
    words += [f"-> {taken} connection{'' if taken == 1 else 's'}"] if taken is not None else []
    words += [f"{name}={value}" for name, value in rest.items() if not (name in ("gone", "failed") and value == 0)]
    words += [f"({milliseconds} ms)"] if milliseconds is not None else []
    mark = "" if event.get("level") == "INFO" else f"{event.get('level')} "
    return _printable(f"{event.get('user', '-'):{WIDTH}}  {mark}{' '.join(words)}")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
