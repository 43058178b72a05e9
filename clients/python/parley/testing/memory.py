"""The table in memory. It means what DynamoDB means: the tests of the table hold both to the same cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from threading import Lock
from typing import TypeVar

from chat.protocol import MAX_INTEGER
from chat.table import AtLeast, Below, Condition, Consumed, Item, Key, Present, Query, Update, Updated

T = TypeVar("T")


class MemoryTable:
    """A table in a dict. Its items stay, whatever their `ttl`."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self._lock = Lock()

    def query(self, query: Query) -> list[Item]:
        def read() -> list[Item]:
            first, last = query.first, query.last or "\x7f"
            keys = sorted(key for key in self.items if key.pk == query.pk and first <= key.sk <= last)
            return [self.items[key] for key in (keys[::-1] if query.newest_first else keys)[: query.limit]]

        return self._call("query", read)

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:  # noqa: ARG002 - it always is
        if not keys:
            return {}
        return self._call("get", lambda: {key: self.items[key] for key in dict.fromkeys(keys) if key in self.items})

    def insert(self, item: Item) -> bool:
        key = Key(str(item["pk"]), str(item["sk"]))

        def write() -> bool:
            if key in self.items:
                return False
            self.items[key] = dict(item)
            return True

        return self._call("insert", write)

    def update(self, key: Key, update: Update) -> Updated:
        def write() -> Updated:
            before = self.items.get(key, {})
            if not all(_holds(condition, before) for condition in update.only_if):
                return Updated(False, before)
            after = {**before, "pk": key.pk, "sk": key.sk, **update.put}
            after |= {name: before[other] for name, other in update.instead.items() if other in before}
            for name, number in update.add.items():
                known = _number(before, name)
                after[name] = (update.start.get(name, 0) if known is None else known) + number
            self.items[key] = {name: value for name, value in after.items() if name not in update.remove}
            return Updated(True, before)

        return self._call("update", write)

    def delete(self, key: Key, only_if: Sequence[Condition] = ()) -> bool:
        def remove() -> bool:
            holds = all(_holds(condition, self.items.get(key, {})) for condition in only_if)
            return holds and self.items.pop(key, None) is not None

        return self._call("delete", remove)

    def take_consumed(self) -> Consumed:
        """Nothing: it costs nothing."""
        return Consumed()

    def _call(self, operation: str, work: Callable[[], T]) -> T:  # noqa: ARG002 - for who counts calls, or breaks them
        with self._lock:  # calls are made side by side
            return work()


def _number(item: Item, name: str) -> int | None:
    value = item.get(name)
    return value if isinstance(value, int) else None


def _holds(condition: Condition, item: Item) -> bool:
    match condition:
        case Present(name):
            return name in item
        case Below(name, number):
            return (value := _number(item, name)) is None or value < number or value > MAX_INTEGER
        case AtLeast(name, number):
            return (value := _number(item, name)) is not None and value >= number
