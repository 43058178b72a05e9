"""The handler of announcements, which the connection function sends when a user comes online or goes offline.

A function of its own, so that no role may invoke the message function: whoever may do that can speak as anybody.
"""

from __future__ import annotations

import os

from chat import log
from chat.announcements import Announcement, announced
from chat.budget import budget
from chat.clock import now_ms
from chat.delivery import ApiGateway
from chat.dynamo import DynamoTable
from chat.events import Response
from chat.parallel import Threads
from chat.routes import MessageRoutes
from chat.sdk import client
from chat.settings import required
from chat.wiring import message_routes

_routes = message_routes(
    DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME")),
    ApiGateway(client("apigatewaymanagementapi")),
    clock=now_ms,
    parallel=Threads(),
    retention_ms=0,  # an announcement stores no message,
    epoch="",  # and names no history
)


def handler(event: Announcement, _: object) -> Response:
    budget.begin()
    return serve(event, _routes)


def serve(event: Announcement, routes: MessageRoutes) -> Response:
    """Tells a user's chat partners of its presence. A failure is logged and not raised."""
    presence = announced(event)
    try:
        delivered = routes.announce(presence)
    except Exception as error:
        log.failure("announcement failed", error, user=presence.user)
        return {"statusCode": 500}
    log.line("INFO", "announcement", user=presence.user, online=presence.online, **delivered.counts())
    return {"statusCode": 200}
