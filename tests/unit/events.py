"""The events of API Gateway, as its documentation shows them, cut to what is read of them."""

from __future__ import annotations

from chat.events import AuthorizerContext, AuthorizerEvent, WebSocketEvent

REQUEST_ID = "request-1="
METHOD_ARN = "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/$connect"


def websocket_event(
    event_type: str,
    *,
    user: str = "alice",
    connection: str = "alice-phone=",
    connected_at: int = 1_800_000_000_000,
    received_at: int = 1_800_000_060_000,
    expires_at: int | None = None,
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> WebSocketEvent:
    authorizer: AuthorizerContext = {"userId": user}
    if expires_at is not None:
        authorizer["expiresAt"] = str(expires_at)
    event: WebSocketEvent = {
        "requestContext": {
            "connectionId": connection,
            "connectedAt": connected_at,
            "eventType": event_type,
            "requestId": REQUEST_ID,
            "requestTimeEpoch": received_at,
            "authorizer": authorizer,
        }
    }
    if body is not None:
        event["body"] = body
    if headers is not None:
        event["headers"] = headers
    return event


def handshake(*, query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> AuthorizerEvent:
    """The authorizer's event. API Gateway gives None, not an empty object, where there are no parameters."""
    return {"methodArn": METHOD_ARN, "queryStringParameters": query, "headers": headers}
