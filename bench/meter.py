"""Counts what clients of the SDK are billed for, at the SDK's own events, so that no call is missed.

Units are the engine's own word, which counts them as AWS does, from the sizes of the items, but for two things. For a
transaction DynamoDB Local answers the same whatever is in it, so its items, below 1 KB here, are counted twice each.
And for what is not there it counts nothing, where AWS counts the least that a read costs. The tests of `tests/costs`
count without the engine, by the sizes alone, so that each can be held against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from chat.delivery import Pushed

T = TypeVar("T")

READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})


@dataclass
class Bill:
    """What was asked of DynamoDB and of `@connections`; by one of many, it may be a fraction of it."""

    calls: float = 0
    read_units: float = 0
    write_units: float = 0
    pushes: float = 0
    table_round_trips: float = 0
    push_round_trips: float = 0
    beside_pushes: float = 0
    """Of the round trips to the table, those during a round of pushes, which takes as long as two of them."""
    events: float = 0
    """Put on the bus one by one, each a round trip."""
    questions: float = 0
    """Asked of the product's own rule, each a round trip and an invocation."""


@dataclass
class Meter:
    """Watches clients, and stands in for the gateway and for a product's own rule.

    It is a `Parallel` too, which makes calls one by one, and counts the most round trips that one of them took.
    """

    bill: Bill = field(default_factory=Bill)
    _lock: Lock = field(default_factory=Lock)

    def reset(self) -> None:
        self.bill = Bill()

    def watch_table(self, client: Any) -> None:
        client.meta.events.register("before-parameter-build.dynamodb", _ask_for_units)
        client.meta.events.register("after-call.dynamodb", self._called)

    def watch_gateway(self, client: Any) -> None:
        """Watches a client of the SDK's, and answers in the gateway's place."""
        client.meta.events.register("before-send.apigatewaymanagementapi", self._pushed)

    def watch_bus(self, client: Any) -> None:
        """Watches the client, and answers in the bus's place."""
        client.meta.events.register("before-send.events", self._told)

    def push(self, *_: object) -> Pushed:
        with self._lock:
            self.bill.pushes += 1
            self.bill.push_round_trips += 1
        return Pushed.TAKEN

    def check(self, *_: str) -> None:
        """The rule: everybody may write to everybody."""
        with self._lock:
            self.bill.questions += 1

    def close(self, _: str) -> bool:
        """Costs nothing."""
        return True

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        start = self.bill.table_round_trips, self.bill.push_round_trips
        results, trips = [], [(0.0, 0.0)]
        for call in calls:
            self.bill.table_round_trips, self.bill.push_round_trips = 0, 0
            results.append(call())
            trips.append((self.bill.push_round_trips, self.bill.table_round_trips))
        pushes, along = max(trips)
        most = max(table for _, table in trips)
        self.bill.table_round_trips, self.bill.push_round_trips = start[0] + most, start[1] + pushes
        self.bill.beside_pushes += most - along if pushes else 0
        return results

    def _called(self, model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        units = sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        if parsed.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            units = 1  # a refused write is billed by the item's size all the same, and ours are small
        if model.name == "TransactWriteItems":
            units = 2 * context["items"]
        with self._lock:
            self.bill.calls += 1
            self.bill.table_round_trips += 1
            if model.name in READS:
                self.bill.read_units += _with_absent(units, parsed, context)
            else:
                self.bill.write_units += units

    def _pushed(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.push()
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(b""))

    def _told(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        with self._lock:
            self.bill.events += 1
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(b'{"FailedEntryCount": 0, "Entries": []}'))


class _Body:
    """The body of an answer."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: object) -> list[bytes]:
        return [self._data] if self._data else []


def _ask_for_units(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["ReturnConsumedCapacity"] = "TOTAL"
    context["items"] = len(params.get("TransactItems", []))
    batches = params.get("RequestItems", {}).values()
    context["keys"] = sum(len(batch["Keys"]) for batch in batches if "Keys" in batch)
    consistent = any(read.get("ConsistentRead") for read in (params, *batches) if isinstance(read, dict))
    context["least"] = 1 if consistent else 0.5


def _with_absent(units: float, parsed: dict[str, Any], context: dict[str, Any]) -> float:
    """Each key of a batch counts by itself, a query as a whole."""
    if context["keys"]:
        found = sum(map(len, parsed.get("Responses", {}).values()))
        return units + float(context["least"] * (context["keys"] - found))
    return max(units, float(context["least"]))
