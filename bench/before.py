"""How it was done before, for rows that measure it beside how it is done now."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from botocore.exceptions import BotoCoreError, ClientError

from chat.delivery import Pushed
from chat.protocol import Send, message_frame, send_ack
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


def _send(routes: MessageRoutes, caller: Connection, request: Send, received_at: int) -> Served:
    """A send in the order before: one read of who listens, after both chats have moved, and one round of pushes."""
    message = (caller.user, request.to, request.id, request.text)
    appended = routes._conversations.append(*message, data=request.data, since=received_at)
    advanced = routes._conversations.advance(appended.message)
    frame, began = message_frame(appended.message), routes._clock()
    delivered = routes._tell_of_message(caller, request.to, frame, advanced, began=began)
    count = delivered.taken_by(request.to)
    ack = send_ack(request, appended.message, duplicate=appended.duplicate, delivered=count)
    return Served(ack, delivered)
