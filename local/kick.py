"""Ending all connections of a user: `make kick USER=...`."""

from __future__ import annotations

import time
from typing import NamedTuple

from chat.delivery import Gateway, Pushed
from chat.protocol import CloseCode, close_frame, encode
from chat.sessions import OPENING_MS, Connection, Sessions

KICKED = encode(
    close_frame(CloseCode.KICKED, "the operator has ended all connections of this user", retry_after_ms=None)
).encode()

AGAIN_SECONDS = 1.0
"""Between two tries to close a connection that is still opening."""


class Kicked(NamedTuple):
    """How many connections were closed, and until when the user is barred, in milliseconds since the epoch."""

    closed: int
    until: int


def kick(sessions: Sessions, gateway: Gateway, user: str, minutes: int) -> Kicked:
    """Bars the user for so long, and closes its connections."""
    bar = sessions.bar(user, minutes * 60_000)
    for connection in bar.connections:
        _close(gateway, connection)
    return Kicked(len(bar.connections), bar.until)


def _close(gateway: Gateway, connection: Connection) -> None:
    # API Gateway does not know a connection until its handshake has ended; not closed then, it would stay.
    while gateway.push(connection.id, KICKED) is Pushed.GONE and _may_be_opening(connection):
        time.sleep(AGAIN_SECONDS)
    gateway.close(connection.id)


def _may_be_opening(connection: Connection) -> bool:
    return time.time() * 1_000 - connection.connected_at < OPENING_MS
