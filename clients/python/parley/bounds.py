"""How much the client keeps. The rest waits at the server."""

from __future__ import annotations

from dataclasses import dataclass

MAX_FETCHES = 8
"""Conversations whose gaps are filled at once."""
MAX_OUTBOX = 1_000
"""Unsent messages of one conversation."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, in numbers of each. Tests make them small; nothing else has to."""

    events: int = 10_000
    """Events that the application has not read: here messages stop, and at twice as many everything else does."""
    chats: int = 5_000
    """Conversations. Beyond that the oldest are forgotten, and found again when something happens in them."""
    ahead: int = 100
    """Messages of one conversation that wait for one before them."""
    ahead_in_all: int = 1_000
    """Those of all conversations together. What comes beyond that is fetched with what is before it."""
    unsends_in_all: int = 1_000
    """Unread messages of all conversations that take one back. Those beyond that count as unread, as at the server."""
    unsent: int = MAX_OUTBOX
    fetches: int = MAX_FETCHES
    presences: int = 10_000
    """Users whose presence is remembered."""
