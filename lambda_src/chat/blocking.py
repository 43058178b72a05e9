"""Blocking: nothing that a user does after it was blocked reaches any device of the blocker.

First the blocker's sessions are marked, so that no message is pushed to it before it has moved the chat item. Then that
item changes: no message of the peer moves it any more, and none is in its history. Then the peer's item is marked, so
that the peer's requests need no other item. Changes to both are numbered, `block_rev`, so that an earlier one never
overwrites a later one. Neither item expires from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chat.acquaintance import PEER_BLOCK_REV, PEER_BLOCKED, PEER_REV, PEER_WROTE, WROTE, have_both_written, may
from chat.clock import Clock
from chat.conversations import Conversations
from chat.hidden import BLOCK_REV, FOR_GOOD, HIDDEN_TO, closed, hidden_in, hiding, is_blocked, opened, unchanged
from chat.protocol import ChatError, ErrorCode, UserPresence
from chat.sessions import Sessions
from chat.table import AtLeast, Below, Condition, Item, Table, Update, attribute, chat_key

ATTEMPTS = 10
"""Of a change to a chat item. It is contended only while the same user also blocks, unblocks or writes."""


class Blocking:
    """Who has blocked whom."""

    def __init__(self, table: Table, conversations: Conversations, sessions: Sessions, clock: Clock) -> None:
        self._table = table
        self._conversations = conversations
        self._sessions = sessions
        self._clock = clock

    def block(self, user: str, peer: str) -> UserPresence | None:
        """Blocks the peer, or finishes a block that was begun.

        Returns the presence to tell the peer: that the user goes away. None if the peer was told before, or may not see
        the user.
        """
        # First of all: a message sent after the acknowledgement must reach no device before its chat is moved.
        self._sessions.begin_to_block(user)
        chat = self._blocked_chat(user, peer)
        self._say_blocked(user, peer, attribute(chat, BLOCK_REV, 0))
        if not have_both_written(chat):
            return None
        # Only now: an announcement that has read the chat items before they were marked has a lower `rev`.
        away = self._sessions.raise_rev(user)._replace(online=False)
        never_told = (AtLeast(PEER_BLOCKED, 1), Below(PEER_REV, 1))
        update = Update(put={PEER_REV: away.rev}, only_if=never_told)
        made, before = self._table.update(chat_key(peer, user), update)
        if not made or is_blocked(before):
            return None
        return away._replace(last_seen=attribute(before, PEER_BLOCKED, 0))

    def _say_blocked(self, user: str, peer: str, rev: int) -> None:
        """Marks the peer's chat item as blocked, unless a later change is in it."""
        key, older = chat_key(peer, user), Below(PEER_BLOCK_REV, rev)
        put = {PEER_BLOCKED: self._clock(), PEER_REV: 0, PEER_BLOCK_REV: rev, **FOR_GOOD}
        for _ in range(ATTEMPTS):
            made, before = self._table.update(key, Update(put=put, only_if=(older, Below(PEER_BLOCKED, 1))))
            if made or attribute(before, PEER_BLOCK_REV, 0) >= rev:
                return
            # It is marked already; an earlier `unblock` that comes late must not undo that.
            still = (older, AtLeast(PEER_BLOCKED, 1))
            if self._table.update(key, Update(put={PEER_BLOCK_REV: rev}, only_if=still)).made:
                return
        raise _too_many()

    def _blocked_chat(self, user: str, peer: str) -> Item:
        key = chat_key(user, peer)
        chat = self._table.get([key]).get(key, {})
        if not chat:
            self._conversations.begin(user)  # or made-up ids could make the list arbitrarily long
        for _ in range(ATTEMPTS):
            if is_blocked(chat):
                return chat
            # A message that is stored but not in the chat list yet is hidden, too: nobody was told of it.
            last = max(attribute(chat, "seq", 0), attribute(chat, HIDDEN_TO, 0))
            put = {**hiding(opened(hidden_in(chat), last + 1)), "read": last}
            chat = self._changed(user, peer, chat, put, unchanged(chat))
        raise _too_many()

    def unblock(self, user: str, peer: str) -> bool:
        """Unblocks the peer. Returns whether the two may see each other again; hidden messages stay hidden."""
        chat = self._unblocked_chat(user, peer)
        rev = attribute(chat, BLOCK_REV, 0)
        if not rev:
            return False
        # A message that came too early to move the chat item, and too late to be hidden, is moved here.
        self._conversations.advance_behind(user, peer, max(attribute(chat, "seq", 0), attribute(chat, HIDDEN_TO, 0)))
        put = {PEER_BLOCKED: 0, PEER_BLOCK_REV: rev, **FOR_GOOD}
        made, before = self._table.update(chat_key(peer, user), Update(put=put, only_if=[Below(PEER_BLOCK_REV, rev)]))
        if (wrote := attribute(before, WROTE, 0)) and not attribute(chat, PEER_WROTE, 0):
            # Everything that the peer has written is hidden, but not that it has written.
            has_written = Update(put={PEER_WROTE: wrote, "changed": self._clock()}, only_if=[Below(PEER_WROTE, 1)])
            self._table.update(chat_key(user, peer), has_written)
        if not made or not may(peer, user, {**before, **put}):
            return False
        # To the peer the user went away; what it is told now must be newer than that.
        self._sessions.raise_rev(user)
        return True

    def _unblocked_chat(self, user: str, peer: str) -> Item:
        key = chat_key(user, peer)
        chat = self._table.get([key]).get(key, {})
        for _ in range(ATTEMPTS):
            if not is_blocked(chat):
                return chat
            hidden, seq = hidden_in(chat), attribute(chat, "seq", 0)
            first = hidden[-1].first if hidden else seq + 1
            last = max(self._conversations.last_seq(user, peer), seq, first - 1)
            put: dict[str, str | int] = {**hiding(closed(hidden, last))}
            if last >= first:
                put["read"] = last  # what comes after that is unread, and what is hidden is not
            chat = self._changed(user, peer, chat, put, unchanged(chat, seq=last))
        raise _too_many()

    def _changed(
        self, user: str, peer: str, chat: Item, put: Mapping[str, str | int], only_if: Sequence[Condition]
    ) -> Item:
        """The chat item after the change; if it was changed meanwhile, as it is now."""
        changes = {**put, BLOCK_REV: attribute(chat, BLOCK_REV, 0) + 1, **FOR_GOOD, "changed": self._clock()}
        made, before = self._table.update(chat_key(user, peer), Update(put=changes, only_if=only_if))
        return {**before, **changes} if made else before


def _too_many() -> ChatError:
    reason = "too much is happening in this conversation at once; send the same frame again"
    return ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, retry_after_ms=1_000)
