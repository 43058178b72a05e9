"""Blocking: of what a user does after it was blocked, nothing reaches any device of the one who has blocked it.

The blocker's sessions say first that it blocks somebody, so that no message is pushed to it before it has moved the
chat item. Then that item is changed: from then on, no message of the peer moves it, and none is in its history.
Then the peer's item says that it is blocked, so that what the peer asks needs no other item. Changes of both are
numbered, `block_rev`, and a later one is never overwritten by an earlier one. Neither item expires from then on.
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
"""Of a change to a chat item. Another one is in its way only while the same user blocks, unblocks or writes, too."""


class Blocking:
    """Who has blocked whom."""

    def __init__(self, table: Table, conversations: Conversations, sessions: Sessions, clock: Clock) -> None:
        self._table = table
        self._conversations = conversations
        self._sessions = sessions
        self._clock = clock

    def block(self, user: str, peer: str) -> UserPresence | None:
        """Blocks the peer; where that was begun already, it is finished.

        Returns what the peer is to be told of the user's presence: that it goes away. None if the peer was told before,
        or may not see the user.
        """
        # Before all else: a message that is sent once this is acknowledged goes to no device before its chat is moved.
        self._sessions.begin_to_block(user)
        chat = self._blocked_chat(user, peer)
        self._say_blocked(user, peer, attribute(chat, BLOCK_REV, 0))
        if not have_both_written(chat):
            return None
        # Only now: whoever announces the user's presence has read the peer's item before, and has a lower `rev`.
        away = self._sessions.raise_rev(user)._replace(online=False)
        never_told = (AtLeast(PEER_BLOCKED, 1), Below(PEER_REV, 1))
        update = Update(put={PEER_REV: away.rev}, only_if=never_told)
        made, before = self._table.update(chat_key(peer, user), update)
        if not made or is_blocked(before):
            return None
        return away._replace(last_seen=attribute(before, PEER_BLOCKED, 0))

    def _say_blocked(self, user: str, peer: str, rev: int) -> None:
        """Has the peer's chat item say that it is blocked, unless it says something later."""
        key, older = chat_key(peer, user), Below(PEER_BLOCK_REV, rev)
        put = {PEER_BLOCKED: self._clock(), PEER_REV: 0, PEER_BLOCK_REV: rev, **FOR_GOOD}
        for _ in range(ATTEMPTS):
            made, before = self._table.update(key, Update(put=put, only_if=(older, Below(PEER_BLOCKED, 1))))
            if made or attribute(before, PEER_BLOCK_REV, 0) >= rev:
                return
            # It says so already; an earlier unblocking that is late must not undo that.
            still = (older, AtLeast(PEER_BLOCKED, 1))
            if self._table.update(key, Update(put={PEER_BLOCK_REV: rev}, only_if=still)).made:
                return
        raise _too_many()

    def _blocked_chat(self, user: str, peer: str) -> Item:
        key = chat_key(user, peer)
        chat = self._table.get([key]).get(key, {})
        if not chat:
            self._conversations.begin(user)  # or made-up ids would make the list as long as one likes
        for _ in range(ATTEMPTS):
            if is_blocked(chat):
                return chat
            # What is stored and not in the chat list yet is hidden, too: nobody was told of it.
            last = max(attribute(chat, "seq", 0), attribute(chat, HIDDEN_TO, 0))
            put = {**hiding(opened(hidden_in(chat), last + 1)), "read": last}
            chat = self._changed(user, peer, chat, put, unchanged(chat))
        raise _too_many()

    def unblock(self, user: str, peer: str) -> bool:
        """Unblocks the peer. Returns whether the two may see each other again; what was hidden stays so."""
        chat = self._unblocked_chat(user, peer)
        rev = attribute(chat, BLOCK_REV, 0)
        if not rev:
            return False
        # A message that came too early to move the chat item, and too late to be hidden, is moved here.
        self._conversations.advance_behind(user, peer, max(attribute(chat, "seq", 0), attribute(chat, HIDDEN_TO, 0)))
        put = {PEER_BLOCKED: 0, PEER_BLOCK_REV: rev, **FOR_GOOD}
        made, before = self._table.update(chat_key(peer, user), Update(put=put, only_if=[Below(PEER_BLOCK_REV, rev)]))
        if (wrote := attribute(before, WROTE, 0)) and not attribute(chat, PEER_WROTE, 0):
            # All that the peer has written is hidden; that it has written is not.
            has_written = Update(put={PEER_WROTE: wrote, "changed": self._clock()}, only_if=[Below(PEER_WROTE, 1)])
            self._table.update(chat_key(user, peer), has_written)
        if not made or not may(peer, user, {**before, **put}):
            return False
        # To the peer the user went away; whatever it is told now is newer than that.
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
                put["read"] = last  # unread is what lies behind that, and what is hidden is not
            chat = self._changed(user, peer, chat, put, unchanged(chat, seq=last))
        raise _too_many()

    def _changed(
        self, user: str, peer: str, chat: Item, put: Mapping[str, str | int], only_if: Sequence[Condition]
    ) -> Item:
        """The chat item after the change; as it is now, if it is not as it was."""
        changes = {**put, BLOCK_REV: attribute(chat, BLOCK_REV, 0) + 1, **FOR_GOOD, "changed": self._clock()}
        made, before = self._table.update(chat_key(user, peer), Update(put=changes, only_if=only_if))
        return {**before, **changes} if made else before


def _too_many() -> ChatError:
    reason = "too much is happening in this conversation at once; send the same frame again"
    return ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, retry_after_ms=1_000)
