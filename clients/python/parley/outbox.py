"""Rule 6 of docs/protocol.md: messages are sent one at a time, and looked up before they are sent again.

Differs from outbox.js: a message that is refused leaves the outbox, and the application is told so.
"""

from __future__ import annotations

from collections import deque

from . import frames
from .arrivals import Arrivals
from .connections import Connections
from .conversation import ConversationState, Outgoing
from .conversations import Conversations
from .data import Data
from .effects import Answer, Effect
from .errors import ParleyError, Refused
from .events import Failed, Message, Sent
from .frames import Frame
from .mailbox import Mailbox
from .requests import Ask, Lost, Requests, Script
from .timers import Timers

RECOGNISED_SECONDS = 480
"""How long a message is repeated after its first try or a look at the history: two minutes less than the server
recognises it for sure."""


class Outboxes:
    """Sends the first message of each outbox, until it is acknowledged or refused for good."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        mailbox: Mailbox,
        effects: deque[Effect],
        *,
        arrivals: Arrivals,
        timers: Timers,
        most_unsent: int,
    ) -> None:
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._mailbox = mailbox
        self._effects = effects
        self._arrivals = arrivals
        self._timers = timers
        self._most_unsent = most_unsent

    def check_id(self, id: str) -> None:
        """Raises ValueError if a message waits under the id: a reply names nothing else to tell two of them apart."""
        if any(outgoing.id == id for conversation in self._conversations for outgoing in conversation.outbox.waiting):
            raise ValueError("a message with this id is already waiting; give each message its own id")

    def queue(self, to: str, text: str, data: Data | None, id: str) -> None:
        """Raises ParleyError if too many messages wait."""
        conversation = self._conversations.of(to)
        if len(conversation.outbox.waiting) >= self._most_unsent:
            raise ParleyError(f"{self._most_unsent:,} messages to {to} wait to be sent; wait for some of them first")
        conversation.outbox.waiting.append(Outgoing(id, text, data, ts=self._conversations.newest + 1))
        self._conversations.touch(conversation)

    def settle(self, conversation: ConversationState) -> None:
        """Sends the next message, unless there is a reason to wait."""
        outbox = conversation.outbox
        if self._connections.current is None or not self._conversations.is_primed:
            return
        if not outbox.waiting or outbox.under_way or outbox.must_look_up:
            return
        outgoing = outbox.waiting[0]
        if self._must_look_up(outgoing):
            outbox.must_look_up = True
            self._conversations.touch(conversation)
            return
        outbox.under_way = outgoing
        if outgoing.found is None:
            self._requests.run(self._send(conversation, outgoing))
        else:
            self._requests.run(self._complete(conversation, outgoing, outgoing.found))

    def _must_look_up(self, outgoing: Outgoing) -> bool:
        """Whether the server may no longer recognise it."""
        if not outgoing.was_tried or outgoing.found:
            return False
        return outgoing.known_at is None or self._timers.now - outgoing.known_at > RECOGNISED_SECONDS

    def _send(self, conversation: ConversationState, outgoing: Outgoing) -> Script:
        frame = frames.send(conversation.peer, outgoing.text, outgoing.data, was_tried=outgoing.was_tried)
        if not outgoing.was_tried:
            outgoing.was_tried, outgoing.known_at = True, self._timers.now

        def is_moot() -> bool:
            # Found: the gap that it left was filled meanwhile.
            return outgoing.found is not None or self._must_look_up(outgoing)

        try:
            ack = yield Ask(frame, outgoing.id, is_moot=is_moot, when_repeated=frames.RETRY)
            self._on_ack(conversation, outgoing, ack)
        except Refused as refusal:
            conversation.outbox.remove(outgoing)
            self._mailbox.put(Failed(outgoing.id, conversation.peer, refusal.code, refusal.message))
            self._effects.append(Answer(outgoing.id, refusal))
        except Lost:
            conversation.outbox.must_look_up |= outgoing.found is None
        finally:
            self._end(conversation, outgoing)

    def _complete(self, conversation: ConversationState, outgoing: Outgoing, found: Sent) -> Script:
        """Has the server finish what the first attempt left undone: a receipt does, and its ack is the message's."""
        try:
            yield Ask(frames.receipt(conversation.peer, "read", found.seq))
            self.acknowledge(conversation, found)
        except Refused:
            self.acknowledge(conversation, found)
        except Lost:
            pass  # settled again on the next connection
        finally:
            self._end(conversation, outgoing)

    def _end(self, conversation: ConversationState, outgoing: Outgoing) -> None:
        conversation.outbox.release(outgoing)
        self._conversations.touch(conversation)

    def _on_ack(self, conversation: ConversationState, outgoing: Outgoing, ack: Frame) -> None:
        seq, ts, peer = ack["seq"], ack["ts"], conversation.peer
        self.acknowledge(conversation, Sent(outgoing.id, peer, seq, ts, ack.get("delivered")))
        if conversation.last is None and not conversation.target:
            conversation.last = seq - 1  # the conversation was forgotten, and starts anew
        user = self._conversations.user or ""
        content, expires = (outgoing.id, outgoing.text, ts), ack.get("expires") or 0
        message = Message(peer, user, peer, seq, *content, data=outgoing.data, expires=expires)
        self._arrivals.arrive(conversation, message)

    def recognise(self, conversation: ConversationState, message: Message) -> None:
        """Our own message, coming back, is its acknowledgement."""
        if message.is_own and not message.unsends:
            self.acknowledge(conversation, Sent(message.id, message.peer, message.seq, message.ts, delivered=None))

    def acknowledge(self, conversation: ConversationState, sent: Sent) -> None:
        """A message is stored. May come more than once: only the first is for this message."""
        outgoing = conversation.outbox.get(sent.id)
        if outgoing is None:
            return  # its carbon copy came while its receipt was under way
        conversation.outbox.remove(outgoing)
        self._requests.cancel(sent.id)
        self._mailbox.put(sent)
        self._effects.append(Answer(sent.id, sent))
        self._conversations.touch(conversation)
