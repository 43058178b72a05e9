"""What a client would send, up to the network: of every call that the functions make.

As a program, with an asset as its argument, it prints what the asset's client would send, with the asset's own SDK.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

Request = dict[str, Any]

KEY = {"pk": {"S": "USER#alice"}, "sk": {"S": "CHAT#bob"}}
WRITE = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
CALLS: Mapping[str, Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "apigatewaymanagementapi": {
        "DeleteConnection": ("delete_connection", {"ConnectionId": "a=b"}),
        "PostToConnection": ("post_to_connection", {"ConnectionId": "a=b", "Data": '{"é": 1}'.encode()}),
    },
    "dynamodb": {
        "BatchGetItem": ("batch_get_item", {"RequestItems": {"chat": {"Keys": [KEY], "ConsistentRead": True}}}),
        "DeleteItem": ("delete_item", {"TableName": "chat", "Key": KEY, "ReturnValues": "ALL_OLD"}),
        "PutItem": ("put_item", {"TableName": "chat", "Item": {**KEY, "seq": {"N": "1"}}, **WRITE}),
        "Query": (
            "query",
            {
                "TableName": "chat",
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": KEY["pk"]},
                "ScanIndexForward": False,
                "Limit": 10,
            },
        ),
        "UpdateItem": ("update_item", {"TableName": "chat", "Key": KEY, "UpdateExpression": "REMOVE x", **WRITE}),
    },
    "events": {
        "PutEvents": (
            "put_events",
            {"Entries": [{"EventBusName": "chat", "Source": "parley", "DetailType": "é", "Detail": '{"seq":1}'}]},
        ),
    },
    "lambda": {"Invoke": ("invoke", {"FunctionName": "message", "InvocationType": "Event", "Payload": b"{}"})},
    "secretsmanager": {"GetSecretValue": ("get_secret_value", {"SecretId": "token"})},
}
"""By service and operation: the client's method, and arguments as the functions give them."""


class Sent(Exception):
    """Stands in for the network."""


def requests(make_client: Callable[[Any], Any]) -> dict[str, Request]:
    """The request of each call, as `service.Operation`."""
    return {
        f"{service}.{operation}": _request(make_client(service), method, arguments)
        for service, operations in CALLS.items()
        for operation, (method, arguments) in operations.items()
    }


def _request(client: Any, method: str, arguments: Mapping[str, Any]) -> Request:
    caught: list[Any] = []

    def stop(request: Any, **_: object) -> None:
        caught.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    with suppress(Sent):
        getattr(client, method)(**arguments)
    (request,) = caught
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    return {"method": request.method, "url": request.url, "headers": headers, "body": _text(request.body)}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import botocore

    from chat.sdk import client

    if not botocore.__file__.startswith(sys.argv[1]):
        sys.exit("the SDK is not the asset's")
    json.dump(requests(client), sys.stdout)
