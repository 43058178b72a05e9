"""Which messages of a conversation its user never sees: those that were stored while the user had blocked the peer.

The user's chat item has their numbers as ranges in one attribute, `hidden` ("43-49 60-65"). While the peer is blocked,
the last range is open: it ends at MAX_SEQ. `hidden_to` is where the last range ends, so that the condition of an update
can say whether a number is beyond all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from chat.table import MAX_SEQ, TTL, AtLeast, Below, Condition, Item, attribute

KEPT = "kept"
KEPT_UNTIL = 253_402_300_799
FOR_GOOD = {KEPT: KEPT_UNTIL, TTL: KEPT_UNTIL}
"""Put into both chat items once one user has ever blocked the other, in seconds since the epoch: they stay until the
end of 9999. Messages are hidden by number, so the numbers must not begin again. A move sets `ttl` to `kept`."""

HIDDEN = "hidden"
HIDDEN_TO = "hidden_to"
BLOCK_REV = "block_rev"
"""Attribute of a chat item: how often its user has changed what is hidden."""

MAX_RANGES = 40
"""Ranges of one chat item, some 500 bytes: with them it stays within the one write unit that a move of it costs. With
one more, the two that are closest become one, which also hides what is between them."""

_RANGE = re.compile(r"([0-9]{1,12})-([0-9]{1,12})")


class Range(NamedTuple):
    """The numbers from `first` to `last`, both inclusive; none, if `last` is below `first`."""

    first: int
    last: int


def hidden_in(chat: Item) -> tuple[Range, ...]:
    """The ranges that the user of the chat item does not see, in order."""
    found = _RANGE.findall(attribute(chat, HIDDEN, ""))
    return tuple(Range(int(first), int(last)) for first, last in found)


def is_blocked(chat: Item) -> bool:
    """Whether the user of the chat item has blocked the peer."""
    return bool(attribute(chat, HIDDEN_TO, 0) >= MAX_SEQ)


def range_with(hidden: Sequence[Range], seq: int) -> Range | None:
    return next((one for one in hidden if one.first <= seq <= one.last), None)


def hides(chat: Item, seq: int) -> bool:
    """Whether the user of the chat item does not see the message of that number."""
    return range_with(hidden_in(chat), seq) is not None


def opened(hidden: Sequence[Range], first: int) -> tuple[Range, ...]:
    """The ranges, with everything from `first` on hidden as well."""
    return (*filter(_holds_any, hidden), Range(first, MAX_SEQ))


def closed(hidden: Sequence[Range], last: int) -> tuple[Range, ...]:
    """The ranges, with nothing hidden after `last`."""
    return (*hidden[:-1], Range(hidden[-1].first, last)) if hidden else (Range(last + 1, last),)


def without(hidden: Sequence[Range], seq: int) -> tuple[Range, ...]:
    """The ranges, without the number."""
    apart: list[Range] = []
    for one in hidden:
        apart += [Range(one.first, seq - 1), Range(seq + 1, one.last)] if one.first <= seq <= one.last else [one]
    return (*filter(_holds_any, apart[:-1]), apart[-1])


def hiding(hidden: Sequence[Range]) -> dict[str, str | int]:
    """The attributes that store the ranges."""
    while len(hidden) > MAX_RANGES:
        closest = min(range(1, len(hidden)), key=lambda place: hidden[place].first - hidden[place - 1].last)
        merged = Range(hidden[closest - 1].first, hidden[closest].last)
        hidden = (*hidden[: closest - 1], merged, *hidden[closest + 1 :])
    return {HIDDEN: " ".join(f"{first}-{last}" for first, last in hidden), HIDDEN_TO: hidden[-1].last}


def unchanged(chat: Item, *, seq: int | None = None) -> tuple[Condition, ...]:
    """Conditions that the chat item is unchanged, or, with `seq`, has moved up to there at most.

    It must not have expired meanwhile, either: the numbers may have begun again.
    """
    rev, ttl = attribute(chat, BLOCK_REV, 0), attribute(chat, TTL, 0)
    return (
        Below("seq", (attribute(chat, "seq", 0) if seq is None else seq) + 1),
        Below(BLOCK_REV, rev + 1),
        *([AtLeast(BLOCK_REV, rev)] if rev else []),
        *([AtLeast(TTL, ttl)] if ttl else []),
    )


def _holds_any(one: Range) -> bool:
    return one.first <= one.last
