"""Rule 3 of docs/protocol.md, from the server to the application: a message comes, and what it completes is told.

Differs from arrivals.js: messages are left at the server while the mailbox is full; and what one makes necessary is
asked for when the input has ended, as everything is.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import unsending
from .conversation import ConversationState, Told
from .conversations import Conversations
from .events import Message
from .expiry import Expiry
from .hints import Hints
from .mailbox import Mailbox


class Arrivals:
    """The one way from a conversation to the application."""

    def __init__(
        self, conversations: Conversations, mailbox: Mailbox, expiry: Expiry, hints: Hints, *, most_ahead: int
    ) -> None:
        self._conversations = conversations
        self._mailbox = mailbox
        self._expiry = expiry
        self._hints = hints
        self._most_ahead = most_ahead

    def arrive(self, conversation: ConversationState, message: Message) -> None:
        """A message has come, alone, in whatever order. While the mailbox is full, it is fetched later."""
        self._expiry.came(conversation, [message])
        conversation.hear(message)
        self.tell(conversation, [] if self._mailbox.is_full else conversation.arrive(message, self._most_ahead))
        self._conversations.bound(conversation, message)

    def tell(self, conversation: ConversationState, things: Iterable[Told]) -> None:
        """Tells what was taken, in order."""
        for thing in things:
            if isinstance(thing, Message):
                self._conversations.bound(conversation, thing)
            if isinstance(thing, Message) and not thing.is_own:
                self._hints.show_composing(thing.sender, False)
            self._mailbox.put(unsending.told(thing) if isinstance(thing, Message) else thing)
        self._conversations.touch(conversation)
