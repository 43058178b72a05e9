"""Erasing a user: its messages become tombstones, and everything else about it goes.

There is a portion for each page of messages, and it may stop after any call: a chat item goes once its log is done, the
sessions item once all chats are, so a second run finds what is left. What others have written stays, and so do the
numbers. Nobody is told: a client shows the tombstones when it loads the conversation again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from chat.acquaintance import PEER_BLOCK_REV, PEER_BLOCKED, PEER_REV
from chat.backend_protocol import LogCursor
from chat.clock import Clock
from chat.messages import DATA, DIGEST, UNSENT
from chat.parallel import Parallel
from chat.table import (
    BEFORE_ALL,
    BEHIND_ALL,
    Item,
    Key,
    Present,
    Query,
    Table,
    Update,
    chat_key,
    log_partition,
    peer_behind,
    sessions_key,
)

CONTENT = ("text", DATA, DIGEST)
"""The content of a message. The digest of one that was taken back would confirm a guess."""

ERASED_PAGE = 100
"""Messages of one portion, of both sides: a second at most, mostly for the parallel updates."""


class Erased(NamedTuple):
    """What one portion did: messages that lost their text, chats that went, and where to continue, if need be."""

    messages: int
    chats: int
    next: LogCursor | None


class Erasing:
    """Erases users. Bar a user first: while it writes or is written to, erasing it never ends."""

    def __init__(self, table: Table, *, clock: Clock, parallel: Parallel) -> None:
        self._table = table
        self._clock = clock
        self._parallel = parallel

    def erase(self, user: str, cursor: LogCursor | None) -> Erased:
        """Erases one portion: from the cursor on, or, without one, from the first chat that is left."""
        cursor = cursor or self._next_log(user)
        if cursor is None:
            return self._end(user, Erased(0, 0, None))
        log = Query(log_partition(user, cursor.peer), cursor.sk, BEHIND_ALL, limit=ERASED_PAGE + 1)
        items = self._table.query(log)
        messages = self._erase_texts(user, items[:ERASED_PAGE])
        if len(items) > ERASED_PAGE:
            return Erased(messages, 0, LogCursor(cursor.peer, str(items[ERASED_PAGE]["sk"])))
        chats = self._forget_chat(user, cursor.peer)
        return self._end(user, Erased(messages, chats, self._next_log(user)))

    def _end(self, user: str, erased: Erased) -> Erased:
        if erased.next is None:
            self._table.delete(sessions_key(user))
        return erased

    def _erase_texts(self, user: str, items: Sequence[Item]) -> int:
        written = [item for item in items if item.get("from") == user and not item.keys().isdisjoint(CONTENT)]
        return sum(self._parallel([partial(self._erase_text, item) for item in written]))

    def _erase_text(self, item: Item) -> bool:
        key, what = Key(str(item["pk"]), str(item["sk"])), next(name for name in CONTENT if name in item)
        put = {} if UNSENT in item else {UNSENT: self._clock()}
        # A message that has expired meanwhile must not be created again.
        return self._table.update(key, Update(put=put, remove=CONTENT, only_if=[Present(what)])).made

    def _forget_chat(self, user: str, peer: str) -> int:
        # If the user comes back and blocks the peer, it is the first time again.
        said = [PEER_BLOCKED, PEER_REV, PEER_BLOCK_REV]
        self._table.update(chat_key(peer, user), Update(remove=said, only_if=[Present(PEER_BLOCK_REV)]))
        return int(self._table.delete(chat_key(user, peer)))

    def _next_log(self, user: str) -> LogCursor | None:
        peer = peer_behind(self._table, user)
        return LogCursor(peer, BEFORE_ALL) if peer else None
