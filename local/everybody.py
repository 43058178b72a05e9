"""Ending every connection of a stack, whoever's it is: for a signing key that has leaked."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from parley.backend import Backend

SORT_KEY, PARTITION_KEY_BEGINS, CONNECTION_BEGINS = "SESSIONS", "USER#", "@"
"""Of the items that say who is connected, one for each user: their keys, and what names an attribute for each of its
connections (docs/architecture.md)."""

AT_ONCE = 16
"""Users who are kicked side by side: few beside what a stack serves, and some hundred a second."""


def kick_everybody(dynamodb: Any, table: str, backend: Backend) -> int:
    """Ends all connections of all users, who may connect again; how many there were.

    It reads the whole table. Raises BackendError, and the SDK's errors; then it can be done again.
    """
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="sk = :sk",
        ExpressionAttributeValues={":sk": {"S": SORT_KEY}},
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(sum(pool.map(backend.kick, _users(page["Items"]))) for page in pages)


def _users(items: Iterable[Any]) -> list[str]:
    """Whose connections the items hold, dead ones included. Most users are away."""
    return [
        item["pk"]["S"].removeprefix(PARTITION_KEY_BEGINS)
        for item in items
        if any(name.startswith(CONNECTION_BEGINS) for name in item)
    ]
