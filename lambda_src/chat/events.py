"""The events that API Gateway sends to the functions, and what they return: the parts that are used here."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict, final

from chat.sessions import Connection


class AuthorizerContext(TypedDict):
    """What the authorizer knows of the user; API Gateway keeps it with the connection, as strings."""

    userId: str
    expiresAt: NotRequired[str]
    """Milliseconds since the epoch: from then on, no frame is accepted or pushed. Absent if no token is needed."""


class RequestContext(TypedDict):
    connectionId: str
    connectedAt: int
    """Milliseconds since the epoch."""
    eventType: str
    """CONNECT, MESSAGE or DISCONNECT."""
    requestId: str
    requestTimeEpoch: int
    """Milliseconds since the epoch: when API Gateway took the frame."""
    authorizer: AuthorizerContext


@final
class WebSocketEvent(TypedDict):
    requestContext: RequestContext
    body: NotRequired[str | None]
    headers: NotRequired[dict[str, str] | None]


class AuthorizerEvent(TypedDict):
    """A REQUEST authorizer's event, for `$connect`."""

    methodArn: str
    headers: NotRequired[dict[str, str] | None]
    queryStringParameters: NotRequired[dict[str, str] | None]


class AuthorizerResponse(TypedDict):
    principalId: str
    policyDocument: dict[str, Any]
    context: NotRequired[AuthorizerContext]


class Response(TypedDict):
    statusCode: int
    body: NotRequired[str]
    headers: NotRequired[dict[str, str]]


def caller(event: WebSocketEvent) -> Connection:
    """The connection that the event is about. Its user comes from the authorizer, never from the client."""
    context = event["requestContext"]
    expires_at = context["authorizer"].get("expiresAt")
    return Connection(
        context["authorizer"]["userId"],
        context["connectionId"],
        int(context["connectedAt"]),
        None if expires_at is None else int(expires_at),
    )
