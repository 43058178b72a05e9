"""Receipts of docs/protocol.md: what was delivered and read, here and there.

Differs from receipts.js: only `delivered` waits for messages that come together. `read` is sent when the application
says so; a page that is looked at says so of each of them.
"""

from __future__ import annotations

import random
from contextlib import suppress

from . import frames
from .connections import Connections
from .conversation import ConversationState, Mark
from .conversations import Conversations
from .errors import Refused
from .events import Receipt, ReceiptKind
from .frames import Frame
from .mailbox import Mailbox
from .requests import Ask, Lost, Requests, Script
from .timers import Timer, Timers, Timing


class Receipts:
    """Sends the furthest receipt of each kind, again if it was lost; and tells of those of others."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        mailbox: Mailbox,
        *,
        timers: Timers,
        timing: Timing,
        rng: random.Random,
        send_delivered: bool,
    ) -> None:
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._mailbox = mailbox
        self._timers = timers
        self._timing = timing
        self._random = rng
        self._send_delivered = send_delivered
        self._soon: dict[str, Timer] = {}
        """When a `delivered` that is due is sent, by peer."""

    def read(self, peer: str, seq: int | None) -> None:
        """The application has read up to `seq`, or all that it has got. Raises ValueError for what does not exist.

        In a conversation that is not known there is nothing to read.
        """
        conversation = self._conversations.get(peer)
        if conversation is None:
            return
        seq = conversation.seen if seq is None else seq
        if not seq:
            return
        if seq > conversation.seq:
            raise ValueError(f"the conversation with {peer} has no message {seq}")
        conversation.marks.move("read", seq, is_own=True)
        mark = conversation.marks.receipts["read"]
        mark.wanted = max(mark.wanted, seq)
        self._conversations.touch(conversation)

    def settle(self, conversation: ConversationState) -> None:
        """Sends what is due. A message that is read, here or on another device, needs no word of being delivered."""
        read, delivered = conversation.marks.receipts["read"], conversation.marks.receipts["delivered"]
        if self._send_delivered and conversation.has_written:
            delivered.wanted = max(delivered.wanted, conversation.received)
        if max(read.wanted, read.confirmed) >= delivered.wanted:
            delivered.confirmed = max(delivered.confirmed, delivered.wanted)
        self._start(conversation, "read")
        if not delivered.is_due:
            self._cancel(conversation.peer)  # what comes after that waits anew
        elif not delivered.is_sending:
            self._start_soon(conversation)

    def forget(self) -> None:
        """Rule 10. Sends none of those that were to be sent before long: their numbers are of another history."""
        for peer in list(self._soon):
            self._cancel(peer)

    def send_all(self) -> None:
        """Sends those that were to be sent soon: there will be no later."""
        for peer in list(self._soon):
            self._start_now(peer)

    def _start_soon(self, conversation: ConversationState) -> None:
        """The wait is not begun anew by each message: a tick would come late.

        It is random, so that one device of the user is first, and the others hear of its receipt and send none.
        """
        peer, wait = conversation.peer, self._timing.receipts * self._random.uniform(0.5, 1.5)
        if not wait:
            self._start(conversation, "delivered")
        elif peer not in self._soon:
            self._soon[peer] = self._timers.after(wait, lambda: self._start_now(peer))

    def _cancel(self, peer: str) -> None:
        if timer := self._soon.pop(peer, None):
            timer.cancel()

    def _start_now(self, peer: str) -> None:
        self._cancel(peer)
        if conversation := self._conversations.get(peer):
            self._start(conversation, "delivered")

    @property
    def _can_send(self) -> bool:
        """Whether there is a connection, and a first sync has told where the conversations stand."""
        return self._connections.current is not None and self._conversations.is_primed

    def _start(self, conversation: ConversationState, kind: ReceiptKind) -> None:
        mark = conversation.marks.receipts[kind]
        if mark.is_due and not mark.is_sending and self._can_send:
            self._requests.run(self._send(conversation, kind, mark))

    def _send(self, conversation: ConversationState, kind: ReceiptKind, mark: Mark) -> Script:
        """Sends the furthest receipt, and again the furthest if it has moved meanwhile."""
        mark.is_sending = True
        try:
            while mark.is_due and self._can_send:
                seq = mark.wanted
                with suppress(Refused):  # it would be refused again
                    yield Ask(frames.receipt(conversation.peer, kind, seq))
                mark.confirmed = max(mark.confirmed, seq)
        except Lost:
            pass  # settled again on the next connection
        finally:
            mark.is_sending = False
            self._conversations.touch(conversation)

    def received(self, frame: Frame) -> bool:
        """A receipt was pushed. False if it is of a conversation that is not known."""
        sender, kind, seq = frame["from"], frame["kind"], frame["seq"]
        is_own = sender == self._conversations.user
        conversation = self._conversations.get(frame["peer"] if is_own else sender)
        if conversation is None:
            return False
        if is_own:
            mark = conversation.marks.receipts[kind]
            mark.confirmed = max(mark.confirmed, seq)
            self._conversations.touch(conversation)
        self._move(conversation, sender, kind, seq, frame["ts"])
        return True

    def learn(self, conversation: ConversationState, chat: Frame, *, is_news: bool) -> None:
        """`sync` lists how far both sides are."""
        user, peer = self._conversations.user or "", conversation.peer
        self._move(conversation, user, "read", chat["read"], is_news=is_news)
        if peer != user:
            self._move(conversation, peer, "read", chat["peer_read"], is_news=is_news)
            self._move(conversation, peer, "delivered", chat["peer_delivered"], is_news=is_news)

    def _move(
        self,
        conversation: ConversationState,
        sender: str,
        kind: ReceiptKind,
        seq: int,
        ts: int | None = None,
        *,
        is_news: bool = True,
    ) -> None:
        is_own = sender == self._conversations.user
        if conversation.marks.move(kind, seq, is_own=is_own) and is_news:
            self._mailbox.put(Receipt(conversation.peer, sender, kind, seq, ts))
