"""A chat whose calls are metered: alice with two devices, bob with two, and a log of any length between them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from chat.acquaintance import PEER_WROTE, WROTE
from chat.dynamo import DynamoTable
from chat.parallel import Threads
from chat.sessions import Connection
from chat.table import Item, Table, chat_key, message_key
from tests.costs.meter import Cost, MeteredMemory, SdkMeter
from tests.fakes.clock import HOUR_MS, RETENTION_MS, ManualClock
from tests.fakes.engines import Engine
from tests.fakes.instances import Instance, instance
from tests.fakes.memory import MemoryGateway

ALICE, BOB = f"{uuid.UUID(int=1)}", f"{uuid.UUID(int=2)}"  # ids as identity providers give them out
TEXT = "x" * 200
BATCH = 25


class Meter(Protocol):
    cost: Cost

    def reset(self) -> None: ...


@dataclass
class Chat:
    """The instance under test is `warm`; `new` makes another one."""

    meter: Meter
    table: Table
    store: Callable[[Iterable[Item]], None]
    """Puts items into the table unmetered."""
    client: Any = None
    clock: ManualClock = field(default_factory=ManualClock)
    gateway: MemoryGateway = field(default_factory=MemoryGateway)

    def __post_init__(self) -> None:
        self.warm = self.new()
        self.alice, self.bob = self.connect(ALICE), self.connect(BOB)
        self.other_of_alice = self.connect(ALICE)
        self.connect(BOB)

    def new(self) -> Instance:
        return instance(self.table, self.gateway, clock=self.clock, parallel=Threads())

    def connect(self, user: str) -> Connection:
        connection = Connection(user, uuid.uuid4().hex[:15] + "=", self.clock())
        self.warm.connections.connect(connection)
        return connection

    def fill(self, messages: int, text: str = TEXT, peer: str = BOB, *, age_ms: int = HOUR_MS, behind: int = 0) -> None:
        """So many messages of a log between alice and a peer, and their two chat items."""
        last = behind + messages
        self.store(self.message(peer, seq, text, age_ms) for seq in range(behind + 1, last + 1))
        moved = {"seq": last, "ts": self.clock(), "changed": self.clock(), "read": last, WROTE: last, PEER_WROTE: last}
        self.store({**chat_key(*pair)._asdict(), **moved} for pair in ((ALICE, peer), (peer, ALICE)))

    def message(self, peer: str, seq: int, text: str, age_ms: int = 0) -> Item:
        fields = {"from": peer, "id": f"{uuid.UUID(int=seq)}", "text": text, "ts": self.clock() - age_ms}
        return {**message_key(ALICE, peer, seq)._asdict(), **fields, "ttl": (self.clock() + RETENTION_MS) // 1_000}

    def cost(self, on: Instance, caller: Connection, **frame: object) -> Cost:
        """What the frame costs on an instance."""
        self.meter.reset()
        on.serve(caller, **frame)
        return self.meter.cost


def on_engine(engine: Engine, table_name: str) -> Chat:
    client, observer = engine.client(), engine.client()

    def store(items: Iterable[Item]) -> None:
        puts = [{"PutRequest": {"Item": {name: _attribute(value) for name, value in item.items()}}} for item in items]
        for start in range(0, len(puts), BATCH):
            observer.batch_write_item(RequestItems={table_name: puts[start : start + BATCH]})

    return Chat(SdkMeter(client, observer, table_name), DynamoTable(client, table_name), store, client)


def _attribute(value: str | int) -> dict[str, str]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def in_memory() -> Chat:
    table = MeteredMemory()

    def store(items: Iterable[Item]) -> None:
        for item in items:
            MeteredMemory.insert(table, item)

    return Chat(table, table, store)
