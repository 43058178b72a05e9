"""The handler of `$connect` and `$disconnect`."""

from __future__ import annotations

import os
import time
from http import HTTPStatus

from chat import log
from chat.announcements import AwsAnnouncer
from chat.api_gateway import ApiGateway
from chat.budget import budget
from chat.clock import now_ms
from chat.dynamo import DynamoTable
from chat.events import Response, WebSocketEvent, caller
from chat.limits import CONNECTING, Limits, OverLimit
from chat.protocol import ChatError, encode, error_frame, parse
from chat.routes import ConnectionRoutes
from chat.sdk import client, session
from chat.sessions import Barred
from chat.settings import DAY_MS, required
from chat.subprotocols import SUBPROTOCOL, offered_subprotocols
from chat.wiring import connection_routes, limits

_table = DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME"))
_retention_ms = int(required(os.environ, "RETENTION_DAYS")) * DAY_MS
_grace_seconds = int(required(os.environ, "GRACE_SECONDS"))
_limits = limits(
    _table,
    _table.take_consumed,
    clock=now_ms,
    rate=int(required(os.environ, "USER_RATE")),
    retention_ms=_retention_ms,
)
_routes = connection_routes(
    _table,
    ApiGateway(session(), required(os.environ, "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")),
    AwsAnnouncer(
        client,
        required(os.environ, "ANNOUNCEMENT_FUNCTION"),
        os.environ.get("DEPARTURES_QUEUE", ""),  # there is none where there is no grace
        _grace_seconds,
    ),
    clock=now_ms,
    retention_ms=_retention_ms,
    grace_ms=_grace_seconds * 1_000,
)


def handler(event: WebSocketEvent, _: object) -> Response:
    budget.begin()
    return serve(event, _routes, _limits)


def serve(event: WebSocketEvent, routes: ConnectionRoutes, limits: Limits) -> Response:
    """Registers the connection, or removes it."""
    started = time.perf_counter()
    context = event["requestContext"]
    fields = {"event": context["eventType"], "request_id": context["requestId"], "connection": context["connectionId"]}
    user = context["authorizer"]["userId"]
    try:
        response = _respond(event, routes, limits)
    except (OverLimit, Barred) as reached:
        if isinstance(reached, Barred):
            limits.believe(user, reached.bar)
        log.line("WARN", "handshake limited", **fields, user=user, limited=True)
        return {"statusCode": HTTPStatus.TOO_MANY_REQUESTS}
    except Exception as error:
        log.failure("connection failed", error, **fields)
        return {"statusCode": 500}  # refuses a handshake; after a $disconnect no client is left to read it
    duration_ms = round((time.perf_counter() - started) * 1_000, 1)
    log.line("INFO", "connection", **fields, user=user, duration_ms=duration_ms)
    return response


def _respond(event: WebSocketEvent, routes: ConnectionRoutes, limits: Limits) -> Response:
    context = event["requestContext"]
    match context["eventType"]:
        case "CONNECT":
            connection = caller(event)
            limits.admit(connection.user)
            routes.connect(connection)
            limits.charge(connection.user, messages=CONNECTING)
            # A browser closes a connection if the server does not choose one of the offered subprotocols.
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
