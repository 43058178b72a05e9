"""The function of the frames behind a route of another name, whose frames are sends."""

from __future__ import annotations

from collections.abc import Callable

import message

from chat.events import Response, WebSocketEvent

ELSEWHERE = "elsewhere"


def as_send(route: str) -> Callable[[WebSocketEvent, object], Response]:
    """A handler for the route."""

    def handler(event: WebSocketEvent, context: object) -> Response:
        body = (event.get("body") or "").replace(f'"{route}"', '"send"', 1)
        return message.handler({**event, "body": body}, context)

    return handler


elsewhere = as_send(ELSEWHERE)
"""The function as it is, to be given other settings."""
