"""How the parts of a function are put together; the handlers, the tests and the bench all do it here."""

from __future__ import annotations

from chat.announcements import Announcer
from chat.blocking import Blocking
from chat.clock import Clock
from chat.conversations import Conversations
from chat.delivery import Delivery, Gateway
from chat.parallel import Parallel
from chat.routes import ConnectionRoutes, MessageRoutes
from chat.sessions import Sessions
from chat.table import Table


def message_routes(
    table: Table, gateway: Gateway, *, clock: Clock, parallel: Parallel, retention_ms: int, epoch: str
) -> MessageRoutes:
    sessions = Sessions(table, clock)
    conversations = Conversations(table, retention_ms=retention_ms, clock=clock, parallel=parallel)
    blocking = Blocking(table, conversations, sessions, clock)
    delivery = Delivery(gateway, sessions, clock=clock, parallel=parallel)
    return MessageRoutes(conversations, blocking, sessions, delivery, clock=clock, epoch=epoch)


def connection_routes(table: Table, gateway: Gateway, announcer: Announcer, *, clock: Clock) -> ConnectionRoutes:
    return ConnectionRoutes(Sessions(table, clock), gateway, announcer)
