"""The one table: its keys, and the four calls that everything else is made of.

Only this module speaks DynamoDB. `Table` is what the others see; `DynamoTable` is it on AWS, and a table in memory
stands in for it in unit tests. The contract tests hold all of them to the same cases.

| item                | pk               | sk                 |
| ------------------- | ---------------- | ------------------ |
| sessions of a user  | `USER#bob`       | `SESSIONS`         |
| chat of a user      | `USER#bob`       | `CHAT#alice`       |
| message             | `CHAT#alice#bob` | `MSG#000000000042` |

A user id holds no `#`, so no two users or pairs share a key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from botocore.exceptions import ClientError

from chat.protocol import ChatError, ErrorCode

if TYPE_CHECKING:
    from botocore.client import BaseClient

Item = Mapping[str, str | int]
"""An item's attributes, `pk` and `sk` among them. Numbers are whole."""

SESSIONS = "SESSIONS"
MAX_SEQ = 10**12 - 1  # what the twelve digits of a sort key can count


class Key(NamedTuple):
    pk: str
    sk: str


def user_partition(user: str) -> str:
    return f"USER#{user}"


def sessions_key(user: str) -> Key:
    return Key(user_partition(user), SESSIONS)


def chat_key(user: str, peer: str) -> Key:
    return Key(user_partition(user), f"CHAT#{peer}")


def log_partition(user: str, peer: str) -> str:
    """The same for both sides of a conversation."""
    first, second = sorted((user, peer))
    return f"CHAT#{first}#{second}"


def message_key(user: str, peer: str, seq: int) -> Key:
    return Key(log_partition(user, peer), message_sort_key(seq))


def message_sort_key(seq: int) -> str:
    return f"MSG#{min(seq, MAX_SEQ):012d}"


class Present(NamedTuple):
    """The attribute exists."""

    name: str


class Below(NamedTuple):
    """The attribute is below the number, or absent."""

    name: str
    number: int


class AtLeast(NamedTuple):
    """The attribute is the number or more."""

    name: str
    number: int


Condition = Present | Below | AtLeast


class Update(NamedTuple):
    """A change to one item, made only if all of `only_if` hold; an item that is not there is created by it."""

    put: Mapping[str, str | int] = {}
    add: Mapping[str, int] = {}
    remove: Collection[str] = ()
    only_if: Sequence[Condition] = ()


class Updated(NamedTuple):
    """Whether an update was made, and the item as it was before (empty if there was none)."""

    made: bool
    before: Item


class Table(Protocol):
    """What the message log and the sessions need of a store. Each method may raise ChatError (`too_many_requests`)."""

    def query(
        self,
        pk: str,
        *,
        first: str = "",
        last: str = "",
        newest_first: bool = False,
        limit: int | None = None,
        consistent: bool = True,
    ) -> list[Item]:
        """The items of a partition in order of `sk`, at most `limit`.

        `first` and `last` are the sort keys between which they lie, both inclusive; give both or neither.
        """

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """Those of the items that exist; at most 100 keys."""

    def insert(self, item: Item) -> bool:
        """Stores the item, unless there is one under its key: then False, and nothing is changed."""

    def update(self, key: Key, update: Update) -> Updated:
        """Changes one item, or leaves it if a condition does not hold."""


THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException"}
)
RETRY_AFTER_MS = 1_000  # an on-demand partition that throttles has split or cooled down within about a second
BATCH_ATTEMPTS = 5
BATCH_BACKOFF_SECONDS = 0.05


