"""In-memory stand-ins: the table and the gateway, for tests of what is above them.

The contract tests run `MemoryTable` through the same cases as the real engines, so that it means what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chat.delivery import Pushed
from chat.protocol import Message, UserPresence
from parley.testing import memory

T = TypeVar("T")
Hook = Callable[[str], None]


def serially(calls: Sequence[Callable[[], T]]) -> list[T]:
    """`Parallel` in one thread: all calls are made, then the first exception is raised, as `Threads` does."""
    results: list[T] = []
    failures: list[Exception] = []
    for call in calls:
        try:
            results.append(call())
        except Exception as error:  # kept: the calls behind this one are made all the same
            failures.append(error)
    if failures:
        raise failures[0]
    return results


class MemoryTable(memory.MemoryTable):
    """The table in memory. `before` and `after` are called around each operation with its name.

    What `before` raises is a call that never arrived; what `after` raises is a reply that was lost.
    """

    def __init__(self, *, before: Hook | None = None, after: Hook | None = None) -> None:
        super().__init__()
        self._before = before or _nothing
        self._after = after or _nothing

    def _call(self, operation: str, work: Callable[[], T]) -> T:
        self._before(operation)
        result = super()._call(operation, work)
        self._after(operation)
        return result


def _nothing(_: str) -> None:
    pass


class MemoryGateway:
    """Connections that take what is pushed to them, unless told otherwise: `answers` by connection id."""

    def __init__(self) -> None:
        self.answers: dict[str, Pushed] = {}
        self.pushed: list[tuple[str, bytes]] = []
        self.closed: list[str] = []
        self.is_closing = True
        """Whether connections are closed when they are to be."""

    def push(self, connection_id: str, data: bytes) -> Pushed:
        answer = self.answers.get(connection_id, Pushed.TAKEN)
        if answer is Pushed.TAKEN:
            self.pushed.append((connection_id, data))
        return answer

    def close(self, connection_id: str) -> bool:
        if self.is_closing:
            self.closed.append(connection_id)
        return self.is_closing


class MemoryAnnouncer:
    """Keeps what it is told to announce."""

    def __init__(self) -> None:
        self.announced: list[UserPresence] = []
        self.later: list[UserPresence] = []

    def announce(self, presence: UserPresence) -> None:
        self.announced.append(presence)

    def announce_later(self, departure: UserPresence) -> None:
        self.later.append(departure)


class MemoryBus:
    """Keeps what the product is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def undelivered(self, message: Message) -> None:
        self.messages.append(message)
