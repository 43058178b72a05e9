"""A function's instance whose table and gateway are the explorer's: each call is a step."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from unittest.mock import patch

from chat import wiring
from chat.backend_routes import BackendRoutes
from chat.blocking import Blocking
from chat.clock import Clock
from chat.conversations import Conversations
from chat.delivery import Delivery, Pushed
from chat.protocol import ChatError, ErrorCode, Message
from chat.routes import ConnectionRoutes, MessageRoutes
from chat.sessions import Sessions
from chat.table import Condition, Item, Key, Query, Update, Updated, message_key
from tests.fakes.clock import RETENTION_MS
from tests.fakes.memory import MemoryAnnouncer, MemoryTable, serially
from tests.schedules.explorer import Outcome, Player, Step, Way
from tests.schedules.world import World

T = TypeVar("T")

NEW_CHATS = 50
"""More than any scenario begins: what is explored is that counting them gets in no message's way."""

TIMES = ("ts", "changed", "last_seen", "unsent", "ttl")


class Died(BaseException):
    """The invocation ended in the middle; no code of ours runs any more."""


class LostReply(Exception):
    """The call was made, and nobody knows."""


DIES: Mapping[str, Way] = {"dies before it": lambda _: Outcome(error=Died())}
REFUSED: Mapping[str, Way] = {
    **DIES,
    "throttled": lambda _: Outcome(error=ChatError(ErrorCode.TOO_MANY_REQUESTS, "the table is over its rate")),
}


@dataclass(frozen=True)
class Code:
    """The code that is explored; tests put a mutation in the place of a class."""

    conversations: type[Conversations] = Conversations
    routes: type[MessageRoutes] = MessageRoutes
    blocking: type[Blocking] = Blocking
    delivery: type[Delivery] = Delivery
    sessions: type[Sessions] = Sessions
    has_bus: bool = False
    has_rule: bool = False
    any_order: bool = False
    """Whether the steps of calls side by side go in every order; else the calls do in theirs, and in its reverse."""

    def message_function(self, player: Player, clock: Clock | None = None) -> MessageRoutes:
        """A new instance."""
        deployed = Step("starts", {"": lambda world: Outcome(world.epoch)}, private=True)
        with self._in_place():
            return wiring.message_routes(
                StepTable(player),
                StepGateway(player),
                clock=clock or player.now,
                parallel=self._parallel(player),
                retention_ms=RETENTION_MS,
                new_chats=NEW_CHATS,
                epoch=player.step(deployed),
                bus=StepBus(player) if self.has_bus else None,
                may_send=StepRule(player) if self.has_rule else None,
            )

    def backend_function(self, player: Player, clock: Clock) -> BackendRoutes:
        """A new instance."""
        with self._in_place():
            return wiring.backend_routes(
                StepTable(player),
                StepGateway(player),
                clock=clock,
                parallel=self._parallel(player),
                retention_ms=RETENTION_MS,
            )

    def _in_place(self) -> AbstractContextManager[object]:
        return patch.multiple(
            wiring,
            Conversations=self.conversations,
            MessageRoutes=self.routes,
            Blocking=self.blocking,
            Delivery=self.delivery,
            Sessions=self.sessions,
        )

    def _parallel(self, player: Player) -> AnyOrder | EitherOrder:
        return AnyOrder(player) if self.any_order else EitherOrder(player)


def connection_function(player: Player, sessions: type[Sessions]) -> ConnectionRoutes:
    with patch.object(wiring, "Sessions", sessions):
        return wiring.connection_routes(
            StepTable(player), StepGateway(player), MemoryAnnouncer(), clock=player.now, retention_ms=RETENTION_MS
        )


