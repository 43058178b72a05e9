"""What each frame of docs/protocol.md that the server sends does: which rule it is for, and who shows life by it.

Differs from incoming.js: there, replies, and what ends a connection, have been dealt with before, by connections.js.
"""

from __future__ import annotations

from . import frames
from .arrivals import Arrivals
from .blocks import Blocks
from .connections import Connections
from .conversations import Conversations
from .frames import Frame
from .hints import Hints
from .outbox import Outboxes
from .receipts import Receipts
from .requests import Requests
from .sync import Sync


class Incoming:
    """Takes the frames of all connections."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        arrivals: Arrivals,
        *,
        outboxes: Outboxes,
        receipts: Receipts,
        blocks: Blocks,
        hints: Hints,
        sync: Sync,
    ) -> None:
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._arrivals = arrivals
        self._outboxes = outboxes
        self._receipts = receipts
        self._blocks = blocks
        self._hints = hints
        self._sync = sync

    def received(self, connection: int, frame: Frame) -> None:
        if user := self._shows_life(frame):
            self._hints.notice(user)
        match frame:
            case {"type": "error", "code": "token_expired"}:
                self._connections.token_expired(connection)
            case {"type": "close"}:
                self._connections.end(connection, frame)
            case {"type": "message" | "receipt"} if self._conversations.user is None:
                # Until the first sync says who we are, it cannot be attributed. That sync, or the next one, will show
                # its effect.
                self._sync.is_needed = True
            case {"type": "message"}:
                self.message(frame)
            case {"type": "receipt"}:
                self._sync.is_needed |= not self._receipts.received(frame)
            case {"type": "typing"}:
                self._hints.show_composing(frame["from"], frame["state"] == "composing")
            case {"type": "presence"} if "id" not in frame:
                self._hints.learn(frame["users"])
            case {"type": "block"} if "id" not in frame:
                self._sync.is_needed |= self._conversations.user is None  # the first one may have been read before it
                self._blocks.received(frame)
            case _:
                self._requests.received(connection, frame)

    def message(self, frame: Frame) -> None:
        """A message has come by itself, not in a page of history."""
        peer = frames.peer_of(frame, self._conversations.user or "")
        known = self._conversations.get(peer)
        if self._conversations.is_complete or (known is not None and (known.seq or known.last is not None)):
            conversation, message = self._conversations.of(peer), frames.message_of(frame, peer)
            self._outboxes.recognise(conversation, message)
            self._arrivals.arrive(conversation, message)
        else:
            self._sync.is_needed = True

    def _shows_life(self, frame: Frame) -> str | None:
        """Who must be there, by this frame."""
        user = self._conversations.user
        match frame:
            case {"type": "message" | "receipt", "from": sender} if sender != user:
                return str(sender)
            case {"type": "typing", "state": "composing", "from": sender}:
                return str(sender)
            case {"type": "ack", "to": str(peer), "delivered": int(delivered)} if delivered > 0 and peer != user:
                return peer
            case _:
                return None
