"""All that is kept of a user, for whom asks for it: `make export USER=...`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chat.table import log_partition, user_partition

Item = Mapping[str, str | int]


def export(dynamodb: Any, table: str, user: str) -> Iterator[Item]:
    """Every item of the user: its sessions, its chats, and the messages of each of its conversations.

    Items are as they are in the table, expired ones that TTL has not deleted yet among them.
    """
    peers = []
    for item in _partition(dynamodb, table, user_partition(user)):
        kind, _, peer = str(item["sk"]).partition("#")
        if kind == "CHAT":
            peers.append(peer)
        yield item
    for peer in peers:
        yield from _partition(dynamodb, table, log_partition(user, peer))


def _partition(dynamodb: Any, table: str, pk: str) -> Iterator[Item]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ConsistentRead=True,
    )
    for page in pages:
        for item in page["Items"]:
            yield {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return int(content) if kind == "N" and content.lstrip("-").isdigit() else content