class StepTable:
    """`Table`, one step a call."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def query(self, query: Query) -> list[Item]:
        return self._read(f"query {query.pk}", lambda table: table.query(query), consistent=query.consistent)

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        if not keys:
            return {}
        named = ", ".join(sorted({" ".join(key) for key in keys}))
        return self._read(f"get {named}", lambda table: table.get(keys), consistent=consistent)

    def insert(self, item: Item) -> bool:
        return self._write(f"insert {item['pk']} {item['sk']}, id {item['id']}", lambda world: world.insert(item))

    def update(self, key: Key, update: Update) -> Updated:
        changes = [f"{name} = {value}" for name, value in update.put.items() if name not in TIMES]
        changes += [f"no {name}" for name in update.remove]
        return self._write(f"update {' '.join(key)}: {', '.join(changes)}", lambda world: world.update(key, update))

    def delete(self, key: Key, only_if: Sequence[Condition] = ()) -> bool:
        return self._write(f"delete {' '.join(key)}", lambda world: world.delete_if(key, only_if))

    def _read(self, name: str, read: Callable[[MemoryTable], T], *, consistent: bool) -> T:
        ways: dict[str, Way] = {"": lambda world: Outcome(read(world.table))}
        if not consistent:
            ways["stale"] = lambda world: Outcome(read(world.stale_table))
        result: T = self._player.step(Step(name, ways, REFUSED))
        return result

    def _write(self, name: str, write: Callable[[World], T]) -> T:
        def lost(world: World) -> Outcome:
            write(world)
            return Outcome(error=LostReply())

        def made_twice(world: World) -> Outcome:
            write(world)
            return Outcome(write(world))

        faults = {**REFUSED, "made, its reply is lost": lost, "made twice, the first reply is lost": made_twice}
        result: T = self._player.step(Step(name, {"": lambda world: Outcome(write(world))}, faults))
        return result


class StepGateway:
    """`Gateway`, one step a push."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def push(self, connection_id: str, data: bytes) -> Pushed:
        frame = json.loads(data)

        def way(world: World) -> Outcome:
            return Outcome(Pushed.TAKEN if world.push(connection_id, frame) else Pushed.GONE)

        def failed(world: World) -> Outcome:
            world.push_failed = True
            return Outcome(Pushed.FAILED)

        name = f"push to {connection_id}: {frame['type']} {frame.get('seq', '')}".rstrip()
        pushed: Pushed = self._player.step(Step(name, {"": way}, {**DIES, "fails": failed}))
        return pushed

    def close(self, connection_id: str) -> bool:
        def way(world: World) -> Outcome:
            world.close_connection(connection_id)
            return Outcome()

        self._player.step(Step(f"close {connection_id}", {"": way}))
        return True


class StepRule:
    """`MaySend`, one step a question."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def check(self, sender: str, to: str) -> None:
        def answer(world: World) -> Outcome:
            if world.ask(sender, to):
                return Outcome()
            return Outcome(error=ChatError(ErrorCode.FORBIDDEN, "it may not"))

        faults = {**DIES, "fails": lambda _: Outcome(error=ChatError(ErrorCode.INTERNAL, "nobody knows"))}
        self._player.step(Step(f"ask whether {sender} may write to {to}", {"": answer}, faults))


class StepBus:
    """`Bus`, one step an event."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def undelivered(self, message: Message) -> None:
        key = message_key(message.sender, message.to, message.seq)

        def put(world: World) -> Outcome:
            world.tell_product(key)
            return Outcome()

        def failed(world: World) -> Outcome:
            world.event_failed = True
            return Outcome()

        faults = {**DIES, "fails": failed, "dies behind it": _then_dies(put)}
        self._player.step(Step(f"puts the event of {message.seq}", {"": put}, faults))


def _then_dies(way: Way) -> Way:
    def dies(world: World) -> Outcome:
        way(world)
        return Outcome(error=Died())

    return dies


class AnyOrder:
    """`Parallel`: the steps of the calls in every order."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        return serially(calls) if len(calls) < 2 else self._player.side_by_side(calls)


class EitherOrder:
    """`Parallel`: the calls in one order, or in its reverse."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        if len(calls) < 2:
            return serially(calls)
        return self._player.whole(partial(self._make, calls))

    def _make(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        ways: dict[str, Way] = {"in order": lambda _: Outcome(1), "reversed": lambda _: Outcome(-1)}
        step = Step(f"makes {len(calls)} calls side by side", ways, private=True)
        direction: int = self._player.step(step)
        return serially([partial(self._player.whole, call) for call in calls[::direction]])[::direction]
