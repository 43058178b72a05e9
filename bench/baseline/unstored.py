"""A `sendMessage` handler that stores nothing, as samples of chats are: two reads and a push.

It finds out who is calling, finds the recipient's connection, and posts to it. Whoever is away misses the message.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

connections = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    frame = json.loads(event["body"])
    caller = event["requestContext"]["connectionId"]
    sender = connections.get_item(Key={"connectionId": caller})["Item"]["userId"]
    data = json.dumps({"from": sender, "text": frame["text"]}).encode()
    rows = connections.query(IndexName="byUser", KeyConditionExpression=Key("userId").eq(frame["to"]))["Items"]
    for row in rows:
        gateway.post_to_connection(ConnectionId=str(row["connectionId"]), Data=data)
    return {"statusCode": 200}
