"""What a client would send, up to the network: of every call that the functions make.

As a program, with an asset and a Region as its arguments, it prints what the asset would send, with its own SDK.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

Request = dict[str, Any]

KEY = {"pk": {"S": "USER#alice"}, "sk": {"S": "CHAT#bob"}}
WRITE = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
CALLS: Mapping[str, Mapping[str, tuple[str, Mapping[str, Any]]]] = {
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
    "sqs": {
        "SendMessage": (
            "send_message",
            {
                "QueueUrl": "https://sqs.us-east-1.amazonaws.com/0/departures",
                "DelaySeconds": 60,
                "MessageBody": '{"é": 1}',
            },
        ),
    },
}
"""By service and operation: the client's method, and arguments as the functions give them."""

ITEM = {**KEY, "seq": {"N": "7"}, "text": {"S": "é"}, "parts": {"L": [{"NULL": True}, {"M": {"one": {"BOOL": False}}}]}}
COUNTED = {"TableName": "chat", "CapacityUnits": 2.5}
OLD = {"Attributes": ITEM, "ConsumedCapacity": COUNTED}
REFUSED = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no", "Item": ITEM}
MISSING = {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no such table"}
Answer = tuple[str, int, Mapping[str, Any]]
ANSWERS: Sequence[Answer] = [
    ("BatchGetItem", 200, {"Responses": {"chat": [ITEM]}, "UnprocessedKeys": {}, "ConsumedCapacity": [COUNTED]}),
    ("BatchGetItem", 200, {"Responses": {}, "UnprocessedKeys": {"chat": {"Keys": [KEY], "ConsistentRead": True}}}),
    ("DeleteItem", 200, OLD),
    ("PutItem", 200, {"ConsumedCapacity": COUNTED}),
    ("PutItem", 400, REFUSED),
    ("Query", 200, {"Items": [ITEM, KEY], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": KEY}),
    ("Query", 400, MISSING),
    ("UpdateItem", 200, OLD),
    ("UpdateItem", 200, {}),
    ("UpdateItem", 400, REFUSED),
    ("UpdateItem", 400, MISSING),
]
"""Of DynamoDB: operation, status and body."""

CONNECTION, DATA = "a=b/c", '{"é": 1}'.encode()
GATEWAY: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "DeleteConnection": ("delete_connection", {"ConnectionId": CONNECTION}),
    "PostToConnection": ("post_to_connection", {"ConnectionId": CONNECTION, "Data": DATA}),
}
"""Of `@connections`, which the functions ask without a client: what they would call if they had one."""


class Sent(Exception):
    """Stands in for the network."""


def requests(make_client: Callable[[Any], Any]) -> dict[str, Request]:
    """The request of each call, as `service.Operation`."""
    return {
        f"{service}.{operation}": _request(make_client(service), method, arguments)
        for service, operations in CALLS.items()
        for operation, (method, arguments) in operations.items()
    }


def answers(make_client: Callable[[Any], Any], given: Sequence[Answer] = ANSWERS) -> list[Any]:
    """What a client makes of each answer."""
    return [_read(make_client("dynamodb"), *answer) for answer in given]


def _read(client: Any, operation: str, status: int, body: Mapping[str, Any]) -> Any:
    """What the client makes of the answer, or of the error in it."""
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - of the asset, where this is a program
    from botocore.exceptions import ClientError  # noqa: PLC0415

    headers: Any = {"x-amzn-requestid": "1"}
    response: Any = AWSResponse("https://dynamodb", status, headers, None)
    response._content = json.dumps(body).encode()
    client.meta.events.register("before-send", lambda **_: response)
    method, arguments = CALLS["dynamodb"][operation]
    try:
        return getattr(client, method)(**arguments)
    except ClientError as error:
        return [type(error).__name__, error.response]


def endpoint(region: str) -> str:
    """A stage's."""
    return f"https://abc123.execute-api.{region}.amazonaws.com/dev"


def gateway_requests_of(make_client: Callable[[], Any]) -> dict[str, Request]:
    """What a client of the SDK's own would send to `@connections`."""
    return {f"@connections.{name}": _request(make_client(), *call) for name, call in GATEWAY.items()}


def gateway_requests(gateway: Any) -> dict[str, Request]:
    """What the functions send to `@connections`, through their `ApiGateway`."""
    caught: list[Any] = []

    class Caught:
        def send(self, request: Any) -> None:
            caught.append(request)
            raise Sent

    gateway._http = Caught()
    asked = {"DeleteConnection": (gateway.close, ()), "PostToConnection": (gateway.push, (DATA,))}
    for ask, rest in asked.values():
        with suppress(Sent):
            ask(CONNECTION, *rest)
    return {f"@connections.{name}": _as_sent(request) for name, request in zip(asked, caught, strict=True)}


def _request(client: Any, method: str, arguments: Mapping[str, Any]) -> Request:
    caught: list[Any] = []

    def stop(request: Any, **_: object) -> None:
        caught.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    with suppress(Sent):
        getattr(client, method)(**arguments)
    (request,) = caught
    return _as_sent(request)


def _as_sent(request: Any) -> Request:
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    return {"method": request.method, "url": request.url, "headers": headers, "body": _text(request.body)}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import botocore

    from chat.api_gateway import ApiGateway
    from chat.sdk import client, session

    if not botocore.__file__.startswith(sys.argv[1]):
        sys.exit("the SDK is not the asset's")
    asked = {**requests(client), **gateway_requests(ApiGateway(session(), endpoint(sys.argv[2])))}
    json.dump([asked, answers(client)], sys.stdout)
