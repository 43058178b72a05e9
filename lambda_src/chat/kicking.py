"""Ending all connections of a user, with or without a bar."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from functools import partial
from typing import NamedTuple

from chat.clock import Clock
from chat.delivery import Gateway, Pushed
from chat.parallel import Parallel
from chat.protocol import ChatError, CloseCode, ErrorCode, close_frame, encode
from chat.sessions import OPENING_MS, Bar, Connection, Sessions

KICKED = encode(
    close_frame(CloseCode.KICKED, "the operator has ended all connections of this user", retry_after_ms=None)
).encode()


AGAIN_MS = 1_000
"""When to retry what API Gateway did not close: its throttle refills by the second."""


class Ended(Enum):
    """The result of closing one connection."""

    CLOSED = "closed"
    OPENING = "opening"
    """API Gateway does not know it until its handshake has ended."""
    LEFT = "left"


class Kicked(NamedTuple):
    """How many connections were closed, and how many cannot be yet, since their handshakes are under way.

    While there are any of those, the caller has to repeat the call.
    """

    closed: int
    opening: int


class Kicking:
    """Bars users, and closes their connections. Raises ChatError (`too_many_requests`) if one could not be closed."""

    def __init__(self, sessions: Sessions, gateway: Gateway, *, clock: Clock, parallel: Parallel) -> None:
        self._sessions = sessions
        self._gateway = gateway
        self._clock = clock
        self._parallel = parallel

    def kick(self, user: str) -> Kicked:
        """Closes the user's connections. It may connect again."""
        return self._close(self._sessions.all_of(user))

    def bar(self, user: str, ms: int) -> tuple[Bar, Kicked]:
        """Bars the user for `ms`, then closes its connections; in this order, none can slip in between."""
        bar = self._sessions.bar(user, ms)
        return bar, self._close(bar.connections)

    def _close(self, connections: Collection[Connection]) -> Kicked:
        ended = self._parallel([partial(self._close_one, connection) for connection in connections])
        if left := ended.count(Ended.LEFT):
            # Such a connection keeps working: an instance that has not seen the bar does not refuse its frames.
            reason = f"{left} of the user's connections could not be closed; do the same again"
            raise ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, retry_after_ms=AGAIN_MS)
        return Kicked(ended.count(Ended.CLOSED), ended.count(Ended.OPENING))

    def _close_one(self, connection: Connection) -> Ended:
        is_unknown = self._gateway.push(connection.id, KICKED) is Pushed.GONE
        if is_unknown and self._clock() - connection.connected_at < OPENING_MS:
            return Ended.OPENING
        return Ended.CLOSED if self._gateway.close(connection.id) else Ended.LEFT
