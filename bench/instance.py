"""A warm instance of the functions over a table of its own on DynamoDB Local, watched by a meter."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.meter import Meter
from chat.clock import now_ms
from chat.delivery import Gateway
from chat.dynamo import DynamoTable
from chat.parallel import Parallel
from chat.protocol import UserPresence, encode, parse
from chat.routes import ConnectionRoutes, MessageRoutes
from chat.sdk import client
from chat.sessions import Connection
from chat.wiring import connection_routes, message_routes

DAY_MS = 86_400_000
RETENTION_MS = 365 * DAY_MS
OPENED_MS_AGO = 90_000

_numbers = itertools.count(1)


class Silent:
    """Announces to nobody: what an announcement costs is a row of its own."""

    def announce(self, _: UserPresence) -> None: ...

    def announce_later(self, _: UserPresence) -> None: ...


@dataclass(frozen=True)
class Instance:
    """The routes, and the meter on what they call."""

    table: DynamoTable
    client: Any
    table_name: str
    meter: Meter
    messages: MessageRoutes
    connections: ConnectionRoutes

    def ask(self, user: str, action: str, /, **fields: object) -> Any:
        """The reply to a frame of the user's first connection; each frame has an id of its own."""
        frame = {"action": action, "id": f"{next(_numbers):032d}", **fields}
        reply = self.messages.serve(connection(user), parse(json.dumps(frame))).reply
        return None if reply is None else json.loads(encode(reply))


def connection(user: str) -> Connection:
    return Connection(user, f"{user}-1", now_ms() - OPENED_MS_AGO)


def create_table(dynamodb: Any, *, by_user_index: bool = False) -> str:
    """An empty table with our keys, or the baseline's table of connections."""
    name = f"bench-{next(_numbers)}"
    keys = {"connectionId": "HASH"} if by_user_index else {"pk": "HASH", "sk": "RANGE"}
    index = {
        "IndexName": "byUser",
        "KeySchema": [{"AttributeName": "userId", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    names = [*keys, "userId"] if by_user_index else list(keys)
    # On a busy machine its answer may come too late, and the second try finds the table that the first has made.
    with suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in names],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if by_user_index else {}),
        )
    return name


def routes(table: DynamoTable, gateway: Gateway, parallel: Parallel, **product: Any) -> MessageRoutes:
    """The routes of an instance; `product` is what a deployment may have beside them."""
    return message_routes(
        table, gateway, clock=now_ms, parallel=parallel, retention_ms=RETENTION_MS, epoch="1", **product
    )


def instance(parallel: Parallel | None = None) -> Instance:
    """A new instance over an empty table, its clients made from the environment as the functions' are.

    Its calls are made one after the other unless `parallel` says otherwise; they count as side by side all the same.
    """
    meter = Meter()
    dynamodb: Any = client("dynamodb")
    name = create_table(dynamodb)
    meter.watch_table(dynamodb)
    table = DynamoTable(dynamodb, name)
    messages = routes(table, meter, parallel or meter)
    connections = connection_routes(table, meter, Silent(), clock=now_ms, retention_ms=RETENTION_MS)
    return Instance(table, dynamodb, name, meter, messages, connections)
