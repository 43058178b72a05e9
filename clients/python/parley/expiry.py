"""Rule 11 of docs/protocol.md: what has wholly expired is forgotten, since its numbers may be given out anew."""

from __future__ import annotations

from collections.abc import Sequence

from .conversation import ConversationState
from .conversations import Conversations
from .events import Expired, Message
from .mailbox import Mailbox


class Expiry:
    """Forgets a conversation when something comes that is younger than all that was known of it could be."""

    def __init__(self, conversations: Conversations, mailbox: Mailbox) -> None:
        self._conversations = conversations
        self._mailbox = mailbox

    def listed(self, conversation: ConversationState, ts: int) -> None:
        """`sync` lists it, with a last message of that time."""
        if conversation.has_expired_by(ts):
            self._forget(conversation)

    def came(self, conversation: ConversationState, messages: Sequence[Message]) -> None:
        """Messages have come, oldest first, alone or in a page."""
        if messages and conversation.has_expired_by(messages[-1].ts):
            self._forget(conversation)
            conversation.hear(messages[-1])

    def _forget(self, conversation: ConversationState) -> None:
        last = conversation.last
        conversation.forget()
        self._mailbox.forget_conversation(conversation.peer)
        if last:
            self._mailbox.put(Expired(conversation.peer, 1, last))
        self._conversations.touch(conversation)
