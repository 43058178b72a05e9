"""The JavaScript client with the inputs and effects of a `Session`: `node_session.mjs` runs it."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.emulator import clean_environment
from parley import Close, Conversation, Event, Message, Open, Reset, Write
from parley.effects import Effect
from parley.events import Pending
from tests.clients.behaviours.notation import Fields

BEFORE = 0.001
"""Milliseconds. A time that was a number of seconds in between may not be quite the same."""


class Node:
    """A process that runs one client after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, *values: object) -> Any:
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None
        assert reader is not None
        writer.write(json.dumps(values) + "\n")
        writer.flush()
        answer = reader.readline()
        assert answer, "the JavaScript client has thrown what nobody caught"
        return json.loads(answer)


@contextmanager
def node() -> Iterator[Node]:
    with subprocess.Popen(
        ["node", str(Path(__file__).with_suffix(".mjs"))],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield Node(process)
        finally:
            process.kill()


class NodeSession:
    """As much of a `Session` as a network in chaos needs. Events are told at once, and wait here to be read."""

    def __init__(
        self, node: Node, *, clock: Callable[[], float], seed: int, state: Fields | None, backlog: int
    ) -> None:
        self.effects: deque[Effect] = deque()
        self.deadline: float | None = None
        self.state: Fields = {}
        self.is_connected = False
        self.conversations: list[Conversation] = []
        self._node = node
        self._clock = clock
        self._events: deque[Event] = deque()
        self._options = {"state": state and state["saved"], "seed": seed, "options": {"backlog": backlog}}

    def start(self) -> None:
        self._call("start", self._options)

    def stop(self) -> None:
        self._call("stop")

    def opened(self, connection: int) -> None:
        self._call("opened", connection)

    def failed(self, connection: int, reason: str) -> None:
        self._call("closed", connection)

    refused = closed = failed

    def received(self, connection: int, text: str) -> None:
        self._call("received", connection, text)

    def tick(self) -> None:
        self._call("tick")

    def post(self, to: str, text: str) -> None:
        self._call("post", to, text)

    def read(self, peer: str) -> None:
        self._call("read", peer)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def _call(self, *values: object) -> None:
        answer = self._node.call(self._clock() * 1_000 + BEFORE, *values)
        deadline, saved = answer["deadline"], answer["saved"]
        self.deadline = None if deadline is None else deadline / 1_000
        self.is_connected = answer["isConnected"]
        outbox = [outgoing | {"found": outgoing.get("found")} for outgoing in saved["outbox"]]
        self.state = {"saved": saved, "chats": [{"outbox": outbox}]}
        self.conversations = [_conversation(peer, texts) for peer, texts in answer["pending"].items()]
        for done in answer["done"]:
            self._did(done)

    def _did(self, done: Fields) -> None:
        match done:
            case {"open": number}:
                self.effects.append(Open(number))
            case {"write": number, "text": text}:
                self.effects.append(Write(number, text))
            case {"close": number}:
                self.effects.append(Close(number))
            case {"told": "message", "peer": peer, "message": message}:
                fields = {name: message[name] for name in ("to", "seq", "id", "text", "ts")}
                self._events.append(Message(peer=peer, sender=message["from"], **fields))
            case {"told": "reset", "epoch": epoch}:
                self._events.append(Reset(epoch))


def _conversation(peer: str, texts: list[str]) -> Conversation:
    """Only what waits in it."""
    nothing: Fields = dict.fromkeys(("seq", "ts", "unread", "read", "peer_read", "peer_delivered"), 0)
    pending = tuple(Pending(text, text, None) for text in texts)
    return Conversation(peer=peer, **nothing, has_written=True, last_from=None, last_text=None, pending=pending)
