"""Every conversation that is known here, and which of them need a look after the last input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .bounds import Bounds
from .conversation import ConversationState
from .events import Message


class Conversations:
    """The conversations of one user, by peer."""

    def __init__(self, bounds: Bounds) -> None:
        self.user: str | None = None
        """Whose they are; None before a first sync has said so."""
        self.epoch: str | None = None
        """Of which history of the server's they are; None if it has not said so."""
        self.is_primed = False
        """Whether a first sync has listed every conversation."""
        self.has_forgotten = False
        self.made = 0
        """How many were made so far."""
        self._bounds = bounds
        self._by_peer: dict[str, ConversationState] = {}
        self._touched: dict[str, None] = {}

    def __iter__(self) -> Iterator[ConversationState]:
        return iter(self._by_peer.values())

    def __contains__(self, peer: str) -> bool:
        return peer in self._by_peer

    def get(self, peer: str) -> ConversationState | None:
        return self._by_peer.get(peer)

    @property
    def listed(self) -> list[ConversationState]:
        """The chat list, newest first."""
        listed = [conversation for conversation in self if conversation.is_listed]
        listed.sort(key=lambda conversation: (conversation.ts, conversation.peer), reverse=True)
        return listed

    @property
    def newest(self) -> int:
        """The `ts` of the first in the chat list."""
        return max((conversation.ts for conversation in self), default=0)

    @property
    def is_complete(self) -> bool:
        """Whether a conversation that is not known here is one in which nothing was said yet."""
        return self.is_primed and not self.has_forgotten

    def of(self, peer: str) -> ConversationState:
        """The conversation with the peer, made if it is not known."""
        conversation = self._by_peer.get(peer)
        if conversation is None:
            if len(self._by_peer) >= self._bounds.chats:
                self._forget_oldest()
            conversation = ConversationState(peer, last=0 if self.is_complete else None)
            self._by_peer[peer] = conversation
            self.made += 1
        return conversation

    def restore(self, conversations: Iterable[ConversationState]) -> None:
        self._by_peer = {conversation.peer: conversation for conversation in conversations}

    def start_anew(self, epoch: str) -> None:
        """Rule 10. The server speaks of another history: what is known of any conversation is void."""
        self.epoch = epoch
        self.is_primed = self.has_forgotten = False
        self._by_peer = {conversation.peer: conversation.anew() for conversation in self}

    def _forget_oldest(self) -> None:
        idle = sorted((known for known in self if known.is_idle), key=lambda known: known.latest.ts)
        for conversation in idle[: max(1, self._bounds.chats // 10)]:
            del self._by_peer[conversation.peer]
            self.has_forgotten = True

    def bound(self, conversation: ConversationState, message: Message) -> None:
        """Where it is one too many in all of them together, the message does not wait, or is not known to be silent."""
        seq, ahead, unsends = message.seq, conversation.ahead, conversation.unsends
        if seq in ahead and sum(len(known.ahead) for known in self) > self._bounds.ahead_in_all:
            del ahead[seq]
        if seq in unsends and sum(len(known.unsends) for known in self) > self._bounds.unsends_in_all:
            unsends.remove(seq)

    def touch(self, conversation: ConversationState) -> None:
        """Has every rule look at what the conversation needs, before the input ends."""
        self._touched[conversation.peer] = None

    def take_touched(self) -> ConversationState | None:
        """The next conversation to look at, None if there is none."""
        while self._touched:
            peer = next(iter(self._touched))
            del self._touched[peer]
            if conversation := self._by_peer.get(peer):
                return conversation
        return None
