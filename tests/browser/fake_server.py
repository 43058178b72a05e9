"""A server inside the test, in the place of the deployment: so much can be said that a real one would take minutes."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import BrowserContext, WebSocketRoute

from tests.fakes.chat_server import ChatServer


class FakeServer:
    """Serves alice in all pages of a context. What it is told to push, it pushes to all of them."""

    def __init__(self) -> None:
        self.chat = ChatServer(now=1_700_000_000_000, tick=1_000)
        self.asked: list[dict[str, Any]] = []
        self.is_silent = False
        """Whether it answers nothing more."""
        self._sockets: list[WebSocketRoute] = []

    def stand_in(self, context: BrowserContext) -> None:
        context.route_web_socket(re.compile("execute-api"), self._connect)

    def says(self, sender: str, *texts: str) -> None:
        """Somebody writes to alice."""
        for text in texts:
            self.push({"type": "message", **self.chat.store(sender, "alice", text)[0]})

    def push(self, frame: dict[str, Any]) -> None:
        for socket in self._sockets:
            socket.send(json.dumps(frame))

    def _connect(self, socket: WebSocketRoute) -> None:
        self._sockets.append(socket)
        socket.on_message(lambda text: self._answer(socket, json.loads(text)))
        socket.on_close(lambda *_: self._sockets.remove(socket))

    def _answer(self, socket: WebSocketRoute, frame: dict[str, Any]) -> None:
        self.asked.append(frame)
        if not self.is_silent and (reply := self.chat.answer(frame)):
            socket.send(json.dumps(reply))
