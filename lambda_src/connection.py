"""The handler of `$connect` and `$disconnect`."""

from __future__ import annotations

import os
import time

from chat import log
from chat.announcements import LambdaAnnouncer
from chat.budget import budget
from chat.clock import now_ms
from chat.delivery import ApiGateway
from chat.dynamo import DynamoTable
from chat.events import Response, WebSocketEvent, caller
from chat.protocol import ChatError, encode, error_frame, parse
from chat.routes import ConnectionRoutes
from chat.sdk import client
from chat.settings import required
from chat.subprotocols import SUBPROTOCOL, offered_subprotocols
from chat.wiring import connection_routes

_routes = connection_routes(
    DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME")),
    ApiGateway(client("apigatewaymanagementapi")),
    LambdaAnnouncer(lambda: client("lambda"), required(os.environ, "ANNOUNCEMENT_FUNCTION")),
    clock=now_ms,
)


def handler(event: WebSocketEvent, _: object) -> Response:
    budget.begin()
    return serve(event, _routes)


def serve(event: WebSocketEvent, routes: ConnectionRoutes) -> Response:
    """Registers the connection, or removes it."""
    started = time.perf_counter()
    context = event["requestContext"]
    fields = {"event": context["eventType"], "request_id": context["requestId"], "connection": context["connectionId"]}
    try:
        response = _respond(event, routes)
    except Exception as error:
        log.failure("connection failed", error, **fields)
        return {"statusCode": 500}  # refuses a handshake; after a $disconnect no client is left to read it
    duration_ms = round((time.perf_counter() - started) * 1_000, 1)
    user = context["authorizer"]["userId"]
    log.line("INFO", "connection", **fields, user=user, duration_ms=duration_ms)
    return response


def _respond(event: WebSocketEvent, routes: ConnectionRoutes) -> Response:
    context = event["requestContext"]
    match context["eventType"]:
        case "CONNECT":
            routes.connect(caller(event))
            # A browser closes a connection that does not choose one of the subprotocols it offered.
            if SUBPROTOCOL in offered_subprotocols(event.get("headers") or {}):
                return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
            return {"statusCode": 200}
        case "DISCONNECT":
            routes.disconnect(caller(event))
            return {"statusCode": 200}
        case _:
            return {"statusCode": 200, "body": encode(error_frame(_refusal(event), context["requestId"]))}


def _refusal(event: WebSocketEvent) -> ChatError:
    """Why a frame that came here is refused: it names `$connect` or `$disconnect` as its action."""
    try:
        parse(event.get("body"))
    except ChatError as error:
        return error
    raise ValueError("a frame with an action of the protocol was routed to the connection function")
