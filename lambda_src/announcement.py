"""The handler of announcements, which the connection function sends when a user comes online or goes offline.

A function of its own, so that no role may invoke the message function: whoever may do that can speak as anybody.
"""

from __future__ import annotations

import os

from chat import log
from chat.announcements import Announcement, announced
from chat.api_gateway import ApiGateway
from chat.budget import budget
from chat.clock import now_ms
from chat.dynamo import DynamoTable
from chat.events import Response
from chat.limits import Limits
from chat.parallel import Threads
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


def handler(event: Announcement, _: object) -> Response:
    budget.begin()
    return serve(event, _routes, _limits)


def serve(event: Announcement, routes: MessageRoutes, limits: Limits) -> Response:
    """Tells a user's chat partners of its presence, if the user can afford it. A failure is logged and not raised."""
    presence = announced(event)
    if limits.has_spent(presence.user):
        log.line("WARN", "announcement left out", user=presence.user, limited=True)
        return {"statusCode": 200}
    try:
        delivered = routes.announce(presence)
    except Exception as error:
        log.failure("announcement failed", error, user=presence.user)
        return {"statusCode": 500}
    limits.charge(presence.user, messages=delivered.pushes)
    log.line("INFO", "announcement", user=presence.user, online=presence.online, **delivered.counts())
    return {"statusCode": 200}
