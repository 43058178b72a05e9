"""Who may see whom.

Anybody may write to anybody. Everything else that one user learns of another (presence, typing, receipts, how many
devices took a message) passes only between users who have both written. Until then each is to the other as somebody
who was never there, so that nobody can be watched, counted or told from a user that does not exist.
"""

from __future__ import annotations

from chat.table import AtLeast, Item, attribute

WROTE = "wrote"
PEER_WROTE = "peer_wrote"
"""Attributes of a chat item: the last message of its user, and of the peer. Both items of a conversation have both,
so either of the two says all."""

ACQUAINTED = (AtLeast(WROTE, 1), AtLeast(PEER_WROTE, 1))
"""The rule as conditions of an update of a chat item."""


def may(user: str, peer: str, chat: Item) -> bool:
    """Whether the two may see each other. `chat` is what is kept of their conversation for either of them."""
    return user == peer or have_both_written(attribute(chat, WROTE, 0), attribute(chat, PEER_WROTE, 0))


def have_both_written(wrote: int, peer_wrote: int) -> bool:
    return bool(wrote and peer_wrote)
