"""What calls to DynamoDB cost, from their number and the sizes of the items, by DynamoDB's published rules."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from chat.table import Item, Key, Query, Update, Updated
from tests.fakes.memory import MemoryTable
from tests.fakes.sdk import Call, Recorder

WRITE_UNIT = 1_024
READ_UNIT = 4_096


def item_size(item: Item) -> int:
    """Names and strings in UTF-8; a number takes a byte for two digits, and one more."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: str | int) -> int:
    return len(value.encode()) if isinstance(value, str) else math.ceil(len(str(abs(value))) / 2) + 1


def write_units(size: int) -> int:
    return max(1, math.ceil(size / WRITE_UNIT))


def read_units(size: int, *, consistent: bool) -> float:
    return max(1, math.ceil(size / READ_UNIT)) * (1 if consistent else 0.5)


@dataclass
class Cost:
    """Calls, by name and in order, and the units that they consumed."""

    calls: list[str] = field(default_factory=list)
    written: int = 0
    read: float = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)
    """Calls are made side by side, and two additions at once would be one."""

    def query(self, items: Iterable[Item], *, consistent: bool) -> None:
        """All of a page's items count together."""
        self._add("Query", read=read_units(sum(map(item_size, items)), consistent=consistent))

    def batch_get(self, items: Iterable[Item], *, consistent: bool) -> None:
        """Each item counts by itself; one that does not exist is an empty one."""
        self._add("BatchGetItem", read=sum(read_units(item_size(item), consistent=consistent) for item in items))

    def write(self, call: str, before: Item, after: Item) -> None:
        """The larger of both images counts, and one that was refused costs as much as one that was made."""
        self._add(call, written=write_units(max(item_size(before), item_size(after))))

    def _add(self, call: str, *, written: int = 0, read: float = 0) -> None:
        with self._lock:
            self.calls.append(call)
            self.written += written
            self.read += read


class SdkMeter:
    """Meters the calls of an SDK's client; `observer` is another client, to look at items with."""

    def __init__(self, client: Any, observer: Any, table_name: str) -> None:
        self.cost = Cost()
        self._observer = observer
        self._table_name = table_name
        Recorder(client, self._observe)

    def reset(self) -> None:
        self.cost = Cost()

    def _observe(self, call: Call) -> None:
        arguments, response = call.arguments, call.response
        match call.operation:
            case "Query":
                self.cost.query(map(_plain, response["Items"]), consistent=arguments["ConsistentRead"])
            case "BatchGetItem":
                request = arguments["RequestItems"][self._table_name]
                found = [_plain(item) for item in response["Responses"][self._table_name]]
                absent: list[Item] = [{}] * (len(request["Keys"]) - len(found))
                self.cost.batch_get([*found, *absent], consistent=request["ConsistentRead"])
            case "PutItem":
                item = arguments["Item"]
                stored = self._stored({"pk": item["pk"], "sk": item["sk"]})
                self.cost.write("PutItem", stored, _plain(item))
            case "UpdateItem":
                before = response.get("Attributes") or response.get("Item") or {}
                self.cost.write("UpdateItem", _plain(before), self._stored(arguments["Key"]))
            case unexpected:
                raise AssertionError(f"{unexpected} is a call that nobody has counted")

    def _stored(self, key: Any) -> Item:
        return _plain(self._observer.get_item(TableName=self._table_name, Key=key).get("Item", {}))


def _plain(item: Any) -> Item:
    return {name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items()}


class MeteredMemory(MemoryTable):
    """A table in memory that meters its calls by the same rules, for more items than an engine stores in a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.cost = Cost()

    def reset(self) -> None:
        self.cost = Cost()

    def query(self, query: Query) -> list[Item]:
        items = super().query(query)
        self.cost.query(items, consistent=query.consistent)
        return items

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        items = super().get(keys)
        if keys:
            self.cost.batch_get([items.get(key, {}) for key in dict.fromkeys(keys)], consistent=consistent)
        return items

    def insert(self, item: Item) -> bool:
        made = super().insert(item)
        self.cost.write("PutItem", {}, item)
        return made

    def update(self, key: Key, update: Update) -> Updated:
        updated = super().update(key, update)
        self.cost.write("UpdateItem", updated.before, self.items.get(key, {}))
        return updated
