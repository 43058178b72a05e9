"""What is shown of data that this client does not know: its names and values, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clients.terminal.printable import printable
from parley import Data

MOST_LINES = 12
LINE = 60  # characters
DEEPEST = 6  # steps that a line is set in by

DATA = "data"
"""What is said where there is no room for it."""

EDGE = "▌ "


def card(data: Data) -> list[str]:
    """The lines of a neutral card, safe to draw."""
    lines = list(_lines(data, 0))
    shown = lines[: MOST_LINES if len(lines) <= MOST_LINES else MOST_LINES - 1]
    more = [f"… {left:,} more lines"] if (left := len(lines) - len(shown)) else []
    return [EDGE + line for line in [*map(_cut, shown), *more]]


def _cut(line: str) -> str:
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def _lines(value: Data | list[object], depth: int) -> Iterator[str]:
    indent = "  " * min(depth, DEEPEST)
    for label, inner in _labelled(value):
        is_nested = isinstance(inner, dict | list)
        yield indent + printable(f"{label} {'' if is_nested else _word(inner)}").rstrip()
        if isinstance(inner, dict | list):
            yield from _lines(inner, depth + 1)


def _labelled(value: Data | list[object]) -> Iterable[tuple[str, object]]:
    if isinstance(value, dict):
        return ((f"{name}:", inner) for name, inner in value.items())
    return (("-", inner) for inner in value)


def _word(value: object) -> str:
    """A value as JSON has it, a string without its quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
