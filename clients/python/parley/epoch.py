"""Rule 10 of docs/protocol.md: begin anew with another epoch. What a conversation keeps, it says itself (`anew`)."""

from __future__ import annotations

from .connections import Connections
from .conversations import Conversations
from .events import Reset
from .hints import Hints
from .mailbox import Mailbox
from .receipts import Receipts


class Epoch:
    """Of which history of the server's is what is known here."""

    def __init__(
        self, connections: Connections, conversations: Conversations, mailbox: Mailbox, receipts: Receipts, hints: Hints
    ) -> None:
        self._connections = connections
        self._conversations = conversations
        self._mailbox = mailbox
        self._receipts = receipts
        self._hints = hints

    def holds(self, epoch: str | None) -> bool:
        """Whether a `sync` that names this one is of the same; if not, all but what is unsent has been forgotten.

        An older server does not say of which history it speaks.
        """
        known = self._conversations.epoch
        if known is None:
            self._conversations.epoch = epoch
        elif epoch not in (None, known):
            self._start_anew(epoch)
            return False
        return True

    def _start_anew(self, epoch: str) -> None:
        self._connections.close_all("the server's data has gone back to an earlier state")  # no late reply is heard
        self._mailbox.forget_conversations()
        self._mailbox.put(Reset(epoch))
        self._receipts.forget()
        self._hints.forget_presences()
        self._conversations.start_anew(epoch)
