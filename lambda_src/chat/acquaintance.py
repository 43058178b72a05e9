"""Who may see whom.

Anybody may write to anybody. Everything else that one user learns of another (presence, typing, receipts, how many
devices took a message) passes only between users who have both written, and of whom neither has blocked the other.
Until then each looks to the other like somebody who was never there, so nobody can be watched, counted or told from a
user that does not exist. To a blocked user, the blocker looks like somebody who went away at that moment.
"""

from __future__ import annotations

from chat.hidden import HIDDEN_TO, is_blocked
from chat.protocol import UserPresence
from chat.table import MAX_SEQ, AtLeast, Below, Item, attribute

WROTE = "wrote"
PEER_WROTE = "peer_wrote"
"""Attributes of a chat item: the last message of its user, and of the peer. Both items of a conversation have both,
so either one is enough."""

PEER_BLOCKED = "peer_blocked"
"""When the peer blocked the chat item's user, in milliseconds since the epoch; 0 if it has not. In the peer's own item,
the open range in `hidden` says so."""

PEER_REV = "peer_rev"
"""The `rev` with which the peer went offline in the eyes of the user it has blocked; 0 if it was never seen."""

PEER_BLOCK_REV = "peer_block_rev"
"""The `block_rev` of the peer's item that the two above reflect."""

NOT_BLOCKED = (Below(HIDDEN_TO, MAX_SEQ), Below(PEER_BLOCKED, 1))
ACQUAINTED = (AtLeast(WROTE, 1), AtLeast(PEER_WROTE, 1), *NOT_BLOCKED)
"""The rule as conditions of an update of a chat item."""


def may(user: str, peer: str, chat: Item) -> bool:
    """Whether the two may see each other. `chat` is the chat item of either."""
    return user == peer or (have_both_written(chat) and not is_blocked(chat) and not attribute(chat, PEER_BLOCKED, 0))


def seen_by(user: str, peer: str, chat: Item) -> UserPresence | None:
    """The presence that the user is told instead of the peer's actual one; None if it may see that.

    A peer that the user has blocked was never there. One that has blocked the user went away at that time.
    """
    if may(user, peer, chat):
        return None
    if is_blocked(chat):
        return UserPresence(peer)
    return UserPresence(peer, last_seen=attribute(chat, PEER_BLOCKED, 0), rev=attribute(chat, PEER_REV, 0))


def have_both_written(chat: Item) -> bool:
    return bool(attribute(chat, WROTE, 0) and attribute(chat, PEER_WROTE, 0))
