"""The one table: its keys, and the few calls that everything else is made of.

`Table` is what the message log and the sessions see. `dynamo` implements it on AWS, and a table in memory in unit
tests; the contract tests hold all of them to the same cases.

| item                | pk               | sk                 |
| ------------------- | ---------------- | ------------------ |
| sessions of a user  | `USER#bob`       | `SESSIONS`         |
| chat of a user      | `USER#bob`       | `CHAT#alice`       |
| message             | `CHAT#alice#bob` | `MSG#000000000042` |

A user id holds no `#`, so no two users or pairs share a key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from chat import log
from chat.budget import SDK_ERRORS
from chat.protocol import MAX_INTEGER, ChatError

V = TypeVar("V", str, int)

Item = Mapping[str, str | int]
"""An item's attributes, `pk` and `sk` among them. Numbers are whole."""

TTL = "ttl"
"""Attribute of an item: when it expires, in seconds since the epoch. TTL deletes it some time later."""

SESSIONS = "SESSIONS"
FIRST_CHAT = "CHAT#"
"""Sorts before every chat item's key. The key of the sessions item sorts after them."""

BEFORE_ALL, BEHIND_ALL = " ", "\x7f"
"""Sort before and after every sort key; appended to a user id, before and after every longer one."""

SEQ_DIGITS = 12
MAX_SEQ = 10 ** (SEQ_DIGITS - 1) - 1
"""The highest message number: more than a conversation can reach, and a tenth of what a sort key can hold. A number
beyond it is not ours, and never read, or the next message would have to be numbered after it."""


class Key(NamedTuple):
    pk: str
    sk: str


def user_partition(user: str) -> str:
    return f"USER#{user}"


def user_of(partition: str) -> str:
    """The user that the partition belongs to."""
    return partition.removeprefix("USER#")


def sessions_key(user: str) -> Key:
    return Key(user_partition(user), SESSIONS)


def chat_key(user: str, peer: str) -> Key:
    return Key(user_partition(user), f"CHAT#{peer}")


def log_partition(user: str, peer: str) -> str:
    """The same for both sides of a conversation."""
    first, second = sorted((user, peer))
    return f"CHAT#{first}#{second}"


def users_of(partition: str) -> tuple[str, str] | None:
    """The two users whose log the partition is; None if it is not a log. In a log with oneself, both are the same."""
    match partition.split("#"):
        case ["CHAT", first, second]:
            return first, second
        case _:
            return None


def message_key(user: str, peer: str, seq: int) -> Key:
    return Key(log_partition(user, peer), message_sort_key(seq))


def message_sort_key(seq: int) -> str:
    return f"MSG#{min(seq, MAX_SEQ):0{SEQ_DIGITS}d}"


def key_of(item: Item) -> Key:
    return Key(str(item["pk"]), str(item["sk"]))


def expires_by(item: Item, then: int) -> bool:
    """Whether the item has expired by that time, in milliseconds since the epoch, deleted or not."""
    ttl = item.get(TTL)
    return isinstance(ttl, int) and 0 < ttl * 1_000 <= then


def attribute(item: Item, name: str, default: V) -> V:
    """The attribute, if it has the type of `default`; otherwise `default`.

    One that cannot be ours, of another type or a number that no frame can carry, is logged and counts as absent, so
    that everything else can still be read.
    """
    value = item.get(name, default)
    if not isinstance(value, type(default)) or (isinstance(value, int) and not 0 <= value <= MAX_INTEGER):
        log.line("WARN", "attribute skipped", pk=item.get("pk"), sk=item.get("sk"), attribute=name)
        return default
    return value


def log_skipped(item: Item) -> None:
    """Logs an item that this code did not write in this form; everything else can still be read."""
    log.line("WARN", "item skipped", pk=item["pk"], sk=item["sk"])


class Query(NamedTuple):
    """The items of one partition in order of `sk`, at most `limit` of them.

    `first` and `last` are the sort keys between which they lie, both inclusive; give both or neither.
    """

    pk: str
    first: str = ""
    last: str = ""
    newest_first: bool = False
    limit: int | None = None
    consistent: bool = True


class Present(NamedTuple):
    """The attribute exists."""

    name: str


class Below(NamedTuple):
    """The attribute is below the number, absent, or not a number to `attribute`."""

    name: str
    number: int


class AtLeast(NamedTuple):
    """The attribute is the number or more."""

    name: str
    number: int


Condition = Present | Below | AtLeast


class Update(NamedTuple):
    """A change to one item, made only if all of `only_if` hold; an item that is not there is created by it.

    `instead` names an attribute whose value is put instead, if the item has it. If an attribute in `add` is absent or
    not a number, it starts from its value in `start`, or from 0.
    """

    put: Mapping[str, str | int] = {}
    instead: Mapping[str, str] = {}
    add: Mapping[str, int] = {}
    start: Mapping[str, int] = {}
    remove: Collection[str] = ()
    only_if: Sequence[Condition] = ()


class Consumed(NamedTuple):
    """Units that calls have consumed."""

    read: float = 0
    written: float = 0


class Updated(NamedTuple):
    """Whether an update was made, and the item as it was before (empty if there was none)."""

    made: bool
    before: Item


class Table(Protocol):
    """What the message log and the sessions need from a store. Each method may raise one of FAILED_CALLS."""

    def query(self, query: Query) -> list[Item]:
        """The items that the query names."""

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """Those of the items that exist; at most 100 keys."""

    def insert(self, item: Item) -> bool:
        """Stores the item, unless there is one under its key: then False, and nothing is changed."""

    def update(self, key: Key, update: Update) -> Updated:
        """Changes one item, or leaves it if a condition does not hold."""

    def delete(self, key: Key, only_if: Sequence[Condition] = ()) -> bool:
        """Removes the item, if all of `only_if` hold. Returns whether there was one."""


def as_read(item: Item) -> tuple[Condition, ...]:
    """Conditions that the item still exists, and still expires when it did as it was read."""
    ttl = attribute(item, TTL, 0)
    return AtLeast(TTL, ttl), Below(TTL, ttl + 1)


def peer_behind(table: Table, user: str, peer: str = "") -> str | None:
    """The peer of the chat after the one with `peer`, in the order of keys, or of the first; None if there is none."""
    behind = Query(user_partition(user), f"{FIRST_CHAT}{peer}{BEFORE_ALL}", f"{FIRST_CHAT}{BEHIND_ALL}", limit=1)
    for chat in table.query(behind):
        return str(chat["sk"]).removeprefix(FIRST_CHAT)
    return None


FAILED_CALLS = (ChatError, *SDK_ERRORS)
"""What a call of the table raises when it fails: ChatError (`too_many_requests`) if it was throttled, otherwise the
SDK's own. Callers that must not fail with the call catch these."""
