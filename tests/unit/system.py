"""The whole chat in memory, as the handlers put it together, and what may go wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chat.acquaintance import PEER_WROTE, WROTE
from chat.bus import Bus
from chat.delivery import Pushed
from chat.may_send import MaySend
from chat.protocol import Frame, Message, Request, encode
from chat.routes import MAX_ANNOUNCED_CHATS, MessageRoutes
from chat.sessions import Connection
from chat.table import Consumed, Update, chat_key
from chat.wiring import connection_routes, limits, message_routes
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.instances import RATE
from tests.fakes.memory import Hook, MemoryAnnouncer, MemoryBus, MemoryGateway, MemoryTable, serially


class RecordingBus(MemoryBus):
    """A bus that says when it is called."""

    def __init__(self, record: Hook) -> None:
        super().__init__()
        self._record = record

    def undelivered(self, message: Message) -> None:
        self._record("event")
        super().undelivered(message)


class RecordingGateway(MemoryGateway):
    """A gateway that says when it is called."""

    def __init__(self, record: Hook) -> None:
        super().__init__()
        self._record = record

    def push(self, connection_id: str, data: bytes) -> Pushed:
        self._record("push")
        return super().push(connection_id, data)

    def close(self, connection_id: str) -> bool:
        self._record("close")
        return super().close(connection_id)


class System:
    """A table, a gateway, and all that is between them and a frame.

    `steps` are the calls made to table and gateway. `before` and `after` are called around each of the table's.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.steps: list[str] = []
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.table = MemoryTable(before=self._before, after=self._after)
        self.gateway = RecordingGateway(self.steps.append)
        self.announcer = MemoryAnnouncer()
        self.consumed = Consumed()
        """What each frame has consumed of the table: units of memory cost nothing."""
        self.set_grace(0)

    def set_grace(self, ms: int) -> None:
        """Deploys the functions with so long a grace before a departure is told."""
        self.connection_routes = connection_routes(
            self.table, self.gateway, self.announcer, clock=self.clock, retention_ms=RETENTION_MS, grace_ms=ms
        )
        self.restart()

    def _before(self, operation: str) -> None:
        self.steps.append(operation)
        self.before(operation)

    def _after(self, operation: str) -> None:
        self.after(operation)

    def restart(
        self, *, bus: Bus | None = None, may_send: MaySend | None = None, wait: Callable[[int], None] | None = None
    ) -> None:
        """A cold start: what a warm function remembers is gone."""
        self.routes = self.message_routes(bus, may_send, wait)
        self.limits = limits(self.table, lambda: self.consumed, clock=self.clock, rate=RATE, retention_ms=RETENTION_MS)
        self.conversations = self.routes._conversations
        self.sessions = self.routes._sessions
        self.delivery = self.routes._delivery

    def message_routes(
        self,
        bus: Bus | None = None,
        may_send: MaySend | None = None,
        wait: Callable[[int], None] | None = None,
        **settings: int,
    ) -> MessageRoutes:
        return message_routes(
            self.table,
            self.gateway,
            clock=self.clock,
            parallel=serially,
            retention_ms=RETENTION_MS,
            epoch="1",
            bus=bus,
            may_send=may_send,
            new_chats=settings.get("new_chats"),
            announced_chats=settings.get("announced_chats", MAX_ANNOUNCED_CHATS),
            wait=wait,
        )

    def connect(self, user: str, device: str = "phone") -> Connection:
        connection = Connection(user, f"{user}-{device}=", self.clock.now)
        self.sessions.connect(connection)
        return connection

    def acquaint(self, user: str, *peers: str) -> None:
        """The user and each of the peers have both written, some time ago."""
        for peer in peers:
            for key in (chat_key(user, peer), chat_key(peer, user)):
                self.table.update(key, Update(put={WROTE: 1, PEER_WROTE: 1}))

    def serve(self, caller: Connection, request: Request) -> Frame:
        """The reply to the frame."""
        reply = self.routes.serve(caller, request).reply
        assert reply is not None
        return reply

    def pushed(self, connection: Connection) -> list[Any]:
        """The frames that the connection was pushed, as they were on the wire."""
        return [data.decode() for id, data in self.gateway.pushed if id == connection.id]


def on_the_wire(*frames: Frame) -> list[str]:
    return [encode(frame) for frame in frames]


def fails_at(number: int, error: Exception) -> Hook:
    """A hook that raises once, at the call of that number, counted from 0."""
    numbers = iter(range(1_000_000))

    def hook(_: str) -> None:
        if next(numbers) == number:
            raise error

    return hook


def always(error: Exception, *, on: str) -> Callable[[str], None]:
    """A hook that raises at every call of the operation."""

    def hook(operation: str) -> None:
        if operation == on:
            raise error

    return hook


def _nothing(_: str) -> None:
    pass
