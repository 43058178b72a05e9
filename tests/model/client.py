"""A client that keeps the protocol's rules, and the network between it and the functions."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chat.delivery import Pushed
from chat.sessions import Connection

Serve = Callable[..., Any]
"""Sends a frame over a device's connection: the frame's fields to the reply."""

RECOGNISED_MS = 480_000
"""How long a message is repeated without a look at the history."""

SMALL_PAGE = 3  # so that a few messages and chats make several pages


@dataclass
class Outgoing:
    """A message that is not acknowledged yet."""

    id: str
    text: str
    after: int
    """How far the device's view of the conversation went when it was first sent."""
    look_first: bool = False
    """Whether to look at `history` before it is sent again."""
    known_at: int | None = None
    """When it was first sent, or last looked for."""


@dataclass
class ModelClient:
    """What one device of a user holds. Everything it knows came in through frames."""

    user: str
    connection: Connection
    epoch: str
    """Which history the server spoke of when the device was new, or at its last sync."""
    online: bool = True
    since: int | None = None
    messages: dict[str, dict[int, Any]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    outgoing: dict[str, Outgoing] = field(default_factory=dict)
    inbox: deque[Any] = field(default_factory=deque)

    def handle_pushes(self, serve: Serve) -> None:
        """Takes the messages that were pushed, and fetches what is missing before them."""
        while self.inbox:
            frame = self.inbox.popleft()
            if frame["type"] == "message":
                peer = frame["to"] if frame["from"] == self.user else frame["from"]
                self.see(serve, peer, frame)

    def see(self, serve: Serve, peer: str, message: Any) -> None:
        last = self.last.get(peer, 0)
        if message["seq"] == last + 1:
            self._take(peer, message)
        elif message["seq"] > last:
            self.catch_up(serve, peer, message["seq"])

    def _take(self, peer: str, message: Any) -> None:
        fields = ("from", "to", "seq", "id", "text", "ts", "expires")
        self.messages.setdefault(peer, {})[message["seq"]] = {name: message[name] for name in fields}
        self.last[peer] = message["seq"]

    def catch_up(self, serve: Serve, peer: str, seq: int) -> None:
        """Fetches everything behind what the device has."""
        more = True
        while more:
            page = serve(action="history", peer=peer, after=self.last.get(peer, 0), limit=SMALL_PAGE)
            for message in page["messages"]:
                assert message["seq"] == self.last.get(peer, 0) + 1, "a hole in a log of which nothing has expired"
                self._take(peer, message)
            more = page["more"]
        self.last[peer] = max(self.last.get(peer, 0), seq)

    def sync(self, serve: Serve) -> None:
        """A whole sync: all pages, the history of each chat that is ahead, and only then `since`."""
        first, cursor = None, None
        while first is None or cursor is not None:
            bounds = {"since": self.since, "next": cursor, "limit": SMALL_PAGE}
            reply = serve(action="sync", **{name: value for name, value in bounds.items() if value is not None})
            assert reply["user"] == self.user
            if self.is_of_another_history(reply["epoch"]):
                self.begin_anew(reply["epoch"])
                self.sync(serve)
                return
            first, cursor = first or reply, reply.get("next")
            for chat in reply["chats"]:
                if chat["seq"] > self.last.get(chat["peer"], 0):
                    self.catch_up(serve, chat["peer"], chat["seq"])
        self.since = first["server_time"]

    def is_of_another_history(self, epoch: str) -> bool:
        return epoch != self.epoch

    def begin_anew(self, epoch: str) -> None:
        """Forgets everything but what is unsent."""
        self.epoch, self.since = epoch, None
        self.messages.clear()
        self.last.clear()
        self.inbox.clear()
        for outgoing in self.outgoing.values():
            outgoing.after, outgoing.look_first = 0, True

    def send(self, serve: Serve, to: str, now: int) -> Any:
        """Sends what is outgoing to a user; the message as it was acknowledged."""
        outgoing = self.outgoing[to]
        was_tried = outgoing.known_at is not None
        if outgoing.known_at is None:
            outgoing.known_at = now
        elif outgoing.look_first or now - outgoing.known_at > RECOGNISED_MS:
            if found := self._find(serve, to, outgoing):
                # Stored, but whoever stored it may have died before the chats were moved. A receipt sees to that.
                serve(action="receipt", peer=to, kind="read", seq=found["seq"])
                return found
            outgoing.look_first, outgoing.known_at = False, now
        reply = serve(action="send", to=to, id=outgoing.id, text=outgoing.text, retry=was_tried)
        return {
            "from": self.user,
            "to": to,
            "id": outgoing.id,
            "text": outgoing.text,
            **_only(reply, "seq", "ts", "expires"),
        }

    def _find(self, serve: Serve, to: str, outgoing: Outgoing) -> Any | None:
        after, more = outgoing.after, True
        while more:
            page = serve(action="history", peer=to, after=after, limit=SMALL_PAGE)
            for message in page["messages"]:
                if (message["from"], message["id"]) == (self.user, outgoing.id):
                    return message
                after = message["seq"]
            more = page["more"]
        return None


def _only(frame: Any, *names: str) -> dict[str, Any]:
    return {name: frame[name] for name in names}


class Network:
    """API Gateway: takes pushes for connections that are open, and answers 410 for others."""

    def __init__(self) -> None:
        self.devices: dict[str, ModelClient] = {}
        self.losing = False
        """Whether pushes fail: a push is a hint, so nothing may hang on it."""

    def push(self, connection_id: str, data: bytes) -> Pushed:
        if self.losing:
            return Pushed.FAILED
        device = self.devices.get(connection_id)
        if device is None:
            return Pushed.GONE
        device.inbox.append(json.loads(data))
        return Pushed.TAKEN

    def close(self, connection_id: str) -> bool:
        self.devices.pop(connection_id, None)
        return True
