"""In-memory stand-ins: the table and the gateway, for tests of what is above them.

The contract tests run `MemoryTable` through the same cases as the real engines, so that it means what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from chat.delivery import Pushed
from chat.protocol import UserPresence
from chat.table import AtLeast, Below, Condition, Item, Key, Present, Query, Update, Updated

T = TypeVar("T")
Hook = Callable[[str], None]


def serially(calls: Sequence[Callable[[], T]]) -> list[T]:
    """`Parallel` in one thread: all calls are made, then the first exception is raised, as `Threads` does."""
    results: list[T] = []
    failures: list[Exception] = []
    for call in calls:
        try:
            results.append(call())
        except Exception as error:  # kept: the calls behind this one are made all the same
            failures.append(error)
    if failures:
        raise failures[0]
    return results


class MemoryTable:
    """A table in a dict. `before` and `after` are called around each operation with its name.

    What `before` raises is a call that never arrived; what `after` raises is a reply that was lost.
    """

    def __init__(self, *, before: Hook | None = None, after: Hook | None = None) -> None:
        self.items: dict[Key, Item] = {}
        self._before = before or _nothing
        self._after = after or _nothing

    def query(self, query: Query) -> list[Item]:
        def read() -> list[Item]:
            first, last = query.first, query.last or "\x7f"
            keys = sorted(key for key in self.items if key.pk == query.pk and first <= key.sk <= last)
            return [self.items[key] for key in (keys[::-1] if query.newest_first else keys)[: query.limit]]

        return self._call("query", read)

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
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
            for name, number in update.add.items():
                after[name] = (_number(before, name) or 0) + number
            self.items[key] = {name: value for name, value in after.items() if name not in update.remove}
            return Updated(True, before)

        return self._call("update", write)

    def delete(self, key: Key) -> bool:
        return self._call("delete", lambda: self.items.pop(key, None) is not None)

    def _call(self, operation: str, work: Callable[[], T]) -> T:
        self._before(operation)
        result = work()
        self._after(operation)
        return result


def _nothing(_: str) -> None:
    pass


def _number(item: Item, name: str) -> int | None:
    value = item.get(name)
    return value if isinstance(value, int) else None


def _holds(condition: Condition, item: Item) -> bool:
    match condition:
        case Present(name):
            return name in item
        case Below(name, number):
            return (value := _number(item, name)) is None or value < number
        case AtLeast(name, number):
            return (value := _number(item, name)) is not None and value >= number


class MemoryGateway:
    """Connections that take what is pushed to them, unless told otherwise: `answers` by connection id."""

    def __init__(self) -> None:
        self.answers: dict[str, Pushed] = {}
        self.pushed: list[tuple[str, bytes]] = []
        self.closed: list[str] = []

    def push(self, connection_id: str, data: bytes) -> Pushed:
        answer = self.answers.get(connection_id, Pushed.TAKEN)
        if answer is Pushed.TAKEN:
            self.pushed.append((connection_id, data))
        return answer

    def close(self, connection_id: str) -> None:
        self.closed.append(connection_id)


class MemoryAnnouncer:
    """Keeps what it is told to announce."""

    def __init__(self) -> None:
        self.announced: list[UserPresence] = []

    def announce(self, presence: UserPresence) -> None:
        self.announced.append(presence)
