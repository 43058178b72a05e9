"""`sendMessage` handlers that store nothing, as samples of chats are: two reads and a push.

They find out who is calling, find the recipient's connection, and post to it. Whoever is away misses the message.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

connections = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """By an index of the connections by their users."""
    caller, frame = _read(event)
    rows = connections.query(IndexName="byUser", KeyConditionExpression=Key("userId").eq(frame["to"]))["Items"]
    return _sent(caller, frame, [str(row["connectionId"]) for row in rows])


def one_device(event: dict[str, Any], _: object) -> dict[str, Any]:
    """By an item for each user: the device that has connected last is the only one."""
    caller, frame = _read(event)
    row = connections.get_item(Key={"connectionId": f"last of {frame['to']}"})["Item"]
    return _sent(caller, frame, [str(row["last"])])


def _read(event: dict[str, Any]) -> tuple[str, Any]:
    key = {"connectionId": event["requestContext"]["connectionId"]}
    return str(connections.get_item(Key=key)["Item"]["userId"]), json.loads(event["body"])


def _sent(caller: str, frame: Any, to: Sequence[str]) -> dict[str, Any]:
    data = json.dumps({"from": caller, "text": frame["text"]}).encode()
    for connection in to:
        gateway.post_to_connection(ConnectionId=connection, Data=data)
    return {"statusCode": 200}
