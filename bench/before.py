"""How it was done before, for rows that measure it beside how it is done now.

It runs in the asset too, where the emulator serves it (`bench/behind.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from botocore.exceptions import BotoCoreError, ClientError

from chat.delivery import Pushed
from chat.protocol import Cursor, Frame, Send, Sync, chat_fields, send_ack, sync_reply
from chat.routes import MessageRoutes, Served
from chat.sdk import CONFIG, session
from chat.sessions import Connection


class ThroughAClient:
    """A gateway whose pushes go through a client of the SDK's, tuned as those that the functions have."""

    def __init__(self) -> None:
        client: Any = session().create_client("apigatewaymanagementapi", config=CONFIG)
        self._push = client.post_to_connection

    def push(self, connection_id: str, data: bytes) -> Pushed:
        try:
            self._push(ConnectionId=connection_id, Data=data)
        except (ClientError, BotoCoreError):
            return Pushed.FAILED
        return Pushed.TAKEN

    def close(self, _: str) -> bool:
        """Nothing is closed where this is measured."""
        return True


def pushed_behind_the_moves() -> AbstractContextManager[Any]:
    """Sends as they were: nothing is pushed until the message is in both chat lists."""
    return mock.patch.object(MessageRoutes, "send", _send)


def pages_by_time() -> AbstractContextManager[Any]:
    """Chat lists as they were: each page reads all of the list again, and the last message of each chat on it."""
    return mock.patch.object(MessageRoutes, "sync", _sync)


def _send(routes: MessageRoutes, caller: Connection, request: Send, received_at: int) -> Served:
    """A send in the order before: one read of who listens, after both chats have moved, and one round of pushes."""
    message = (caller.user, request.to, request.id, request.text)
    appended = routes._conversations.append(*message, data=request.data, since=received_at)
    advanced, listeners = routes._advance(appended.message)
    began = routes._clock()
    delivered = routes._tell_of_message(caller, appended.message, advanced, listeners, began=began)
    count = delivered.taken_by(request.to)
    ack = send_ack(request, appended.message, duplicate=appended.duplicate, delivered=count)
    return Served(ack, delivered)


def _sync(routes: MessageRoutes, caller: Connection, request: Sync) -> Frame:
    overview, _ = routes._registered_overview(caller, request)
    behind = overview.behind(request.next)
    page = behind[: request.limit]
    previews = routes._conversations.previews(caller.user, page)
    fields = [chat_fields(chat, previews.get(chat.peer)) for chat in page]
    next = Cursor(page[-1].ts, page[-1].peer) if len(behind) > len(page) else None
    now, epoch = routes._clock(), routes._epoch
    return sync_reply(request, caller.user, fields, next=next, presence=None, server_time=now, epoch=epoch)
