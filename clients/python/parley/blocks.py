"""`block` of docs/protocol.md: whom this user has blocked.

Differs from blocks.js: a question without a connection is asked on the next one.
"""

from __future__ import annotations

from .conversations import Conversations
from .events import Blocked
from .frames import Frame
from .hints import Hints
from .mailbox import Mailbox


class Blocks:
    """Keeps what replies, pushes and syncs say, on this device or another."""

    def __init__(self, conversations: Conversations, hints: Hints, mailbox: Mailbox) -> None:
        self._conversations = conversations
        self._hints = hints
        self._mailbox = mailbox

    @property
    def all(self) -> list[str]:
        return sorted(conversation.peer for conversation in self._conversations if conversation.is_blocked)

    def received(self, frame: Frame) -> Blocked:
        """A reply or a push."""
        self.learn(frame["user"], frame["blocked"])
        return Blocked(frame["user"], frame["blocked"])

    def learn(self, peer: str, blocked: bool) -> None:
        conversation = self._conversations.of(peer) if blocked else self._conversations.get(peer)
        if conversation and conversation.block(blocked):
            self._hints.show_composing(peer, False)
            self._mailbox.put(Blocked(peer, blocked))
            self._conversations.touch(conversation)
