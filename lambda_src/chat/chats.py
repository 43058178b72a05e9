"""What a chat is in the table: one item for each peer in a user's partition, beside the sessions item."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from chat.acquaintance import PEER_BLOCK_REV, PEER_WROTE, WROTE, seen_by
from chat.hidden import BLOCK_REV, KEPT, is_blocked
from chat.protocol import Chat, Cursor, UserPresence, is_user_id
from chat.sessions import connection_ids
from chat.table import MAX_SEQ, SESSIONS, TTL, Item, attribute, log_skipped, user_of

CHAT_OUTLIVES_MS = 86_400_000
"""How much longer than its last message a chat item is kept: a day, so that its number is there while anybody may go on
from a message that is about to expire."""


class Overview(NamedTuple):
    """What the table holds of a user: its chats, newest first, and the ids of its connections, dead ones included.

    A `part` of a longer list has its chats in reverse order of keys; `more` says whether others follow.
    """

    chats: Sequence[Chat]
    connections: Collection[str]
    part: bool = False
    more: bool = False

    def latest_written(self, most: int) -> list[str]:
        """The peers of the latest chats in which the user has written."""
        return [chat.peer for chat in self.chats if chat.wrote][:most]

    def acquaintances(self, user: str, peers: Collection[str]) -> dict[str, UserPresence | None]:
        """As `Conversations.acquaintances`: those of the peers that the user has met. Not for a part of a list."""
        met = {chat.peer: chat.instead for chat in self.chats if chat.wrote and chat.peer_wrote}
        return {peer: met.get(peer) for peer in peers if peer in met or peer == user}

    def behind(self, cursor: Cursor | None) -> Sequence[Chat]:
        """The chats after the cursor."""
        if cursor is None or self.part:
            return self.chats
        return [chat for chat in self.chats if (chat.ts, chat.peer) < (cursor.ts or 0, cursor.peer)]

    def cursor(self, last: Chat | None) -> Cursor | None:
        """Where the next page starts: after this chat, or, if it is None, after all chats here."""
        if not self.part:
            return last and Cursor(last.ts, last.peer)
        if last is None and self.more:
            last = self.chats[-1]
        return last and Cursor(None, last.peer)


def overview_of(items: Iterable[Item], retention_ms: int) -> Overview:
    """The overview in all items of a user's partition."""
    items = list(items)
    connections = next((connection_ids(item) for item in items if item["sk"] == SESSIONS), frozenset[str]())
    chats = chats_in(items, retention_ms)
    return Overview(sorted(chats, key=lambda chat: (chat.ts, chat.peer), reverse=True), connections)


def chats_in(items: Iterable[Item], retention_ms: int) -> list[Chat]:
    """The chats in items of a user's partition, in the items' order."""
    return [chat for item in items if item["sk"] != SESSIONS and (chat := chat_of(item, retention_ms))]


def chat_of(item: Item, retention_ms: int) -> Chat | None:
    """The chat in an item of a user's partition; None, and a line in the log, if it holds none."""
    peer, seq = str(item["sk"]).removeprefix("CHAT#"), last_seq(item)
    is_listed = seq or attribute(item, BLOCK_REV, 0)
    if not is_listed and attribute(item, PEER_BLOCK_REV, 0):
        return None  # neither has written, and the user is not to see that the peer has blocked it
    if not is_listed or peer == item["sk"] or not is_user_id(peer):
        log_skipped(item)
        return None
    return Chat(
        peer=peer,
        seq=seq,
        ts=attribute(item, "ts", 0),
        changed=attribute(item, "changed", 0),
        read=attribute(item, "read", 0),
        peer_read=attribute(item, "peer_read", 0),
        peer_delivered=attribute(item, "peer_delivered", 0),
        wrote=attribute(item, WROTE, 0),
        peer_wrote=attribute(item, PEER_WROTE, 0),
        blocked=is_blocked(item),
        instead=seen_by(user_of(str(item["pk"])), peer, item),
        expires=_expires(item, retention_ms),
    )


def _expires(item: Item, retention_ms: int) -> int:
    """When the last message expires. An item that is kept has it too, or a blocked user would miss it."""
    ts = attribute(item, "ts", 0)
    if KEPT in item:
        return (ts + retention_ms) // 1_000 * 1_000 if ts else 0
    return max(0, attribute(item, TTL, 0) * 1_000 - CHAT_OUTLIVES_MS)


def last_seq(chat: Item) -> int:
    """The number of the last message that the item knows; 0 if it knows no valid one."""
    seq = attribute(chat, "seq", 0)
    return seq if seq <= MAX_SEQ else 0


def last_number(chat: Item) -> int:
    """The last number that the item knows to be in use."""
    return max(last_seq(chat), attribute(chat, "read", 0))


def mirrored(chat: Item) -> dict[str, int]:
    """The peer's chat item, derived from one whose messages have all expired; everything counts as read."""
    numbers = {"ts": "ts", "seq": "seq", "peer_read": "read", WROTE: PEER_WROTE, PEER_WROTE: WROTE}
    return {**{name: attribute(chat, theirs, 0) for name, theirs in numbers.items()}, "read": last_seq(chat)}
