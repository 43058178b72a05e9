"""Function instances as the handlers build them, each with its own memory, over a table and a gateway of the test's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chat.bus import Bus
from chat.clock import Clock
from chat.conversations import Conversations
from chat.delivery import Gateway
from chat.limits import Limits
from chat.may_send import MaySend
from chat.parallel import Parallel
from chat.protocol import encode, parse
from chat.routes import ConnectionRoutes, MessageRoutes
from chat.sessions import Connection, Sessions
from chat.table import Consumed, Table
from chat.wiring import connection_routes, limits, message_routes
from tests.fakes.clock import RETENTION_MS
from tests.fakes.memory import MemoryAnnouncer, serially

RATE = 10
"""Messages a second that a user may go on sending: the stack's default."""


@dataclass(frozen=True)
class Instance:
    """A warm instance of the message function, and one of the connection function."""

    messages: MessageRoutes
    connections: ConnectionRoutes
    conversations: Conversations
    sessions: Sessions
    limits: Limits

    def serve(self, caller: Connection, **frame: object) -> Any:
        """The reply to a frame as it arrives on the wire; None if there is none. Raises what the route raises."""
        reply = self.messages.serve(caller, parse(json.dumps(frame))).reply
        return None if reply is None else json.loads(encode(reply))


def instance(
    table: Table,
    gateway: Gateway,
    *,
    clock: Clock,
    parallel: Parallel = serially,
    retention_ms: int = RETENTION_MS,
    epoch: str = "1",
    bus: Bus | None = None,
    may_send: MaySend | None = None,
) -> Instance:
    messages = message_routes(
        table,
        gateway,
        clock=clock,
        parallel=parallel,
        retention_ms=retention_ms,
        epoch=epoch,
        may_send=may_send,
        bus=bus,
    )
    connections = connection_routes(table, gateway, MemoryAnnouncer(), clock=clock, retention_ms=retention_ms)
    own = limits(table, Consumed, clock=clock, rate=RATE, retention_ms=retention_ms)
    return Instance(messages, connections, messages._conversations, messages._sessions, own)
