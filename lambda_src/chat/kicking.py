"""Ending all connections of a user, for its own sake or with a bar."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from chat.clock import Clock
from chat.delivery import Gateway, Pushed
from chat.parallel import Parallel
from chat.protocol import CloseCode, close_frame, encode
from chat.sessions import OPENING_MS, Bar, Connection, Sessions

KICKED = encode(
    close_frame(CloseCode.KICKED, "the operator has ended all connections of this user", retry_after_ms=None)
).encode()


class Kicked(NamedTuple):
    """How many connections were closed, and how many cannot be yet, since their handshakes are under way.

    While there is one of those, whoever calls this calls it again.
    """

    closed: int
    opening: int


class Kicking:
    """Bars users, and closes their connections."""

    def __init__(self, sessions: Sessions, gateway: Gateway, *, clock: Clock, parallel: Parallel) -> None:
        self._sessions = sessions
        self._gateway = gateway
        self._clock = clock
        self._parallel = parallel

    def kick(self, user: str) -> Kicked:
        """Closes the user's connections. It may connect again."""
        return self._close(self._sessions.of([user])[user])

    def bar(self, user: str, ms: int) -> tuple[Bar, Kicked]:
        """Bars the user for so long, then closes its connections: one that came between would stay otherwise."""
        bar = self._sessions.bar(user, ms)
        return bar, self._close(bar.connections)

    def _close(self, connections: Collection[Connection]) -> Kicked:
        closed = self._parallel([partial(self._close_one, connection) for connection in connections])
        return Kicked(closed.count(True), closed.count(False))

    def _close_one(self, connection: Connection) -> bool:
        """Whether the connection is closed. API Gateway does not know it until its handshake has ended."""
        is_unknown = self._gateway.push(connection.id, KICKED) is Pushed.GONE
        if is_unknown and self._clock() - connection.connected_at < OPENING_MS:
            return False
        self._gateway.close(connection.id)
        return True
