"""What the client tells an application, and what an application can ask of it. Values only.

Differs from events.js: each event is a class of its own, and so is what is asked; there, events have names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .data import Data

ReceiptKind: TypeAlias = Literal["delivered", "read"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the conversation with `peer`, from either side. `ts` is in milliseconds since the epoch.

    `data` is what the sender's application has added, or has sent instead of a text, which is empty then. It is what
    the peer wrote: check it, and show it as text, never as markup. It is not to be changed.

    One that was taken back is `unsent`, and has no text and no data. In a HistoryPage are also those that take another
    one back: they have none either, and `unsends` is the number of the other. There is nothing to show of them.

    `expires` is when the server stops storing it, in milliseconds since the epoch; 0 if it does not say so.
    """

    peer: str
    sender: str
    to: str
    seq: int
    id: str
    text: str
    ts: int
    unsent: bool = False
    unsends: int = 0
    data: Data | None = field(default=None, hash=False)
    expires: int = 0

    @property
    def is_own(self) -> bool:
        """Whether the user has sent it, on this device or another."""
        return self.to == self.peer


@dataclass(frozen=True, slots=True)
class Unsent:
    """`sender` has taken its message `seq` with `peer` back: its text is gone, and is not to be shown any more.

    `number` is what this itself is in the conversation, where it takes a number as a message does.
    """

    peer: str
    sender: str
    seq: int
    number: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours is stored. `delivered` counts the recipient's connections that took it at once.

    It is None if that is not known: the acknowledgement was lost, and the message was found in the history. While
    thousands of events are unread, Sent is left out, and the Message alone tells that it is stored.
    """

    id: str
    peer: str
    seq: int
    ts: int
    delivered: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A message of ours is refused for good, and was taken out of the queue. A state keeps it until it is read."""

    id: str
    peer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """`sender` has received (`delivered`) or read (`read`) the conversation with `peer` up to and including `seq`.

    `sender` is the peer, or the user itself on another device. `ts` is None if the live receipt was missed.
    """

    peer: str
    sender: str
    kind: ReceiptKind
    seq: int
    ts: int | None


@dataclass(frozen=True, slots=True)
class Typing:
    """`peer` started or stopped composing. It also counts as stopped when nothing more is heard for 12 seconds."""

    peer: str
    composing: bool


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """`user` is online or not; `last_seen` is in milliseconds since the epoch, None if never seen."""

    user: str
    online: bool
    last_seen: int | None
    rev: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """The user has blocked `peer`, or has not any more, on this device or another."""

    peer: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Expired:
    """The messages `first` to `last` with `peer` are no longer stored, or came while it was blocked."""

    peer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The server's data has gone back to an earlier state, so what was told of any conversation may be gone.

    Forget it: what the server has is told anew after this event, the latest messages of each conversation at least.
    What is unsent is still queued. `epoch` names the server's history from now on.
    """

    epoch: str


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a connection, and everything that was missed has been told before this event."""

    user: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """There is no connection; the next attempt starts in `retry_in` seconds. Messages are queued meanwhile."""

    reason: str
    retry_in: float


Event: TypeAlias = (
    Message
    | Unsent
    | Sent
    | Failed
    | Receipt
    | Typing
    | PresenceChange
    | Blocked
    | Expired
    | Reset
    | Connected
    | Disconnected
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A message of ours that was not told as a Message yet."""

    id: str
    text: str
    data: Data | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A line of the chat list. `ts`, `last_from` and `last_text` are of the last message; its text may be cut.

    `has_written` says whether the user has: until both have, neither learns more of the other than messages.
    """

    peer: str
    seq: int
    ts: int
    unread: int
    read: int
    peer_read: int
    peer_delivered: int
    has_written: bool
    last_from: str | None
    last_text: str | None
    pending: tuple[Pending, ...]
    blocked: bool = False
    """Whether the user has blocked the peer."""
    last_unsent: bool = False
    """Whether the last message was taken back, or takes another one back. Then its text is empty."""
    last_has_data: bool = False
    """Whether the last message has data. Its text may be empty then."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages, oldest first, and whether there are older ones."""

    messages: tuple[Message, ...]
    more: bool
