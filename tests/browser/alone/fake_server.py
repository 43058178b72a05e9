"""A server inside the test, in the place of a deployment: it says what the test wants, and as much of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, WebSocketRoute

from tests.fakes.chat_server import ChatServer
from tests.hang import HANG_SECONDS

Frame = dict[str, Any]


class FakeServer:
    """Serves one user, alice, in all pages of a context. Messages are of today unless they are said to be older."""

    def __init__(self, user: str = "alice") -> None:
        self.user = user
        self.chat = ChatServer(user=user, now=int(time.time() * 1_000), tick=1)
        self.asked: list[Frame] = []
        self.addresses: set[str] = set()
        """Where connections have gone."""
        self.refused: str | None = None
        """Why no message is taken; None if they are."""
        self.is_silent = False
        """Whether it answers nothing more."""
        self.is_away = False
        """Whether it takes no connection."""
        self._sockets: list[WebSocketRoute] = []

    def stand_in(self, context: BrowserContext) -> None:
        context.route_web_socket(re.compile("execute-api"), self._connect)

    def says(self, sender: str, *texts: str, ago_ms: int = 0) -> None:
        """Somebody writes to the user."""
        now, self.chat.now = self.chat.now, self.chat.now - ago_ms
        for text in texts:
            self.push({"type": "message", **self.chat.store(sender, self.user, text)[0]})
        self.chat.now = max(now, self.chat.now)

    def said(self, to: str, text: str, ago_ms: int = 0) -> None:
        """The user has written, on another device."""
        now, self.chat.now = self.chat.now, self.chat.now - ago_ms
        self.push({"type": "message", **self.chat.store(self.user, to, text)[0]})
        self.chat.now = max(now, self.chat.now)

    def push(self, frame: Frame) -> None:
        for socket in self._sockets:
            socket.send(json.dumps(frame))

    def drop(self) -> None:
        """Every connection ends."""
        for socket in list(self._sockets):
            self._sockets.remove(socket)
            socket.close(code=3006)

    @staticmethod
    def wait_for(page: Page, holds: Callable[[], bool]) -> None:
        """Waits for something that the page leads to here, such as a frame. Raises AssertionError if that hangs."""
        for _ in range(HANG_SECONDS * 20):
            if holds():
                return
            page.wait_for_timeout(50)  # meanwhile, frames come
        raise AssertionError(f"waited {HANG_SECONDS} s in vain")

    def count(self, action: str, holds: Callable[[Frame], bool] = lambda _: True) -> int:
        """How many frames of an action have come."""
        return sum(frame["action"] == action and holds(frame) for frame in self.asked)

    def _connect(self, socket: WebSocketRoute) -> None:
        self.addresses.add(socket.url)
        if self.is_away:
            socket.close(code=3006)
            return
        self._sockets.append(socket)
        socket.on_message(lambda text: self._on_frame(socket, json.loads(text)))

    def _on_frame(self, socket: WebSocketRoute, frame: Frame) -> None:
        self.asked.append(frame)
        if not self.is_silent and (reply := self._answer(frame)):
            socket.send(json.dumps(reply))

    def _answer(self, frame: Frame) -> Frame | None:
        if frame["action"] == "ping":
            return {"type": "pong", "id": frame["id"], "ts": self.chat.now}
        if frame["action"] == "send" and self.refused:
            return {"type": "error", "id": frame["id"], "code": "forbidden", "message": self.refused}
        return self.chat.answer(frame)
