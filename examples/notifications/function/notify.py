"""Looks whether a message that nobody took is read by now, and publishes a notification if it is not.

Of all that is unread in a conversation there is one notification, until some of it is read. An item for each
conversation says up to which message its user was notified.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import boto3

REMEMBERED_SECONDS = 30 * 24 * 3600
"""Who has read nothing for so long may be told once more."""


class Undelivered(NamedTuple):
    """What the event says of the message."""

    user: str
    peer: str
    seq: int


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Looks at each message of the batch. Those that failed are tried again."""
    failed = []
    for record in event["Records"]:
        try:
            message = _undelivered(json.loads(record["body"])["detail"])
            _log("INFO", "looked", **message._asdict(), notified=_notifies(message))
        except Exception as error:  # of one message; the others are none the worse for it
            _log("ERROR", "notification failed", error=type(error).__name__)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _undelivered(detail: Mapping[str, Any]) -> Undelivered:
    return Undelivered(user=detail["to"], peer=detail["from"], seq=detail["seq"])


@cache
def _client(service: Literal["dynamodb", "lambda", "sns"]) -> Any:
    """One for all that this instance is invoked for: making it takes longer than a call of it."""
    return boto3.client(service)


def _log(level: str, message: str, **fields: object) -> None:
    print(json.dumps({"level": level, "message": message, **fields}))


def _notifies(message: Undelivered) -> bool:
    """Whether its user was notified for it."""
    read = _read(message)
    if message.seq <= read:
        return False
    unread = _unread(message, read)
    if not unread or not _claim(message, read):
        return False
    notification = {"user": message.user, "from": message.peer, "unread": unread}
    try:
        _client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Message=json.dumps(notification))
    except Exception:
        # Any other message of the conversation may notify, should this one never succeed.
        _update(message, "REMOVE seq", "seq = :seq", {":seq": _number(message.seq)})
        raise
    _update(message, "SET told = :told", "seq = :seq", {":told": {"BOOL": True}, ":seq": _number(message.seq)})
    return True


def _read(message: Undelivered) -> int:
    """Up to which number the user has read the conversation."""
    chats = _ask("unread", user=message.user)["chats"]
    return next((int(chat["read"]) for chat in chats if chat["peer"] == message.peer), message.seq)


def _unread(message: Undelivered, read: int) -> int:
    """How many messages there are to read behind that number: none that was taken back, and a hundred at most."""
    page = _ask("history", user=message.user, peer=message.peer, after=read, limit=100)["messages"]
    return sum("unsent" not in one and "unsends" not in one for one in page if one["from"] == message.peer)


def _ask(action: str, **fields: object) -> Any:
    """What the backend function answers. Raises RuntimeError if it does not."""
    event = json.dumps({"action": action, **fields}).encode()
    answer = _client("lambda").invoke(FunctionName=os.environ["BACKEND"], Payload=event)
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer or result["type"] == "error":
        raise RuntimeError(f"the backend function failed at {action}")
    return result


def _claim(message: Undelivered, read: int) -> bool:
    """Whether it is for this message to notify its user.

    Not if that was done for another one that is unread, too, or for this one. If it was begun for this one and not
    finished, it is done again.
    """
    until = int(time.time()) + REMEMBERED_SECONDS
    values = {":seq": _number(message.seq), ":read": _number(read), ":ttl": _number(until)}
    mine = "attribute_not_exists(seq) OR seq <= :read OR (seq = :seq AND attribute_not_exists(told))"
    return _update(message, "SET seq = :seq, #ttl = :ttl REMOVE told", mine, values, {"#ttl": "ttl"})


def _update(
    message: Undelivered,
    expression: str,
    condition: str,
    values: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
) -> bool:
    """Whether the condition held, and the item of the conversation was updated."""
    table = _client("dynamodb")
    try:
        table.update_item(
            TableName=os.environ["NOTIFIED_TABLE"],
            Key={"user": {"S": message.user}, "peer": {"S": message.peer}},
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )
    except table.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
