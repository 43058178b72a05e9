"""Rule 3 of docs/protocol.md: one conversation on one number line. Sends nothing, and knows no clock.

    0 ──── told ──── last ─ ─ ahead ─ ─ target        doubt: missing once up to here; missing again, it has expired
           │         │        │          └ the highest number heard of
           │         │        └ came, and waits for a message before it
           │         └ everything up to here was taken: it is in the mailbox, or the application has it
           └ the application has read up to here, while `queued` messages are in the mailbox

What changes the numbers returns what there is to tell, in order.

Differs from conversation.js: in another history (rule 10) what is told goes on where the application was, if that is
before the latest messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from .data import Data
from .events import Conversation, Expired, Message, Pending, ReceiptKind, Sent
from .preview import preview_of

Told: TypeAlias = Message | Expired


class PageEnd(Enum):
    """How a page of history ended."""

    HOLE = auto()  # a number is missing: ask once more from there
    MORE = auto()  # there is more behind it
    NOWHERE = auto()  # there is more behind it, says the server, but the page has led nowhere
    LAST = auto()  # there is nothing behind it


class Latest(NamedTuple):
    """The last message, as the chat list shows it."""

    ts: int = 0
    sender: str | None = None
    text: str | None = None
    unsent: bool = False
    """Whether it was taken back, or takes another one back."""
    has_data: bool = False


@dataclass(slots=True)
class Outgoing:
    """A message of ours that is not acknowledged."""

    id: str
    text: str
    data: Data | None = None
    ts: int = 0
    """Where its conversation stands in the chat list: behind all that was known when it was queued."""
    was_tried: bool = False
    """Whether a frame of it may have left, so that it may be stored already."""
    known_at: float | None = None
    """When it was first tried, or last looked for in the history, by the clock; None if it was neither, here."""
    found: Sent | None = None
    """What to tell once a receipt is acknowledged: the history has it, but perhaps nobody's chat list yet."""


@dataclass(slots=True)
class Mark:
    """A receipt of ours: how far it should go, and how far the server is known to have it."""

    wanted: int = 0
    confirmed: int = 0
    is_sending: bool = False

    @property
    def is_due(self) -> bool:
        return self.wanted > self.confirmed


@dataclass(slots=True)
class Marks:
    """How far each side has read and received; and our receipts, which say so to the server."""

    read: int = 0
    peer_read: int = 0
    peer_delivered: int = 0
    receipts: dict[ReceiptKind, Mark] = field(default_factory=lambda: {"delivered": Mark(), "read": Mark()})

    def move(self, kind: ReceiptKind, seq: int, *, is_own: bool) -> bool:
        """Moves a mark forward. False if that is nothing new; what this user has received never is."""
        match is_own, kind:
            case True, "read" if seq > self.read:
                self.read = seq
            case False, "read" if seq > self.peer_read:
                self.peer_read = seq
            case False, "delivered" if seq > self.peer_delivered:
                self.peer_delivered = seq
            case _:
                return False
        return True

    @property
    def is_due(self) -> bool:
        return any(mark.is_due for mark in self.receipts.values())


@dataclass(slots=True)
class Outbox:
    """The messages of a conversation that are not acknowledged, in order; only the first is ever sent."""

    waiting: deque[Outgoing] = field(default_factory=deque)
    under_way: Outgoing | None = None
    must_look_up: bool = False
    """Whether the history has to be read before the first message is sent again."""

    def get(self, id: str) -> Outgoing | None:
        """The message of this id, if it waits."""
        return next((outgoing for outgoing in self.waiting if outgoing.id == id), None)

    def was_looked_up(self, at: float) -> None:
        """The history, as it was then or later, has been read for all of them."""
        self.must_look_up = False
        for outgoing in self.waiting:
            outgoing.known_at = at

    def release(self, outgoing: Outgoing) -> None:
        """The attempt with this message is over. It may have been acknowledged before, and another be under way."""
        if self.under_way is outgoing:
            self.under_way = None

    def remove(self, outgoing: Outgoing) -> None:
        """The message is done with."""
        self.waiting.remove(outgoing)
        self.release(outgoing)
        self.must_look_up = self.must_look_up and bool(self.waiting)

    def find(self, message: Message) -> None:
        """Our own message in the history is stored; the server that stored it may have died before telling anybody."""
        if message.is_own and not message.unsends and (outgoing := self.get(message.id)):
            outgoing.found = Sent(message.id, message.peer, message.seq, message.ts, delivered=None)


