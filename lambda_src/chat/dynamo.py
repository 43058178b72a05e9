"""The table on DynamoDB. Only this module speaks its language: typed attributes, expressions, error codes."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chat import log
from chat.budget import THROTTLED
from chat.protocol import MAX_INTEGER, ChatError, ErrorCode
from chat.table import AtLeast, Below, Condition, Consumed, Item, Key, Present, Query, Update, Updated

if TYPE_CHECKING:
    from botocore.client import BaseClient

READS = frozenset({"query", "batch_get_item"})
RETRY_AFTER_MS = 1_000  # an on-demand partition that throttles has split or cooled down within about a second
BATCH_ATTEMPTS = 5
BATCH_BACKOFF_SECONDS = 0.05

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")  # a number beyond some 38 digits has an exponent, too


class DynamoTable:
    """The table on DynamoDB, through the SDK's low-level client."""

    def __init__(self, client: BaseClient, name: str) -> None:
        self._client: Any = client
        self._name = name
        self._consumed = Consumed()
        self._lock = Lock()

    def query(self, query: Query) -> list[Item]:
        arguments = {"TableName": self._name, **_query_arguments(query)}
        items: list[Item] = []
        while True:  # a page is cut at 1 MB, whatever the limit
            if query.limit is not None:
                arguments["Limit"] = query.limit - len(items)
            page = self._call("query", arguments)
            items += _plain(page["Items"])
            if "LastEvaluatedKey" not in page or len(items) == query.limit:
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
            for item in _plain(response["Responses"].get(self._name, [])):
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
                return Updated(False, *_plain([old]))
            if _code(error) == "ValidationException" and update.add:
                # The attribute added to may be of another type. Any other fault makes this update fail, too.
                sums = {name: update.start.get(name, 0) + number for name, number in update.add.items()}
                return self.update(key, update._replace(put={**update.put, **sums}, add={}))
            raise
        return Updated(True, *_plain([response.get("Attributes", {})]))

    def delete(self, key: Key, only_if: Sequence[Condition] = ()) -> bool:
        named, expression = {"pk": {"S": key.pk}, "sk": {"S": key.sk}}, _Expression()
        arguments: dict[str, Any] = {"TableName": self._name, "Key": named, "ReturnValues": "ALL_OLD"}
        if only_if:
            arguments["ConditionExpression"] = _all(only_if, expression)
            arguments["ExpressionAttributeNames"] = expression.names
            arguments["ExpressionAttributeValues"] = expression.values
        try:
            response = self._call("delete_item", arguments)
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return bool(response.get("Attributes"))

    def take_consumed(self) -> Consumed:
        """The units that calls have consumed since this was last asked, as DynamoDB bills them."""
        with self._lock:
            consumed, self._consumed = self._consumed, Consumed()
        return consumed

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        try:
            response = getattr(self._client, operation)(**arguments, ReturnConsumedCapacity="TOTAL")
        except ClientError as error:
            if _code(error) in THROTTLED:
                raise _throttled() from error
            if _code(error) == "ConditionalCheckFailedException":
                self._count(operation, 1)  # billed like a successful one, but it does not say how much
            raise
        self._count(operation, _units(response))
        return response

    def _count(self, operation: str, units: float) -> None:
        with self._lock:  # calls run in parallel
            read, written = self._consumed
            self._consumed = Consumed(read + units, written) if operation in READS else Consumed(read, written + units)


def _units(response: Mapping[str, Any]) -> float:
    consumed = response.get("ConsumedCapacity", [])  # of a batch, one for each table
    tables = [consumed] if isinstance(consumed, Mapping) else consumed
    return float(sum(table.get("CapacityUnits", 0) for table in tables))


def _throttled() -> ChatError:
    message = "the table is over its rate; send the same frame again later"
    return ChatError(ErrorCode.TOO_MANY_REQUESTS, message, retry_after_ms=RETRY_AFTER_MS)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _query_arguments(query: Query) -> dict[str, Any]:
    condition, values = "pk = :pk", {":pk": {"S": query.pk}}
    if query.first or query.last:
        condition += " AND sk BETWEEN :first AND :last"
        values |= {":first": {"S": query.first}, ":last": {"S": query.last}}
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": query.consistent,
        "ScanIndexForward": not query.newest_first,
    }


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
    puts = [_put(expression, name, value, update.instead.get(name)) for name, value in update.put.items()]
    sums = [_sum(expression, name, update.start.get(name, 0), number) for name, number in update.add.items()]
    clauses = {"SET": [*puts, *sums], "REMOVE": [expression.name(name) for name in update.remove]}
    arguments: dict[str, Any] = {
        "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
        "UpdateExpression": " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses.items() if terms),
        "ReturnValues": "ALL_OLD",
    }
    if update.only_if:
        arguments["ConditionExpression"] = _all(update.only_if, expression)
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    arguments["ExpressionAttributeNames"] = expression.names
    if expression.values:
        arguments["ExpressionAttributeValues"] = expression.values
    return arguments


def _put(expression: _Expression, name: str, value: str | int, instead: str | None) -> str:
    placeholder, put = expression.name(name), expression.value(value)
    return f"{placeholder} = " + (f"if_not_exists({expression.name(instead)}, {put})" if instead else put)


def _sum(expression: _Expression, name: str, start: int, number: int) -> str:
    placeholder = expression.name(name)
    return f"{placeholder} = if_not_exists({placeholder}, {expression.value(start)}) + {expression.value(number)}"


def _all(conditions: Sequence[Condition], expression: _Expression) -> str:
    return " AND ".join(_condition(condition, expression) for condition in conditions)


def _condition(condition: Condition, expression: _Expression) -> str:
    name = expression.name(condition.name)
    match condition:
        case Present():
            return f"attribute_exists({name})"
        case Below(number=number):
            is_none = f"NOT attribute_type({name}, {expression.value('N')}) OR {name} > {expression.value(MAX_INTEGER)}"
            return f"({is_none} OR {name} < {expression.value(number)})"
        case AtLeast(number=number):
            return f"{name} >= {expression.value(number)}"


def _attribute(value: str | int) -> dict[str, str]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def plain_item(image: Mapping[str, Mapping[str, Any]]) -> Item:
    """An item as the table's stream has it, without types; empty for none."""
    return _plain([image])[0]


def _plain(items: Collection[Mapping[str, Mapping[str, Any]]]) -> list[Item]:
    """The items, with the attributes that this version knows: strings and numbers.

    A fraction counts as the whole number below it, as it does in a condition. Anything else was written by another
    version or a person; it is left out, and logged by its name.
    """
    plain: list[Item] = []
    skipped: list[str] = []
    for item in items:
        try:
            plain.append({name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items()})
        except (KeyError, ValueError):
            known = {name: _known(value) for name, value in item.items()}
            plain.append({name: value for name, value in known.items() if value is not None})
            skipped += [f"{item['pk']['S']} {item['sk']['S']} {name}" for name, value in known.items() if value is None]
    if skipped:  # one line a call: another version may have given every item an attribute that this one does not know
        log.line("WARN", "attributes skipped", count=len(skipped), first=skipped[0])
    return plain


def _known(value: Mapping[str, Any]) -> str | int | None:
    match value:
        case {"S": str(text)}:
            return text
        case {"N": str(number)} if _DECIMAL.fullmatch(number):
            return int(number.partition(".")[0])
        case _:
            return None
