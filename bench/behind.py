"""The function of the frames with its sends in the order before, as the emulator runs it behind a route of its own."""

from __future__ import annotations

import message

from bench.before import pushed_behind_the_moves
from chat.events import Response, WebSocketEvent

ROUTE = "behind"

pushed_behind_the_moves().__enter__()  # for good: it knows no other order


def handler(event: WebSocketEvent, context: object) -> Response:
    body = (event.get("body") or "").replace(f'"{ROUTE}"', '"send"', 1)
    return message.handler({**event, "body": body}, context)
