"""The usual `sendMessage` handler, as tutorials write it, without their bugs.

It keeps connections in a table with an index by user, looks up who is calling, stores the message and both users' chats
in one transaction, and posts to each connection in turn. It does less than ours: it has no sequence numbers, knows no
retries, and reads its index without consistency, so that it can miss a device that has just connected.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

dynamodb = boto3.resource("dynamodb")
table = dynamodb.Table(os.environ["TABLE_NAME"])
connections = dynamodb.Table(os.environ["CONNECTIONS_TABLE"])
gateway = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    caller = event["requestContext"]["connectionId"]
    frame = json.loads(event["body"])
    sender = connections.get_item(Key={"connectionId": caller})["Item"]["userId"]
    message = store(sender, frame)
    data = json.dumps({"type": "message", **message}).encode()
    delivered = 0
    for user in (frame["to"], sender):
        rows = connections.query(IndexName="byUser", KeyConditionExpression=Key("userId").eq(user))["Items"]
        for row in rows:
            if row["connectionId"] != caller:
                delivered += post(str(row["connectionId"]), data)
    ack = {"type": "ack", "id": frame["id"], "ts": message["ts"], "delivered": delivered}
    return {"statusCode": 200, "body": json.dumps(ack)}


def store(sender: str, frame: dict[str, Any]) -> dict[str, Any]:
    to, now = frame["to"], int(time.time() * 1_000)
    message = {"from": sender, "to": to, "id": frame["id"], "text": frame["text"], "ts": now}
    conversation = "#".join(sorted((sender, to)))
    item = {"pk": f"CHAT#{conversation}", "sk": f"{now}#{uuid.uuid4().hex}", "ttl": now // 1_000 + 31_536_000}
    chats = [_chat(user, peer, now) for user, peer in ((sender, to), (to, sender))]
    put = {"TableName": table.name, "Item": item | message}
    dynamodb.meta.client.transact_write_items(TransactItems=[{"Put": put}, *({"Update": chat} for chat in chats)])
    return message


def _chat(user: str, peer: str, now: int) -> dict[str, Any]:
    return {
        "TableName": table.name,
        "Key": {"pk": f"USER#{user}", "sk": f"CHAT#{peer}"},
        "UpdateExpression": "SET ts = :now",
        "ExpressionAttributeValues": {":now": now},
    }


def post(connection: str, data: bytes) -> int:
    try:
        gateway.post_to_connection(ConnectionId=connection, Data=data)
    except gateway.exceptions.GoneException:
        connections.delete_item(Key={"connectionId": connection})
        return 0
    return 1
