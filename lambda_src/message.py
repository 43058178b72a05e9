"""The handler of every frame that a client sends."""

from __future__ import annotations

import os
import time

from chat import log
from chat.budget import budget
from chat.clock import now_ms
from chat.delivery import ApiGateway
from chat.dynamo import DynamoTable
from chat.events import Response, WebSocketEvent, caller
from chat.parallel import Threads
from chat.protocol import ACTION_OF, ChatError, ErrorCode, Request, encode, error_frame, parse
from chat.routes import MessageRoutes, Served
from chat.sdk import client
from chat.settings import epoch_of, required
from chat.wiring import message_routes

DAY_MS = 86_400_000


_routes = message_routes(
    DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME")),
    ApiGateway(client("apigatewaymanagementapi")),
    clock=now_ms,
    parallel=Threads(),
    retention_ms=int(required(os.environ, "RETENTION_DAYS")) * DAY_MS,
    epoch=epoch_of(required(os.environ, "TABLE_NAME"), required(os.environ, "EPOCH")),
)


def handler(event: WebSocketEvent, _: object) -> Response:
    budget.begin()
    return serve(event, _routes)


def serve(event: WebSocketEvent, routes: MessageRoutes) -> Response:
    """Answers a frame with a frame. A failure is an error frame too, never a stack trace and never a closed socket."""
    started = time.perf_counter()
    context = event["requestContext"]
    request: Request | None = None
    try:
        request = parse(event.get("body"))
        _refuse_expired(event)
        served = routes.serve(caller(event), request, context["requestTimeEpoch"])
    except Exception as error:
        refusal = error if isinstance(error, ChatError) else _internal(error, context["requestId"])
        refusal.id = refusal.id or (request.id if request else None)
        served = Served(error_frame(refusal, context["requestId"]))
    reply = served.reply or {}
    log.line(
        "INFO",
        "frame",
        action=ACTION_OF[type(request)] if request else None,
        code=reply.get("code"),
        duplicate=reply.get("duplicate") or None,
        user=context["authorizer"]["userId"],
        connection=context["connectionId"],
        request_id=context["requestId"],
        duration_ms=round((time.perf_counter() - started) * 1_000, 1),
        **(served.delivered.counts() if served.delivered else {}),
    )
    return {"statusCode": 200} if served.reply is None else {"statusCode": 200, "body": encode(served.reply)}


def _refuse_expired(event: WebSocketEvent) -> None:
    expires_at = event["requestContext"]["authorizer"].get("expiresAt")
    if expires_at is not None and int(expires_at) <= now_ms():
        message = "the token of this connection has expired; connect again with a new one"
        raise ChatError(ErrorCode.TOKEN_EXPIRED, message)


def _internal(error: Exception, request_id: str) -> ChatError:
    log.failure("frame failed", error, request_id=request_id)
    return ChatError(ErrorCode.INTERNAL, "something went wrong on our side; send the same frame again")
