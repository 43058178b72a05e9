"""Errors, and rule 6 (repeat) of docs/protocol.md: frames that wait for a reply, and the scripts that wait for them.

A flow over several replies is a script: a generator that yields a question and gets its reply, so that it reads from
top to bottom, without I/O. `Refused` and `Lost` are raised in it. A script ends where it stops waiting, or is closed.

Differs from requests.js: such a flow is an async function there; and each connection has its own requests there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .errors import Refused
from .frames import Frame, is_reply
from .timers import Backoff, Timer, Timers, named_pause

MAX_RETRY_AFTER_MS = 60_000


class Lost(Exception):
    """The connection has ended before the reply came, or the question must not be repeated."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of a script. Its reply is sent into the script, or Refused or Lost is raised there."""

    frame: Frame
    id: str | None = None
    """None: it gets an id of ours."""
    connection: int | None = None
    """None: the current connection; without one, the next."""
    is_moot: Callable[[], bool] = _never
    """Looked at before the question is repeated: whether it must not be. Then it is lost."""
    when_repeated: Frame = field(default_factory=dict)
    """What else the frame has when it is repeated."""


Script: TypeAlias = Generator[Ask, Frame, None]


class Wire(Protocol):
    """All that a request may do to a connection."""

    @property
    def current(self) -> int | None: ...
    def write(self, connection: int, frame: Frame) -> None: ...
    def close(self, connection: int, reason: str) -> None: ...


@dataclass(slots=True)
class _Request:
    """A question, and the script that waits for its reply."""

    id: str
    ask: Ask
    script: Script
    connection: int | None = None
    """What it was written to; None while there is no connection."""
    is_pausing: bool = False
    """Whether it failed for now, and will be written again."""
    attempt: int = 0
    timer: Timer | None = None

    def cancel_timer(self) -> None:
        if self.timer:
            self.timer.cancel()


class Requests:
    """The questions that are open."""

    def __init__(self, wire: Wire, timers: Timers, backoff: Backoff, reply_seconds: float) -> None:
        self._wire = wire
        self._timers = timers
        self._backoff = backoff
        self._reply_seconds = reply_seconds
        self._open: dict[str, _Request] = {}
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        """An id of ours; `frames.OWN_ID` keeps those apart from an application's."""
        return f"{prefix}-{next(self._numbers)}"

    def run(self, script: Script) -> None:
        """Starts a script, and runs it up to its first question."""
        if ask := next(script, None):
            self._ask(script, ask)

    def received(self, connection: int, frame: Frame) -> None:
        """A reply has come, an error, or a frame of API Gateway's own."""
        if "type" not in frame:
            self._repeat_all(connection, None)  # it does not say which frame it means
        elif frame["type"] == "error":
            self._on_error(connection, frame)
        elif (request := self._open.get(str(frame.get("id")))) and is_reply(request.ask.frame, frame):
            self._close(request)
            self._go_on(request.script, frame)

    def resume(self, connection: int) -> None:
        """There is a connection again: writes what has waited for it."""
        for request in [request for request in self._open.values() if request.connection is None]:
            self._write(request, connection)

    def lose(self, connection: int) -> None:
        """A connection has ended."""
        for request in [request for request in self._open.values() if request.connection == connection]:
            self._lose(request)

    def is_waiting_on(self, connection: int) -> bool:
        """Whether anything that was asked on the connection is not answered."""
        return any(request.connection == connection for request in self._open.values())

    def cancel(self, id: str) -> None:
        """The reply is not needed any more: closes the script that waits for it."""
        if request := self._open.get(id):
            self._close(request)
            request.script.close()

    def stop(self) -> None:
        """Closes every script now, so that no `finally` of one runs later."""
        for id in list(self._open):
            self.cancel(id)

    def _ask(self, script: Script, ask: Ask) -> None:
        request = _Request(ask.id or self.new_id(ask.frame["action"]), ask, script)
        self._open[request.id] = request
        connection = ask.connection or self._wire.current
        if connection is not None:
            self._write(request, connection)

    def _write(self, request: _Request, connection: int) -> None:
        request.connection, request.is_pausing = connection, False
        request.timer = self._timers.after(
            self._reply_seconds, lambda: self._wire.close(connection, "the server did not reply")
        )
        repeated = request.ask.when_repeated if request.attempt else {}
        self._wire.write(connection, request.ask.frame | repeated | {"id": request.id})

    def _close(self, request: _Request) -> None:
        request.cancel_timer()
        del self._open[request.id]

    def _go_on(self, script: Script, reply: Frame | Refused | Lost) -> None:
        try:
            ask = script.throw(reply) if isinstance(reply, Exception) else script.send(reply)
        except StopIteration:
            return
        self._ask(script, ask)

    def _lose(self, request: _Request) -> None:
        self._close(request)
        self._go_on(request.script, Lost())

    def _on_error(self, connection: int, frame: Frame) -> None:
        retry_after_ms = frame.get("retry_after_ms")
        if "id" not in frame:
            if frame.get("temporary"):
                self._repeat_all(connection, retry_after_ms)
        elif request := self._open.get(str(frame["id"])):
            if frame.get("temporary"):
                self._repeat_later(request, retry_after_ms)
            else:
                self._close(request)
                self._go_on(request.script, Refused(frame["code"], str(frame.get("message") or "")))

    def _repeat_all(self, connection: int, retry_after_ms: object) -> None:
        for request in self._open.values():
            if request.connection == connection and not request.is_pausing:
                self._repeat_later(request, retry_after_ms)

    def _repeat_later(self, request: _Request, retry_after_ms: object) -> None:
        request.cancel_timer()
        request.is_pausing = True
        # Not sooner than the server asks for, and not all clients at once.
        delay = named_pause(retry_after_ms, MAX_RETRY_AFTER_MS) + self._backoff.delay(request.attempt)
        request.attempt += 1
        if request.connection is not None:
            connection = request.connection
            request.timer = self._timers.after(delay, lambda: self._repeat(request, connection))

    def _repeat(self, request: _Request, connection: int) -> None:
        if request.ask.is_moot():
            self._lose(request)
        else:
            self._write(request, connection)
