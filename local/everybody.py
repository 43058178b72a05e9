"""Ending every connection of a stack, whoever's it is: for a signing key that has leaked."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from parley.backend import Backend, BackendError

SORT_KEY, PARTITION_KEY_BEGINS, CONNECTION_BEGINS = "SESSIONS", "USER#", "@"
"""Of the items that say who is connected, one for each user: their keys, and what names an attribute for each of its
connections (docs/architecture.md)."""

AT_ONCE = 16
"""Users who are kicked side by side: few beside what a stack serves, and some hundred a second."""


class SomeLeft(Exception):
    """The connections of some users could not be ended."""


def kick_everybody(dynamodb: Any, table: str, backend: Backend) -> int:
    """Ends all connections of all users, who may connect again; how many there were.

    It reads the whole table, as it is now: a connection that was made a moment ago may be the one. A user that fails
    stops none behind it, and is tried once more at the end. Raises SomeLeft if it fails again, and the SDK's errors.
    """
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression="sk = :sk",
        ExpressionAttributeValues={":sk": {"S": SORT_KEY}},
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = _Ended(backend)
        for page in pages:
            list(pool.map(ended.kick, _users(page["Items"])))
        again = _Ended(backend)
        list(pool.map(again.kick, ended.failed))
    if again.failed:
        raise SomeLeft(f"users whose connections could not be ended: {len(again.failed)} ({again.why})")
    return sum(ended.closed) + sum(again.closed)


class _Ended:
    """What came of kicking users, of each on its own."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.closed: list[int] = []
        self.failed: list[str] = []
        self.why = ""

    def kick(self, user: str) -> None:
        try:
            self.closed.append(self._backend.kick(user))
        except (BackendError, BotoCoreError, ClientError) as error:
            self.failed.append(user)
            self.why = str(error)


def _users(items: Iterable[Any]) -> list[str]:
    """Whose connections the items hold, dead ones included. Most users are away."""
    return [
        item["pk"]["S"].removeprefix(PARTITION_KEY_BEGINS)
        for item in items
        if any(name.startswith(CONNECTION_BEGINS) for name in item)
    ]
