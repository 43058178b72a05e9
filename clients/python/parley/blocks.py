"""`block` of docs/protocol.md: whom this user has blocked.

Differs from blocks.js: a question without a connection is asked on the next one.
"""

from __future__ import annotations

from . import frames
from .conversations import Conversations
from .events import Blocked
from .frames import Frame
from .hints import Hints
from .mailbox import Mailbox
from .questions import Questions


class Blocks:
    """Asks for it, and keeps what replies, pushes and syncs say, on this device or another."""

    def __init__(self, questions: Questions, conversations: Conversations, hints: Hints, mailbox: Mailbox) -> None:
        self._questions = questions
        self._conversations = conversations
        self._hints = hints
        self._mailbox = mailbox

    @property
    def all(self) -> list[str]:
        return sorted(conversation.peer for conversation in self._conversations if conversation.is_blocked)

    def ask(self, user: str, blocked: bool) -> str:
        """The `Answer` under the returned id is a Blocked or Refused. Raises ValueError for the user itself."""
        if user == self._conversations.user:
            raise ValueError("nobody can block themselves")
        return self._questions.ask(frames.block(user, blocked), self.received)

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
