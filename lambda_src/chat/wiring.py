"""How the parts of a function are put together; the handlers, the tests and the bench all do it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chat.announcements import Announcer
from chat.blocking import Blocking
from chat.clock import Clock
from chat.conversations import Conversations
from chat.delivery import Delivery, Gateway
from chat.limits import Limits
from chat.parallel import Parallel
from chat.routes import MAX_ANNOUNCED_CHATS, ConnectionRoutes, MessageRoutes
from chat.sessions import Sessions
from chat.settings import required
from chat.table import Consumed, Table

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from chat.backend_routes import BackendRoutes
    from chat.bus import Bus, EventBus
    from chat.may_send import MaySend
    from chat.sdk import Service


def message_routes(
    table: Table,
    gateway: Gateway,
    *,
    clock: Clock,
    parallel: Parallel,
    retention_ms: int,
    epoch: str,
    new_chats: int | None = None,
    may_send: MaySend | None = None,
    bus: Bus | None = None,
    announced_chats: int = MAX_ANNOUNCED_CHATS,
    wait: Callable[[int], None] | None = None,
) -> MessageRoutes:
    sessions = Sessions(table, clock, retention_ms=retention_ms)
    conversations = Conversations(
        table, retention_ms=retention_ms, clock=clock, parallel=parallel, new_chats=new_chats, may_send=may_send
    )
    blocking = Blocking(table, conversations, sessions, clock)
    delivery = Delivery(gateway, sessions, clock=clock, parallel=parallel)
    return MessageRoutes(
        conversations,
        blocking,
        sessions,
        delivery,
        clock=clock,
        parallel=parallel,
        epoch=epoch,
        announced_chats=announced_chats,
        bus=bus,
        wait=wait,
    )


def limits(
    table: Table, consumed: Callable[[], Consumed], *, clock: Clock, rate: int, retention_ms: int | None = None
) -> Limits:
    return Limits(Sessions(table, clock, retention_ms=retention_ms), consumed, clock, rate=rate)


def connection_routes(
    table: Table, gateway: Gateway, announcer: Announcer, *, clock: Clock, retention_ms: int, grace_ms: int = 0
) -> ConnectionRoutes:
    sessions = Sessions(table, clock, retention_ms=retention_ms, grace_ms=grace_ms)
    return ConnectionRoutes(sessions, gateway, announcer)


def event_bus(environment: Mapping[str, str], client: Callable[[Service], BaseClient]) -> EventBus | None:
    """The bus that the environment names, if it names one."""
    name = environment.get("EVENT_BUS")
    if not name:
        return None
    # A function without a bus does not pay for it at its cold start.
    from chat.bus import EventBus  # noqa: PLC0415

    return EventBus(client("events"), name, has_text=required(environment, "EVENT_TEXT") == "true")


def rule(environment: Mapping[str, str], client: Callable[[Service], BaseClient], clock: Clock) -> MaySend | None:
    """The product's own rule, if the environment names its function."""
    function = environment.get("MAY_SEND_FUNCTION")
    if not function:
        return None
    from chat.may_send import FunctionRule  # noqa: PLC0415 - only deployments with a rule pay for it

    fails_open = required(environment, "MAY_SEND_FAILS") == "open"
    return FunctionRule(lambda: client("lambda"), function, fails_open=fails_open, clock=clock)


def backend_routes(
    table: Table,
    gateway: Gateway,
    *,
    clock: Clock,
    parallel: Parallel,
    retention_ms: int,
    bus: Bus | None = None,
    announced_chats: int = MAX_ANNOUNCED_CHATS,
) -> BackendRoutes:
    """A backend's routes. Unlike a user, it may write to anybody, and to as many as it likes."""
    # The functions that serve users do not pay for it at their cold start.
    from chat.backend_routes import BackendRoutes  # noqa: PLC0415
    from chat.erasing import Erasing  # noqa: PLC0415
    from chat.kicking import Kicking  # noqa: PLC0415

    messages = message_routes(
        table,
        gateway,
        clock=clock,
        parallel=parallel,
        retention_ms=retention_ms,
        epoch="",  # which names no history: a sync does
        announced_chats=announced_chats,
        bus=bus,
    )
    conversations = Conversations(table, retention_ms=retention_ms, clock=clock, parallel=parallel)
    sessions = Sessions(table, clock, retention_ms=retention_ms)
    kicking = Kicking(sessions, gateway, clock=clock, parallel=parallel)
    erasing = Erasing(table, clock=clock, parallel=parallel)
    return BackendRoutes(messages, conversations, sessions, table, kicking=kicking, erasing=erasing, clock=clock)
