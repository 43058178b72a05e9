"""The handler of announcements, which the connection function sends when a user comes online or goes offline.

An arrival comes as an invocation, at once; a departure as a message of a queue, once its user has had time to come
back.

A function of its own, so that no role may invoke the message function: whoever may do that can speak as anybody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TypedDict

from chat import log
from chat.announcements import Announcement, QueuedDeparture, QueuedDepartures, announced
from chat.api_gateway import ApiGateway
from chat.budget import budget
from chat.clock import now_ms
from chat.delivery import Delivered
from chat.dynamo import DynamoTable
from chat.events import Response
from chat.limits import Limits
from chat.parallel import Threads
from chat.protocol import UserPresence
from chat.routes import MessageRoutes
from chat.sdk import client, session
from chat.settings import required
from chat.wiring import limits, message_routes

_table = DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME"))
_limits = limits(_table, _table.take_consumed, clock=now_ms, rate=int(required(os.environ, "USER_RATE")))
_routes = message_routes(
    _table,
    ApiGateway(session(), required(os.environ, "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")),
    clock=now_ms,
    parallel=Threads(),
    retention_ms=0,  # an announcement stores no message,
    epoch="",  # and names no history
    announced_chats=int(required(os.environ, "ANNOUNCED_CHATS")),
)


class Taken(TypedDict):
    """What Lambda is told of the queue's messages: which are to come again."""

    batchItemFailures: list[dict[str, str]]


def handler(event: Announcement | QueuedDepartures, _: object) -> Response | Taken:
    budget.begin()
    return serve(event, _routes, _limits)


def serve(event: Announcement | QueuedDepartures, routes: MessageRoutes, limits: Limits) -> Response | Taken:
    """Tells a user's chat partners of its presence, if the user can afford it. A failure is logged and not raised."""
    if "announce" in event:
        return {"statusCode": 200 if _tell(announced(event), routes.announce, limits) else 500}
    failed = [record["messageId"] for record in event["Records"] if not _tell_queued(record, routes, limits)]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _tell_queued(record: QueuedDeparture, routes: MessageRoutes, limits: Limits) -> bool:
    try:
        departure = announced(json.loads(record["body"]))
    except (ValueError, TypeError, LookupError) as error:
        log.failure("announcement failed", error)  # what cannot be read is put aside, once it has come some times
        return False
    return _tell(departure, routes.announce_departure, limits)


def _tell(presence: UserPresence, announce: Callable[[UserPresence], Delivered | None], limits: Limits) -> bool:
    """Whether that is done with."""
    if limits.has_spent(presence.user):
        log.line("WARN", "announcement left out", user=presence.user, limited=True)
        return True
    try:
        delivered = announce(presence)
    except Exception as error:
        log.failure("announcement failed", error, user=presence.user)
        return False
    limits.charge(presence.user, messages=delivered.pushes if delivered else 0)
    if delivered is None:
        log.line("INFO", "announcement not needed", user=presence.user)
    else:
        log.line("INFO", "announcement", user=presence.user, online=presence.online, **delivered.counts())
    return True
