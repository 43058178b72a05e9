"""The handler of every frame that a client sends."""

from __future__ import annotations

import os
import time

from chat import log
from chat.api_gateway import ApiGateway
from chat.budget import budget
from chat.clock import now_ms
from chat.dynamo import DynamoTable
from chat.events import Response, WebSocketEvent, caller
from chat.limits import Limits, OverLimit
from chat.parallel import Threads
from chat.protocol import ACTION_OF, ChatError, ErrorCode, Request, Typing, encode, error_frame, parse
from chat.routes import MessageRoutes, Served
from chat.sdk import client, session
from chat.sessions import Barred, Connection
from chat.settings import DAY_MS, epoch_of, required
from chat.wiring import event_bus, limits, message_routes, rule

_table = DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME"))
_retention_ms = int(required(os.environ, "RETENTION_DAYS")) * DAY_MS
_limits = limits(
    _table,
    _table.take_consumed,
    clock=now_ms,
    rate=int(required(os.environ, "USER_RATE")),
    retention_ms=_retention_ms,
)
_routes = message_routes(
    _table,
    ApiGateway(session(), required(os.environ, "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")),
    clock=now_ms,
    parallel=Threads(),
    retention_ms=_retention_ms,
    new_chats=int(required(os.environ, "NEW_CHATS")),
    may_send=rule(os.environ, client, now_ms),
    announced_chats=int(required(os.environ, "ANNOUNCED_CHATS")),
    epoch=epoch_of(required(os.environ, "TABLE_NAME"), required(os.environ, "EPOCH")),
    bus=event_bus(os.environ, client),
    wait=budget.wait,
)


def handler(event: WebSocketEvent, _: object) -> Response:
    budget.begin()
    return serve(event, _routes, _limits)


def serve(event: WebSocketEvent, routes: MessageRoutes, limits: Limits) -> Response:
    """Answers a frame with a frame. A failure is an error frame too, never a stack trace.

    A connection is closed for two reasons only: its token has expired, or its user keeps sending more than it may.
    """
    started = time.perf_counter()
    context, connection = event["requestContext"], caller(event)
    asked = _parsed(event)
    refusal: ChatError | None = None
    try:
        limits.admit(connection.user)
        served = _serve(event, connection, asked, routes)
    except Barred as barred:
        routes.bar(barred.bar, connection)
        return {"statusCode": 200}
    except Exception as error:
        refusal = error if isinstance(error, ChatError) else _internal(error, context["requestId"])
        refusal.id = refusal.id or asked.id
        served = Served(error_frame(refusal, context["requestId"]))
    limited = isinstance(refusal, OverLimit)
    if limited and isinstance(asked, Typing):
        served = Served(None)  # nobody waits for the answer or repeats it
    reply = served.reply or {}
    if served.is_paid_for:
        limits.waive()
    elif not limited:  # or a refusal would prolong the wait
        pushes = served.delivered.pushes if served.delivered else 0
        # An event costs as much as an API message.
        limits.charge(connection.user, messages=1 + bool(reply) + pushes + served.events)
    log.line(
        "INFO",
        "frame",
        action=None if isinstance(asked, ChatError) else ACTION_OF[type(asked)],
        code=reply.get("code"),
        limited=limited or None,
        duplicate=reply.get("duplicate") or None,
        user=connection.user,
        connection=connection.id,
        request_id=context["requestId"],
        duration_ms=round((time.perf_counter() - started) * 1_000, 1),
        **(served.delivered.counts() if served.delivered else {}),
    )
    return _answer(connection, served, refusal, routes)


def _parsed(event: WebSocketEvent) -> Request | ChatError:
    try:
        return parse(event.get("body"))
    except ChatError as error:
        return error


def _serve(event: WebSocketEvent, connection: Connection, asked: Request | ChatError, routes: MessageRoutes) -> Served:
    if isinstance(asked, ChatError):
        raise asked
    if connection.expires_at is not None and connection.expires_at <= now_ms():
        message = "the token of this connection has expired; connect again with a new one"
        raise ChatError(ErrorCode.TOKEN_EXPIRED, message)
    return routes.serve(connection, asked, event["requestContext"]["requestTimeEpoch"])


def _answer(connection: Connection, served: Served, refusal: ChatError | None, routes: MessageRoutes) -> Response:
    if served.reply is None:
        return {"statusCode": 200}
    if refusal and refusal.code is ErrorCode.TOKEN_EXPIRED:
        # The reply would come after the close: too late.
        routes.expire(connection, served.reply)
        return {"statusCode": 200}
    return {"statusCode": 200, "body": encode(served.reply)}


def _internal(error: Exception, request_id: str) -> ChatError:
    log.failure("frame failed", error, request_id=request_id)
    return ChatError(ErrorCode.INTERNAL, "something went wrong on our side; send the same frame again")