class DynamoTable:
    """The table on DynamoDB, through the SDK's low-level client."""

    def __init__(self, client: BaseClient, name: str) -> None:
        self._client: Any = client
        self._name = name

    def query(
        self,
        pk: str,
        *,
        first: str = "",
        last: str = "",
        newest_first: bool = False,
        limit: int | None = None,
        consistent: bool = True,
    ) -> list[Item]:
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if first or last:
            condition += " AND sk BETWEEN :first AND :last"
            values |= {":first": {"S": first}, ":last": {"S": last}}
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": consistent,
            "ScanIndexForward": not newest_first,
        }
        items: list[Item] = []
        while True:  # a page is cut at 1 MB, whatever the limit
            if limit is not None:
                arguments["Limit"] = limit - len(items)
            page = self._call("query", arguments)
            items += [_plain(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page or len(items) == limit:
                return items
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        items: dict[Key, Item] = {}
        # DynamoDB refuses a batch that names a key twice.
        pending: list[Any] = [{"pk": {"S": key.pk}, "sk": {"S": key.sk}} for key in dict.fromkeys(keys)]
        for attempt in range(BATCH_ATTEMPTS):
            if not pending:
                return items
            if attempt:
                time.sleep(random.uniform(0, BATCH_BACKOFF_SECONDS * 2**attempt))
            request = {self._name: {"Keys": pending, "ConsistentRead": consistent}}
            response = self._call("batch_get_item", {"RequestItems": request})
            for item in map(_plain, response["Responses"].get(self._name, [])):
                items[Key(str(item["pk"]), str(item["sk"]))] = item
            # A throttled batch answers 200 with what it could not read, and the SDK does not retry that.
            pending = response.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
        if pending:
            raise _throttled()
        return items

    def insert(self, item: Item) -> bool:
        arguments = {
            "TableName": self._name,
            "Item": {name: _attribute(value) for name, value in item.items()},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        try:
            self._call("put_item", arguments)
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def update(self, key: Key, update: Update) -> Updated:
        try:
            response = self._call("update_item", {"TableName": self._name, **_update_arguments(key, update)})
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                old: Any = error.response.get("Item", {})
                return Updated(False, _plain(old))
            raise
        return Updated(True, _plain(response.get("Attributes", {})))

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if _code(error) in THROTTLED:
                raise _throttled() from error
            raise


def _throttled() -> ChatError:
    message = "the table is over its rate; send the same frame again later"
    return ChatError(ErrorCode.TOO_MANY_REQUESTS, message, retry_after_ms=RETRY_AFTER_MS)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class _Expression:
    """Hands out placeholders: attribute names may be reserved words (`read`) or hold any character (`@abc=`)."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, dict[str, str]] = {}

    def name(self, name: str) -> str:
        placeholder = f"#{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def value(self, value: str | int) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = _attribute(value)
        return placeholder


def _update_arguments(key: Key, update: Update) -> dict[str, Any]:
    expression = _Expression()
    clauses = {
        "SET": [f"{expression.name(name)} = {expression.value(value)}" for name, value in update.put.items()],
        "ADD": [f"{expression.name(name)} {expression.value(value)}" for name, value in update.add.items()],
        "REMOVE": [expression.name(name) for name in update.remove],
    }
    arguments: dict[str, Any] = {
        "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
        "UpdateExpression": " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses.items() if terms),
        "ReturnValues": "ALL_OLD",
    }
    if update.only_if:
        conditions = [_condition(condition, expression) for condition in update.only_if]
        arguments["ConditionExpression"] = " AND ".join(conditions)
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    arguments["ExpressionAttributeNames"] = expression.names
    if expression.values:
        arguments["ExpressionAttributeValues"] = expression.values
    return arguments


def _condition(condition: Condition, expression: _Expression) -> str:
    name = expression.name(condition.name)
    match condition:
        case Present():
            return f"attribute_exists({name})"
        case Below(number=number):
            return f"(attribute_not_exists({name}) OR {name} < {expression.value(number)})"
        case AtLeast(number=number):
            return f"{name} >= {expression.value(number)}"


def _attribute(value: str | int) -> dict[str, str]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _plain(item: Mapping[str, Mapping[str, str]]) -> Item:
    return {name: attribute["S"] if "S" in attribute else int(attribute["N"]) for name, attribute in item.items()}


V = TypeVar("V", str, int)


def read(item: Item, name: str, default: V) -> V:
    """The attribute as the type of `default`, which stands in for one that is absent."""
    value = item.get(name, default)
    if not isinstance(value, type(default)):
        raise TypeError(f"attribute {name} is {type(value).__name__}, not {type(default).__name__}")
    return value