@dataclass(slots=True)
class ConversationState:
    """All that is known of the conversation with `peer`."""

    peer: str
    last: int | None
    """None if it is not known where to start."""
    has_written: bool = False
    """Whether this user has. Until then the peer is a stranger, who is not to know what has arrived here."""
    reached: int | None = None
    """Rule 10: how far the application had got in an earlier history, until a sync lists the conversation anew."""
    target: int = 0
    expires: int = 0
    """When the newest message that was heard of does, in milliseconds since the epoch; 0 if that is not known."""
    numbering: int = 0
    """Rule 11: how often it was forgotten. What was asked before that is answered in numbers that count no more."""
    ahead: dict[int, Message] = field(default_factory=dict)
    doubt: int = 0
    told: int = 0
    queued: int = 0
    received: int = 0
    """The last message of the peer's that was taken and had not been read: up to it, ours is `delivered`."""
    unsends: set[int] = field(default_factory=set)
    """Numbers behind what was read that take a message back: nobody has to read them."""
    latest: Latest = field(default_factory=Latest)
    marks: Marks = field(default_factory=Marks)
    is_blocked: bool = False
    """Whether this user has blocked the peer."""
    outbox: Outbox = field(default_factory=Outbox)
    is_fetching: bool = False
    is_stuck: bool = False
    """The server does not give the history; asked again when the next sync lists the conversation."""

    @property
    def seq(self) -> int:
        return max(self.target, self.last or 0)

    @property
    def seen(self) -> int | None:
        """The last message that the application has got."""
        return self.told if self.queued else self.last

    @property
    def is_listed(self) -> bool:
        """Whether the chat list has it."""
        return bool(self.seq or self.outbox.waiting)

    @property
    def ts(self) -> int:
        """Of the last message, also of one that waits, by which the chat list is in order."""
        return max(self.latest.ts, self.outbox.waiting[-1].ts) if self.outbox.waiting else self.latest.ts

    @property
    def is_behind(self) -> bool:
        """Whether there are messages to fetch."""
        return not self.is_stuck and self.target > (self.last or 0)

    @property
    def is_idle(self) -> bool:
        """Whether forgetting it loses nothing that the server does not have."""
        return not (self.outbox.waiting or self.queued or self.is_fetching or self.marks.is_due or self.is_blocked)

    @property
    def unread(self) -> int:
        silent = sum(seq > self.marks.read for seq in self.unsends)
        return max(0, self.seq - self.marks.read - silent)

    def view(self) -> Conversation:
        """Its line of the chat list."""
        return Conversation(
            peer=self.peer,
            seq=self.seq,
            ts=self.latest.ts,
            unread=self.unread,
            read=self.marks.read,
            peer_read=self.marks.peer_read,
            peer_delivered=max(self.marks.peer_delivered, self.marks.peer_read),
            has_written=self.has_written,
            last_from=self.latest.sender,
            last_text=self.latest.text,
            pending=tuple(Pending(outgoing.id, outgoing.text, outgoing.data) for outgoing in self._pending()),
            blocked=self.is_blocked,
            last_unsent=self.latest.unsent,
            last_has_data=self.latest.has_data,
        )

    def _pending(self) -> Iterator[Outgoing]:
        """What waits, without what the application has got as a message already, from the history."""
        for outgoing in self.outbox.waiting:
            if outgoing.found is None or outgoing.found.seq > (self.seen or 0):
                yield outgoing

    def anew(self) -> ConversationState:
        """Rule 10. What is left of it when the server speaks of another history."""
        waiting = deque(replace(outgoing, known_at=None, found=None) for outgoing in self.outbox.waiting)
        must_look_up = any(outgoing.was_tried for outgoing in waiting)
        reached = self.reached if self.seen is None else self.seen
        return ConversationState(self.peer, None, reached=reached, outbox=Outbox(waiting, must_look_up=must_look_up))

    def begin_anew(self, seq: int, backlog: int) -> None:
        """Rule 10. It goes up to `seq` now; what is told begins where it was left, or with the backlog."""
        if self.reached is not None and self.last is None:
            self.last = max(0, min(self.reached, seq - backlog))
        self.reached = None

    def has_expired_by(self, ts: int) -> bool:
        """Rule 11. Whether nothing that is known of it can be left at that time."""
        return 0 < self.expires <= ts

    def forget(self) -> None:
        """Rule 11. All of it has expired: only what is unsent is kept, and whether the peer is blocked."""
        for mark in self.marks.receipts.values():
            mark.wanted = 0  # one that is under way is not followed by another
        self.marks = Marks()
        self.last = None if self.last is None else 0
        self.numbering += 1
        self.reached = None
        self.target = self.expires = self.doubt = self.told = self.queued = self.received = 0
        self.ahead = {}
        self.unsends = set()
        self.latest = Latest()
        self.has_written = self.is_stuck = False

    def list_up_to(self, seq: int, latest: Latest, expires: int) -> None:
        """`sync` says that it goes this far."""
        self.is_stuck = False
        if seq >= self.seq:
            self.expires = expires
        if seq > self.seq or (seq == self.seq and self.latest.text is None):
            self.target, self.latest = seq, latest

    def block(self, blocked: bool) -> bool:
        """The peer is blocked, or not any more. False if that is nothing new.

        All of it counts as read then. The peer is told of no receipt while it is blocked: they go out again after that.
        """
        if blocked == self.is_blocked:
            return False
        self.is_blocked = blocked
        self.marks.read = max(self.marks.read, self.seq)
        if not blocked:
            self._repeat_receipts()
        return True

    def was_read(self, seq: int) -> None:
        """The application has got the next message from the mailbox."""
        self.queued -= 1
        self.told = seq

    # Messages

    def hear(self, message: Message) -> None:
        """It goes as far as this message at least, which the chat list shows if it is the last one."""
        if message.seq < self.seq:
            return
        is_unsent = message.unsent or message.unsends > 0
        has_data = message.data is not None
        self.target, self.expires = message.seq, message.expires
        self.latest = Latest(message.ts, message.sender, preview_of(message.text), is_unsent, has_data)

    def arrive(self, message: Message, most_ahead: int) -> list[Told]:
        """A message has come, alone, in whatever order. At most `most_ahead` wait for a message before them."""
        if self.last is None or message.seq > self.last + 1:
            if len(self.ahead) < most_ahead:
                self.ahead[message.seq] = message
            return []
        if message.seq <= self.last:
            return []
        return [self._take(message), *self._take_ahead()]

    def take_page(
        self, messages: list[Message], *, has_more: bool, after: int | None, target: int
    ) -> tuple[list[Told], PageEnd]:
        """Rule 4. Takes a page up to its end, or a hole. `after`, `target`: `last` and `target` when it was asked."""
        told: list[Told] = []
        if self.last is None:
            # The newest page: what is before it was never ours to tell.
            self.last = messages[0].seq - 1 if messages else target
            has_more = False
        for message in messages:
            self.outbox.find(message)
            told += self._take_ahead()
            if message.seq <= self.last:
                continue
            if message.seq > self.last + 1:
                if message.seq - 1 > self.doubt:
                    self.doubt = messages[-1].seq
                    return [*told, *self._take_ahead()], PageEnd.HOLE
                told.append(self._skip(message.seq - 1))
            told.append(self._take(message))
        told += self._take_ahead()
        if not has_more:
            return told, PageEnd.LAST
        # All of the page may have been pushed meanwhile: then there is more behind that.
        return told, PageEnd.MORE if self.last > (after or 0) else PageEnd.NOWHERE

    def close_gap(self, target: int) -> list[Told]:
        """Rule 4. The history has ended: of what was known when it was asked, what it did not have has expired."""
        told: list[Told] = []
        for seq in sorted(seq for seq in self.ahead if seq <= target):
            message = self.ahead.pop(seq)
            if seq > (self.last or 0) + 1:
                told.append(self._skip(seq - 1))
            told.append(self._take(message))
        if target > (self.last or 0):
            told.append(self._skip(target))
        return [*told, *self._take_ahead()]

    @property
    def lacks_preview(self) -> bool:
        """Whether the chat list has nothing to show of it."""
        return self.seq > 0 and self.latest.text is None

    def show_preview(self, message: Message) -> None:
        """Shows the message in the chat list, if it is the last one."""
        if message.seq == self.seq:
            self.hear(message)

    def _take(self, message: Message) -> Message:
        if not self.queued:
            self.told = message.seq - 1
        self.queued += 1
        self.last = message.seq
        self.hear(message)
        if message.is_own:
            self._write()
            self.marks.read = max(self.marks.read, message.seq)
        elif message.seq > self.marks.read:
            self.received = message.seq
            self.unsends = {seq for seq in self.unsends if seq > self.marks.read}
            self.unsends |= {message.seq} if message.unsends else set()
        return message

    def _write(self) -> None:
        """This user has written. At the first time, receipts go out again: the peer was told of none so far."""
        if not self.has_written:
            self.has_written = True
            self._repeat_receipts()

    def _repeat_receipts(self) -> None:
        for mark in self.marks.receipts.values():
            mark.confirmed = 0

    def _take_ahead(self) -> list[Told]:
        """Takes what has waited for the message that was just taken, and drops what has come another way."""
        told: list[Told] = []
        last = self.last or 0
        while message := self.ahead.pop(last + 1, None):
            told.append(self._take(message))
            last = message.seq
        for seq in [seq for seq in self.ahead if seq <= last]:
            del self.ahead[seq]
        return told

    def _skip(self, to: int) -> Expired:
        """The numbers up to this one have expired."""
        expired = Expired(self.peer, (self.last or 0) + 1, to)
        self.last = to
        return expired
