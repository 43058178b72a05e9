"""The handler of the operations of a product's backend, which invokes this function through Lambda's API.

Who may invoke it may speak as anybody and read everything, so IAM decides that and nothing else: no route of the
WebSocket API leads here.
"""

from __future__ import annotations

import os
import time
from typing import Protocol

from chat import log
from chat.api_gateway import ApiGateway
from chat.backend_protocol import (
    ACTION_OF,
    HistoryOf,
    Operation,
    SendAs,
    SendBatch,
    Single,
    UnsendAs,
    batch_result,
    operation_in,
    send_in,
)
from chat.backend_routes import BackendRoutes
from chat.budget import OPERATION_SECONDS, OutOfTime, budget
from chat.clock import now_ms
from chat.dynamo import DynamoTable
from chat.parallel import Threads
from chat.protocol import ChatError, ErrorCode, Frame, Presence, error_frame
from chat.routes import Served
from chat.sdk import client, session
from chat.settings import DAY_MS, required
from chat.wiring import backend_routes, event_bus

_routes = backend_routes(
    DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME")),
    ApiGateway(session(), required(os.environ, "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")),
    clock=now_ms,
    parallel=Threads(),
    retention_ms=int(required(os.environ, "RETENTION_DAYS")) * DAY_MS,
    bus=event_bus(os.environ, client),
    announced_chats=int(required(os.environ, "ANNOUNCED_CHATS")),
)


class Context(Protocol):
    """The part of Lambda's context that is used here."""

    aws_request_id: str


def handler(event: object, context: Context) -> Frame:
    budget.begin(OPERATION_SECONDS)
    return serve(event, context.aws_request_id, _routes)


def serve(event: object, request_id: str, routes: BackendRoutes) -> Frame:
    """Does the operation in the event. A failure is a result too, never a stack trace.

    The messages of a batch are served one after the other, each with a result of its own.
    """
    asked = _parsed(event)
    if isinstance(asked, SendBatch):
        messages = (_message(asked.user, message) for message in asked.messages)
        return batch_result([_serve(message, request_id, routes) for message in messages])
    return _serve(asked, request_id, routes)


def _parsed(event: object) -> Operation | ChatError:
    try:
        return operation_in(event)
    except ChatError as error:
        return error


def _message(user: str, message: object) -> SendAs | ChatError:
    """One message of a batch, if there is time left for it."""
    try:
        asked = SendAs(user, send_in(message))
    except ChatError as error:
        return error
    try:
        budget.check()
    except OutOfTime:
        reason = "no time was left for this message of the batch; send it again with the same id"
        return ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, id=asked.request.id, retry_after_ms=0)
    return asked


def _serve(asked: Single | ChatError, request_id: str, routes: BackendRoutes) -> Frame:
    started = time.perf_counter()
    try:
        if isinstance(asked, ChatError):
            raise asked
        served = routes.serve(asked)
    except Exception as error:
        refusal = error if isinstance(error, ChatError) else _internal(error, request_id)
        refusal.id = refusal.id or _id(asked)
        served = Served(error_frame(refusal, request_id))
    result = served.reply or {}
    log.line(
        "INFO",
        "operation",
        action=None if isinstance(asked, ChatError) else ACTION_OF[type(asked)],
        code=result.get("code"),
        duplicate=result.get("duplicate") or None,
        user=getattr(asked, "user", None),
        request_id=request_id,
        duration_ms=round((time.perf_counter() - started) * 1_000, 1),
        **(served.delivered.counts() if served.delivered else {}),
    )
    return result


def _id(asked: Single | ChatError) -> str | None:
    match asked:
        case SendAs(_, request) | HistoryOf(_, request) | UnsendAs(_, request):
            return request.id
        case Presence(id, _):
            return id
        case _:
            return None


def _internal(error: Exception, request_id: str) -> ChatError:
    log.failure("operation failed", error, request_id=request_id)
    return ChatError(ErrorCode.INTERNAL, "something went wrong on our side; invoke the function again")
