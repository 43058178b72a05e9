"""Pushing frames to connections, and forgetting those that are gone.

A push is a hint that something is stored: a device that misses one finds it at its next `sync`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from functools import partial
from typing import NamedTuple, Protocol

from chat import log
from chat.clock import Clock
from chat.parallel import Parallel
from chat.protocol import Frame, UserPresence, encode
from chat.sessions import OPENING_MS, Change, Connection, Sessions
from chat.table import FAILED_CALLS


class Pushed(Enum):
    """What became of one push."""

    TAKEN = "taken"
    GONE = "gone"
    FAILED = "failed"


class Gateway(Protocol):
    """API Gateway's side of the connections. Neither method raises."""

    def push(self, connection_id: str, data: bytes) -> Pushed: ...

    def close(self, connection_id: str) -> bool:
        """Whether the connection is closed, or was gone already."""


def end(gateway: Gateway, connection_id: str, *frames: Frame) -> None:
    """Closes a connection behind its last frames: API Gateway chooses the code of the close, so a frame says why."""
    for frame in frames:
        gateway.push(connection_id, encode(frame).encode())
    gateway.close(connection_id)


class Delivered(NamedTuple):
    """Which connections took a frame, and which users turned out to be offline while it was pushed."""

    taken: tuple[Connection, ...] = ()
    gone: int = 0
    failed: int = 0
    went_offline: tuple[UserPresence, ...] = ()
    settled: frozenset[str] = frozenset()
    """The ids of the connections to which the frame need not be pushed once more: all but those that may be opening."""

    @property
    def pushes(self) -> int:
        """How many were tried, and so are billed."""
        return len(self.taken) + self.gone + self.failed

    def followed_by(self, later: Delivered) -> Delivered:
        """Both, of one frame that was pushed in two steps."""
        return Delivered(
            self.taken + later.taken,
            self.gone + later.gone,
            self.failed + later.failed,
            self.went_offline + later.went_offline,
            self.settled | later.settled,
        )

    def taken_by(self, user: str) -> int:
        """The user's connections that took the frame."""
        return sum(connection.user == user for connection in self.taken)

    def counts(self) -> dict[str, int]:
        """What the log says of the pushes."""
        return {"taken": len(self.taken), "gone": self.gone, "failed": self.failed}


class _Attempt(NamedTuple):
    pushed: Pushed
    opening: bool = False
    """Whether API Gateway may not know the connection yet."""
    went_offline: UserPresence | None = None


class Delivery:
    """Pushes frames through the gateway, and prunes connections that are gone from the sessions."""

    def __init__(self, gateway: Gateway, sessions: Sessions, *, clock: Clock, parallel: Parallel) -> None:
        self._gateway = gateway
        self._sessions = sessions
        self._clock = clock
        self._parallel = parallel

    def push(self, connections: Collection[Connection], frame: Frame) -> Delivered:
        """Pushes the frame to all of the connections, side by side; a failed push does not affect the others."""
        data = encode(frame).encode()
        results = self._parallel([partial(self._push, connection, data) for connection in connections])
        outcomes = [attempt.pushed for attempt in results]
        return Delivered(
            taken=tuple(to for to, pushed in zip(connections, outcomes, strict=True) if pushed is Pushed.TAKEN),
            gone=outcomes.count(Pushed.GONE),
            failed=outcomes.count(Pushed.FAILED),
            went_offline=tuple(attempt.went_offline for attempt in results if attempt.went_offline),
            settled=frozenset(to.id for to, attempt in zip(connections, results, strict=True) if not attempt.opening),
        )

    def prune_if_gone(self, connection: Connection, frame: Frame) -> Change | None:
        """Pushes to a connection that has sent a frame, and so has opened, however young it is."""
        gone = self._gateway.push(connection.id, encode(frame).encode()) is Pushed.GONE
        return self._prune(connection) if gone else None

    def end(self, connections: Collection[Connection], *frames: Frame) -> None:
        """Closes the connections, side by side, each behind its last frames."""
        self._parallel([partial(end, self._gateway, connection.id, *frames) for connection in connections])

    def _push(self, connection: Connection, data: bytes) -> _Attempt:
        age_ms = self._clock() - connection.connected_at
        pushed = self._gateway.push(connection.id, data)
        # API Gateway also answers 410 for a connection that is still opening, and so is alive.
        if pushed is not Pushed.GONE or age_ms <= OPENING_MS:
            return _Attempt(pushed, opening=pushed is Pushed.GONE)
        change = self._prune(connection)
        return _Attempt(pushed, went_offline=change.presence if change and change.went_online_or_offline else None)

    def _prune(self, connection: Connection) -> Change | None:
        try:
            return self._sessions.prune(connection)
        except FAILED_CALLS as error:
            # A later push finds it again; until then the user is taken to be online.
            log.failure("prune failed", error)
            return None
