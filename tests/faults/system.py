"""The functions over DynamoDB Local and a gateway, with a client whose calls can fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import connection
import message

from chat.acquaintance import PEER_WROTE, WROTE
from chat.bus import Bus
from chat.delivery import Gateway
from chat.dynamo import DynamoTable
from chat.events import Response
from chat.may_send import MaySend
from chat.sessions import Connection
from chat.table import Update, chat_key
from tests.fakes.clock import ManualClock
from tests.fakes.engines import Engine
from tests.fakes.instances import Instance, instance
from tests.fakes.memory import MemoryGateway
from tests.fakes.sdk import Faults, Recorder
from tests.unit.events import websocket_event

Items = dict[tuple[str, str], Any]
"""By key."""


@dataclass
class System:
    engine: Engine
    gateway: Gateway = field(default_factory=MemoryGateway)
    clock: ManualClock = field(default_factory=ManualClock)
    bus: Bus | None = None
    may_send: MaySend | None = None

    def __post_init__(self) -> None:
        self.table_name = self.engine.create_table()
        client = self.engine.client()
        self.recorder, self.faults = Recorder(client), Faults(client)
        self.table = DynamoTable(client, self.table_name)
        self._observer = self.engine.shared

    def instance(self) -> Instance:
        return instance(self.table, self.gateway, clock=self.clock, bus=self.bus, may_send=self.may_send)

    def connection(self, user: str, device: str) -> Connection:
        return Connection(user, f"{user}-{device}=", self.clock())

    def connect(self, user: str, device: str) -> Connection:
        one = self.connection(user, device)
        assert self.handshake(one)["statusCode"] == 200
        return one

    def handshake(self, one: Connection, event_type: str = "CONNECT") -> Response:
        event = websocket_event(event_type, user=one.user, connection=one.id, connected_at=one.connected_at)
        made = self.instance()
        return connection.serve(event, made.connections, made.limits)

    def acquaint(self, user: str, peer: str) -> None:
        """Both have written, some time ago."""
        for key in (chat_key(user, peer), chat_key(peer, user)):
            DynamoTable(self._observer, self.table_name).update(key, Update(put={WROTE: 1, PEER_WROTE: 1}))

    def ask(self, caller: Connection, frame: dict[str, object]) -> Any:
        """The frame that comes back, from a new instance; None if none does."""
        event = websocket_event(
            "MESSAGE",
            user=caller.user,
            connection=caller.id,
            connected_at=caller.connected_at,
            body=json.dumps(frame),
        )
        made = self.instance()
        response = message.serve(event, made.messages, made.limits)
        assert response["statusCode"] == 200
        return json.loads(response["body"]) if "body" in response else None

    def store(self, items: Items) -> None:
        """Puts items there as they are."""
        puts = [{"PutRequest": {"Item": item}} for item in items.values()]
        assert not self._observer.batch_write_item(RequestItems={self.table_name: puts})["UnprocessedItems"]

    def items(self) -> Items:
        """Everything in the table, by key."""
        found = self._observer.scan(TableName=self.table_name, ConsistentRead=True)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}
