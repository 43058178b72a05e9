"""Who may see whom.

Anybody may write to anybody. Everything else that one user learns of another (presence, typing, receipts, how many
devices took a message) passes only between users who have both written, and of whom neither has blocked the other.
Until then each is to the other as somebody who was never there, so that nobody can be watched, counted or told from a
user that does not exist. Whoever is blocked sees what it would see of somebody who went away then.
"""

from __future__ import annotations

from chat.hidden import HIDDEN_TO, is_blocked
from chat.protocol import UserPresence
from chat.table import MAX_SEQ, AtLeast, Below, Item, attribute

WROTE = "wrote"
PEER_WROTE = "peer_wrote"
"""Attributes of a chat item: the last message of its user, and of the peer. Both items of a conversation have both,
so either of the two says all."""

PEER_BLOCKED = "peer_blocked"
"""When the peer blocked the user of the chat item, in milliseconds since the epoch; 0 if it does not. The peer's own
item says the same by what it hides."""

PEER_REV = "peer_rev"
"""The `rev` of the peer's presence with which it went away for the user that it has blocked; 0 if it was never seen."""

PEER_BLOCK_REV = "peer_block_rev"
"""The `block_rev` of the peer's item of which the two above tell."""

NOT_BLOCKED = (Below(HIDDEN_TO, MAX_SEQ), Below(PEER_BLOCKED, 1))
ACQUAINTED = (AtLeast(WROTE, 1), AtLeast(PEER_WROTE, 1), *NOT_BLOCKED)
"""The rule as conditions of an update of a chat item."""


def may(user: str, peer: str, chat: Item) -> bool:
    """Whether the two may see each other. `chat` is what is kept of their conversation for either of them."""
    return user == peer or (have_both_written(chat) and not is_blocked(chat) and not attribute(chat, PEER_BLOCKED, 0))


def seen_by(user: str, peer: str, chat: Item) -> UserPresence | None:
    """What the user is told of the peer's presence instead of how it is; None if it may see that.

    A peer that it has blocked was never there. One that has blocked it went away at that time.
    """
    if may(user, peer, chat):
        return None
    if is_blocked(chat):
        return UserPresence(peer)
    return UserPresence(peer, last_seen=attribute(chat, PEER_BLOCKED, 0), rev=attribute(chat, PEER_REV, 0))


def have_both_written(chat: Item) -> bool:
    return bool(attribute(chat, WROTE, 0) and attribute(chat, PEER_WROTE, 0))
