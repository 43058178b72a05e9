"""What a `Session` asks of the code that drives it. Each is carried out once, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .errors import Refused
from .events import Blocked, HistoryPage, PresenceChange, Sent, Unsent

Found: TypeAlias = HistoryPage | tuple[PresenceChange, ...] | Blocked | Unsent
"""What a question is answered with, if it is not refused."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection with a freshly fetched token; report `opened`, `failed` or `refused`."""

    connection: int


@dataclass(frozen=True, slots=True)
class Write:
    """Send a text frame."""

    connection: int
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection; the session does not use it any more."""

    connection: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the question asked under `id`, or the outcome of the message sent under it."""

    id: str
    value: Sent | Found | Refused


Effect: TypeAlias = Open | Write | Close | Answer
