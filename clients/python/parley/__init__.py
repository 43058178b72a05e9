"""An async client for Parley, in one file on `websockets`.

    async with Chat.connect("wss://HOST/STAGE", token) as chat:
        await chat.send("bob", "hi")
        async for event in chat:
            match event:
                case Message(sender=sender, text=text):
                    print(sender, text)

`token` is a string, or better a function (plain or async) that fetches a fresh one: it is called for every new
connection, and one is made at least every two hours.

What it promises, over lost connections, restarts of either side and several devices of one user:

- every message of every conversation comes once, in the order of its `seq`, sent ones included;
- a message is stored once however often it had to be sent, and messages to one user are stored in the order sent;
- what `chat.state` returns can be saved as JSON and handed to the next `Chat.connect(..., state=...)`, which goes on
  behind the last event that was read from `chat`, with whatever was still unsent.

`Session` is the protocol without a socket or a clock of its own: frames and time go in, frames and events come out.
`Chat` puts it on asyncio.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
import itertools
import json
import logging
import os
import random
import re
import socket
import ssl
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

__all__ = [
    "BadUrl",
    "Chat",
    "Closed",
    "Connected",
    "Conversation",
    "Disconnected",
    "Event",
    "Expired",
    "Failed",
    "HistoryPage",
    "Message",
    "ParleyError",
    "Pending",
    "PresenceChange",
    "Receipt",
    "Refused",
    "Sent",
    "Session",
    "Timing",
    "TokenRefused",
    "Typing",
    "Unreachable",
    "WrongUser",
]

Frame: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]
Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
TokenPlace: TypeAlias = Literal["query", "header", "subprotocol"]
ReceiptKind: TypeAlias = Literal["delivered", "read"]

PAGE = 100
"""Chats in a page of `sync`, messages in one of `history`: the most that the server gives."""

PREVIEW_LENGTH = 200
"""Characters of a last message that are kept, and that the server gives."""

DEFAULT_BACKLOG = 50
DEFAULT_HEARTBEAT_MS = 270_000
MIN_HEARTBEAT_MS = 60_000
MAX_HEARTBEAT_MS = 480_000  # API Gateway ends a connection after 10 idle minutes
HEARTBEAT_SPREAD = 1 / 9  # 4 to 5 minutes, around the 4.5 that the server names
DEFAULT_TEXT_BYTES = 8 * 1024
MAX_RETRY_AFTER_MS = 60_000
MAX_ESCAPED_TEXT_BYTES = 30_000  # of a text in JSON; API Gateway ends a connection for a frame over 32 KiB
MAX_ID_LENGTH = 64
MAX_PRESENCE_USERS = 100

# What is kept here is bounded; the rest waits at the server.
MAX_CHATS = 5_000
MAX_EVENTS = 10_000  # that the application has not read; twice as many where they are of no message
MAX_HELD = 100  # messages of one conversation that wait for one before them
MAX_OUTBOX = 1_000  # unsent messages of one conversation
MAX_KNOWN_PRESENCES = 10_000
MAX_FETCHES = 8  # conversations whose gaps are being filled at once

STATE_VERSION = 1
ANEW = "connect without a state: all messages come from the server, and only what was unsent is lost"

OWN_ID = re.compile(r"(sync|history|receipt|typing|ask)-[0-9]+")
USER_ID = re.compile(r"[A-Za-z0-9_.@:|+=-]{1,128}")
USER_ID_RULE = "1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -"
VISIBLE_ASCII = re.compile(r"[!-~]+")
SUBPROTOCOL = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_LOG = logging.getLogger("parley")
_SOCKET_LOG = logging.getLogger("parley.socket")
_SOCKET_LOG.setLevel(logging.INFO)  # its debug lines show the handshake, and so the token


# Errors


class ParleyError(Exception):
    """What this client raises."""


class BadUrl(ParleyError, ValueError):
    """The address is not one of a WebSocket."""


class Unreachable(ParleyError):
    """The first connection could not be made, or the server did not go on to tell what was missed."""


class TokenRefused(ParleyError):
    """The server does not take the token, and there is no way to get another one."""


class WrongUser(ParleyError):
    """The token speaks for another user than the state was saved for."""


class Refused(ParleyError):
    """The server refuses a request for good; `code` is one of the protocol's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Closed(ParleyError):
    """The chat was closed while something waited for an answer. Unsent messages are in `chat.state`."""


# Events


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the conversation with `peer`, from either side. `ts` is in milliseconds since the epoch."""

    peer: str
    sender: str
    to: str
    seq: int
    id: str
    text: str
    ts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours is stored. `delivered` counts the recipient's connections that took it at once.

    It is None where that is not known: the acknowledgement was lost, and the message was found in the history. An
    application that lets thousands of events lie is not told of what is sent meanwhile, except by the Message.
    """

    id: str
    peer: str
    seq: int
    ts: int
    delivered: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A message of ours is refused for good, and was taken out of the queue. A state keeps it until it is read."""

    id: str
    peer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """`sender` has got (`delivered`) or read (`read`) the conversation with `peer` up to and including `seq`.

    `sender` is the peer, or the user itself on another device. `ts` is None if the live receipt was missed.
    """

    peer: str
    sender: str
    kind: ReceiptKind
    seq: int
    ts: int | None


@dataclass(frozen=True, slots=True)
class Typing:
    """`peer` started or stopped composing. A stop comes by itself if the peer says nothing more."""

    peer: str
    composing: bool


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """`user` is online or not; `last_seen` is in milliseconds since the epoch, None if never seen."""

    user: str
    online: bool
    last_seen: int | None
    rev: int


@dataclass(frozen=True, slots=True)
class Expired:
    """The messages `first` to `last` with `peer` are no longer stored."""

    peer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a connection, and everything that was missed has been told before this event."""

    user: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """There is no connection; the next try starts in `retry_in` seconds. Sends are queued meanwhile."""

    reason: str
    retry_in: float


Event: TypeAlias = Message | Sent | Failed | Receipt | Typing | PresenceChange | Expired | Connected | Disconnected


# What can be asked of a chat


@dataclass(frozen=True, slots=True)
class Pending:
    """A message of ours that was not told as a Message yet."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A line of the chat list. `ts`, `last_from` and `last_text` are of the last message; its text may be cut."""

    peer: str
    seq: int
    ts: int
    unread: int
    read: int
    peer_read: int
    peer_delivered: int
    last_from: str | None
    last_text: str | None
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages, oldest first, and whether there are older ones."""

    messages: tuple[Message, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """The client's intervals, in seconds. Tests make them short; nobody else has to."""

    backoff_first: float = 0.5
    backoff_most: float = 30
    move_earliest: float = 90 * 60
    move_latest: float = 115 * 60
    drain: float = 10  # how long an old connection is kept for replies to what was asked on it
    open: float = 30  # for a token and a handshake
    reply: float = 35  # API Gateway gives a function 29
    composing_shown: float = 12
    composing_every: float = 10
    close: float = 5


# What the session tells the one who drives it


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection with a freshly fetched token; report `opened`, `failed` or `refused`."""

    link: int


@dataclass(frozen=True, slots=True)
class Write:
    """Send a text frame."""

    link: int
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection; nothing more is wanted of it."""

    link: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked under `id`, or sent under it, has come to this."""

    id: str
    value: Sent | HistoryPage | tuple[PresenceChange, ...] | Refused


Effect: TypeAlias = Open | Write | Close | Answer


class _Malformed(Exception):
    """A frame that does not follow the protocol."""


@dataclass(slots=True)
class _Timer:
    at: float
    action: Callable[[], None] | None

    def cancel(self) -> None:
        self.action = None


class _Timers:
    """Actions that are due at some time. The clock is read, never waited for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._heap: list[tuple[float, int, _Timer]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> _Timer:
        timer = _Timer(self._clock() + seconds, action)
        heapq.heappush(self._heap, (timer.at, next(self._order), timer))
        return timer

    @property
    def deadline(self) -> float | None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self) -> None:
        now = self._clock()
        while self.deadline is not None and self.deadline <= now:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action:
                action()

    def clear(self) -> None:
        self._heap.clear()


@dataclass(slots=True)
class _Outgoing:
    id: str
    text: str
    tried: bool = False
    """Whether a frame of it has left, so that it may be stored already."""
    found: Sent | None = None
    """What to tell once a receipt is acknowledged: the history has it, but perhaps nobody's chat list yet."""


@dataclass(slots=True)
class _Mark:
    """A receipt of ours: how far it should go, and how far the server is known to have it."""

    wanted: int = 0
    confirmed: int = 0
    asking: bool = False


@dataclass(slots=True)
class _Conversation:
    peer: str
    last: int | None
    """The last message that was taken; everything up to it was told. None if we do not know where to start."""
    target: int = 0
    """The highest number heard of."""
    ts: int = 0
    last_from: str | None = None
    last_text: str | None = None
    read: int = 0
    peer_read: int = 0
    peer_delivered: int = 0
    doubt: int = 0
    """Numbers up to this one were missing from a page of history once; missing again, they have expired."""
    held: dict[int, Message] = field(default_factory=dict)
    fetching: bool = False
    lookup: bool = False
    """Whether the history has to be read before the first message of the outbox is sent again."""
    stuck: bool = False
    """The server refuses to give the history; asked again when the next sync lists the conversation."""
    outbox: deque[_Outgoing] = field(default_factory=deque)
    sending: bool = False
    marks: dict[ReceiptKind, _Mark] = field(default_factory=lambda: {"delivered": _Mark(), "read": _Mark()})
    queued: int = 0
    """How many of its messages are among the events that the application has not read yet."""
    told: int = 0
    """The last message that it has read, while any are queued."""

    @property
    def seen(self) -> int | None:
        """The last message that the application has got."""
        return self.told if self.queued else self.last

    @property
    def seq(self) -> int:
        return max(self.target, self.last or 0)

    @property
    def is_listed(self) -> bool:
        """Whether the chat list has it."""
        return bool(self.seq or self.outbox)

    @property
    def is_idle(self) -> bool:
        return not (self.outbox or self.queued or self.fetching or any(_is_due(mark) for mark in self.marks.values()))


def _is_due(mark: _Mark) -> bool:
    return mark.wanted > mark.confirmed


@dataclass(slots=True)
class _Request:
    """A frame that is answered under its id. `lost` is called if its connection ends first; None: ask again.

    `is_moot` says, before it is asked again, that there is nothing left to ask; then it is lost.
    """

    id: str
    frame: Frame
    expects: str
    reply: Callable[[Frame], None]
    refused: Callable[[Refused], None]
    lost: Callable[[], None] | None = None
    is_moot: Callable[[], bool] | None = None
    link: int | None = None
    is_waiting: bool = False
    attempt: int = 0
    timer: _Timer | None = None

    def cancel_timer(self) -> None:
        if self.timer:
            self.timer.cancel()


@dataclass(slots=True)
class _Link:
    is_synced: bool = False
    is_draining: bool = False


@dataclass(slots=True)
class _Sync:
    """One `sync` of several pages, and the `history` calls that it leads to."""

    link: int
    request: str = ""
    server_time: int | None = None
    pages: int = 0
    is_listed: bool = False
    is_second: bool = False
    """Whether it follows another one at once. None follows it for its pages."""
    behind: set[str] = field(default_factory=set)


class Session:
    """The client's side of the protocol, without I/O.

    Whoever drives it calls `start`, reports what connections do (`opened`, `failed`, `refused`, `received`, `closed`),
    calls `tick` when `deadline` has come, and after each call carries out the `effects` and hands on `next_event`.
    Clock, randomness and ids come from outside, so that the same input always gives the same output.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        state: Mapping[str, Any] | None = None,
        backlog: int = DEFAULT_BACKLOG,
        send_delivered: bool = True,
        can_renew_token: bool = True,
        timing: Timing | None = None,
    ) -> None:
        self.effects: deque[Effect] = deque()
        self.failure: ParleyError | None = None
        self.user: str | None = None
        self.is_ready = False
        self.last_reason = "no connection yet"
        self.progress = 0
        """Grows while a first sync goes on: with each conversation that is listed, and each page of its history."""
        self._events: deque[Event] = deque()
        self._clock = clock
        self._random = rng or random.Random()
        self._new_id = new_id
        self._backlog = min(backlog, PAGE)
        self._send_delivered = send_delivered
        self._can_renew_token = can_renew_token
        self._timing = timing or Timing()
        self._timers = _Timers(clock)

        self._links: dict[int, _Link] = {}
        self._link_numbers = itertools.count(1)
        self._current: int | None = None
        self._opening: int | None = None
        self._reconnect: _Timer | None = None
        self._attempt = 0
        self._is_stopped = False

        self._requests: dict[str, _Request] = {}
        self._request_numbers = itertools.count(1)
        self._sync: _Sync | None = None
        self._since: int | None = None
        self._is_primed = False
        """Whether a first sync has told of every chat that there is."""
        self._needs_sync = False
        self._heartbeat: _Timer | None = None
        self._heartbeat_ms = DEFAULT_HEARTBEAT_MS
        self._max_text_bytes = DEFAULT_TEXT_BYTES

        self._conversations: dict[str, _Conversation] = {}
        self._has_forgotten = False
        self._changed: dict[str, None] = {}
        self._fetches = 0
        self._fetch_queue: dict[str, None] = {}
        self._composing: dict[str, _Timer] = {}
        self._composed: dict[str, float] = {}
        self._presences: dict[str, PresenceChange] = {}
        self._is_pausing = False
        if state is not None:
            self._restore(state)

    # Connections

    def start(self) -> None:
        """Asks for the first connection."""
        self._open()

    def opened(self, link: int) -> None:
        """The connection asked for is there."""
        if link != self._opening:
            self.effects.append(Close(link))
            return
        self._opening = None
        self._links[link] = _Link()
        age = self._random.uniform(self._timing.move_earliest, self._timing.move_latest)
        self._timers.after(age, lambda: self._move(link))
        if self._current is None:
            self._make_current(link)
        self._start_sync(link)
        self._settle()

    def failed(self, link: int, reason: str) -> None:
        """The connection asked for could not be made."""
        if link == self._opening:
            self._opening = None
            self._open_later(reason)

    def refused(self, link: int, reason: str) -> None:
        """The server did not take the token."""
        if link != self._opening:
            return
        if self._can_renew_token:
            self.failed(link, f"the server refused the token ({reason})")
        else:
            self.fail(
                TokenRefused(
                    f"The server refused the token ({reason}). Pass one that is valid and not expired, or a function"
                    " that fetches a fresh one for each connection."
                )
            )

    def closed(self, link: int, reason: str) -> None:
        """A connection has ended."""
        if link == self._opening:
            self.failed(link, reason)
        elif link in self._links:
            self._drop(link, reason)
        self._settle()

    def stop(self) -> None:
        """Closes every connection and opens none."""
        self._is_stopped = True
        self._timers.clear()
        self.effects.extend(Close(link) for link in self._links)
        self._links.clear()
        self._current = self._opening = self._sync = None

    def fail(self, error: ParleyError) -> None:
        """Stops for good, for a reason that waiting does not mend."""
        if self.failure is None and not self._is_stopped:
            self.failure = error
            self.stop()

    @property
    def is_connected(self) -> bool:
        return self._current is not None

    @property
    def waits_for(self) -> str:
        """What a session that is connected and not ready yet waits for."""
        if self._sync and self._sync.is_listed:
            return f"the history of {len(self._sync.behind)} conversations"
        return "the chat list"

    @property
    def deadline(self) -> float | None:
        """When to call `tick`, by the clock."""
        return self._timers.deadline

    def tick(self) -> None:
        """Does what is due."""
        self._timers.run()
        self._settle()

    def _open(self) -> None:
        self._reconnect = None
        if self._opening is None and not self._is_stopped:
            self._opening = next(self._link_numbers)
            self.effects.append(Open(self._opening))

    def _open_later(self, reason: str) -> None:
        self.last_reason = reason
        delay = self._backoff(self._attempt)
        self._attempt += 1
        if self._current is None:
            self._emit(Disconnected(reason, delay))
        if self._reconnect is None:
            self._reconnect = self._timers.after(delay, self._open)

    def _backoff(self, attempt: int) -> float:
        """Full jitter: clients that lost the same server do not come back in step."""
        most = min(self._timing.backoff_most, self._timing.backoff_first * 2.0 ** min(attempt, 32))
        return self._random.uniform(0, most)

    def _move(self, link: int) -> None:
        """Replaces a connection that will be ended by API Gateway before long."""
        if link == self._current and self._reconnect is None:
            self._open()

    def _make_current(self, link: int) -> None:
        self._current = link
        for request in [request for request in self._requests.values() if request.link is None]:
            self._write(request, link)
        for conversation in self._conversations.values():
            if not conversation.is_idle or conversation.lookup or self._is_behind(conversation):
                self._touch(conversation)

    def _hang_up(self, link: int, reason: str) -> None:
        if link in self._links:
            self.effects.append(Close(link))
            self._drop(link, reason)

    def _drop(self, link: int, reason: str) -> None:
        dropped = self._links.pop(link)
        if self._sync and self._sync.link == link:
            self._sync = None
        was_current = link == self._current
        if was_current:
            # A connection that a planned move has opened takes over early.
            others = [number for number, other in self._links.items() if not other.is_draining]
            self._current = None
            if others:
                self._make_current(others[0])
        for request in [request for request in self._requests.values() if request.link == link]:
            self._lose(request)
        if dropped.is_draining or (was_current and self._current is not None):
            return
        if self._opening is None:
            self._open_later(reason)
        elif was_current:
            self.last_reason = reason
            self._emit(Disconnected(reason, 0))

    def _lose(self, request: _Request) -> None:
        request.cancel_timer()
        if request.lost:
            del self._requests[request.id]
            request.lost()
        elif self._current is not None:
            self._write(request, self._current)
        else:
            request.link = None

    # Requests

    def _request_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._request_numbers)}"

    def _ask(self, request: _Request, link: int | None = None) -> None:
        self._requests[request.id] = request
        link = link or self._current
        if link is not None:
            self._write(request, link)

    def _write(self, request: _Request, link: int) -> None:
        request.link = link
        request.is_waiting = False
        request.timer = self._timers.after(self._timing.reply, lambda: self._hang_up(link, "the server does not reply"))
        self._transmit(link, request.frame | {"id": request.id})

    def _transmit(self, link: int, frame: Frame) -> None:
        self.effects.append(Write(link, json.dumps(frame, ensure_ascii=False, separators=(",", ":"))))

    def _cancel(self, id: str) -> None:
        request = self._requests.pop(id, None)
        if request:
            request.cancel_timer()

    def _repeat_later(self, request: _Request, retry_after_ms: int | None) -> None:
        request.cancel_timer()
        request.is_waiting = True
        delay = self._backoff(request.attempt)
        if retry_after_ms is not None:
            # Not sooner, and not all at once.
            delay = _clamped(retry_after_ms, 0, MAX_RETRY_AFTER_MS) / 1_000 + delay / 2
        request.attempt += 1
        link = request.link
        if link is not None:
            request.timer = self._timers.after(delay, lambda: self._repeat(request, link))

    def _repeat(self, request: _Request, link: int) -> None:
        if request.is_moot and request.is_moot():
            self._lose(request)
        else:
            self._write(request, link)

    # Frames

    def received(self, link: int, text: str) -> None:
        """A text frame has come. One that does not follow the protocol is passed over."""
        if link in self._links:
            with suppress(_Malformed):
                self._dispatch(link, _decode(text))
        self._settle()

    def _dispatch(self, link: int, frame: Frame) -> None:
        match frame.get("type"):
            case None if frame:
                self._on_gateway_failure(link)
            case "error":
                self._on_error(link, frame)
            case "message":
                self._on_message(frame)
            case "receipt":
                self._on_receipt(frame)
            case "typing":
                self._on_typing(frame)
            case "presence" if "id" not in frame:
                self._learn_presence(frame)
            case type:
                self._on_reply(type, frame)

    def _on_reply(self, type: object, frame: Frame) -> None:
        request = self._requests.get(str(frame.get("id")))
        if request and request.expects == type:
            request.reply(frame)
            self._cancel(request.id)

    def _on_gateway_failure(self, link: int, retry_after_ms: int | None = None) -> None:
        """API Gateway does not say which frame it means."""
        for request in self._requests.values():
            if request.link == link and not request.is_waiting:
                self._repeat_later(request, retry_after_ms)

    def _on_error(self, link: int, frame: Frame) -> None:
        code, message = _string(frame, "code"), str(frame.get("message", ""))
        retry_after_ms = frame.get("retry_after_ms")
        if not isinstance(retry_after_ms, int):
            retry_after_ms = None  # no reason to pass over the error
        if code == "token_expired":
            self._on_token_expired(link)
            return
        if "id" not in frame:
            if frame.get("temporary"):
                self._on_gateway_failure(link, retry_after_ms)
            return
        request = self._requests.get(str(frame["id"]))
        if request is None:
            return
        if frame.get("temporary"):
            self._repeat_later(request, retry_after_ms)
        else:
            self._cancel(request.id)
            request.refused(Refused(code, message))

    def _on_token_expired(self, link: int) -> None:
        if self._can_renew_token:
            self._hang_up(link, "the token has expired")
            return
        self.fail(
            TokenRefused(
                "The token has expired. Connect again with a new one, or pass a function that fetches a fresh one"
                " for each connection."
            )
        )

    # Sync

    def _start_sync(self, link: int, *, is_second: bool = False) -> None:
        if self._sync:
            self._cancel(self._sync.request)
        behind = {peer for peer, conversation in self._conversations.items() if self._is_behind(conversation)}
        self._sync = _Sync(link, is_second=is_second, behind=behind)
        self._ask_chats(self._sync)

    def _ask_chats(self, sync: _Sync, next: str | None = None) -> None:
        frame: Frame = {"action": "sync", "limit": PAGE}
        if self._since is not None:
            frame["since"] = self._since
        if next is not None:
            frame["next"] = next
        sync.request = self._request_id("sync-")

        def refused(error: Refused) -> None:
            self._hang_up(sync.link, str(error))

        self._ask(
            _Request(sync.request, frame, "sync", lambda reply: self._on_chats(sync, reply), refused, lambda: None),
            sync.link,
        )

    def _on_chats(self, sync: _Sync, frame: Frame) -> None:
        user, server_time = _string(frame, "user"), _number(frame, "server_time")
        chats = [_Listed.of(chat) for chat in _objects(frame, "chats")]
        if self.user not in (None, user):
            self.fail(
                WrongUser(
                    f"The token speaks for {user}, but the saved state is of {self.user}. Use a state for each user."
                )
            )
            return
        self.user = user
        if sync.server_time is None:
            sync.server_time = server_time
        sync.pages += 1
        heartbeat_ms = _optional_number(frame, "heartbeat_ms") or DEFAULT_HEARTBEAT_MS
        self._heartbeat_ms = _clamped(heartbeat_ms, MIN_HEARTBEAT_MS, MAX_HEARTBEAT_MS)
        self._max_text_bytes = _optional_number(frame, "max_text_bytes") or DEFAULT_TEXT_BYTES
        for chat in chats:
            self._learn_chat(sync, chat, user)
        if isinstance(frame.get("next"), str):
            self._ask_chats(sync, frame["next"])
        else:
            sync.is_listed = True

    def _learn_chat(self, sync: _Sync, chat: _Listed, user: str) -> None:
        is_known = chat.peer in self._conversations
        conversation = self._conversation(chat.peer)
        conversation.stuck = False
        if chat.seq > conversation.seq or (chat.seq == conversation.seq and conversation.last_text is None):
            conversation.target, conversation.ts = chat.seq, chat.ts
            conversation.last_from, conversation.last_text = chat.last_from, chat.last_text
        if conversation.last is None and self._backlog == 0 and not conversation.lookup:
            conversation.last = chat.seq
        self._move_mark(conversation, user, "read", chat.read, ts=None, is_news=is_known)
        if chat.peer != user:
            self._move_mark(conversation, chat.peer, "read", chat.peer_read, ts=None, is_news=is_known)
            self._move_mark(conversation, chat.peer, "delivered", chat.peer_delivered, ts=None, is_news=is_known)
        if self._is_behind(conversation):
            sync.behind.add(chat.peer)
        self._touch(conversation)

    def _finish_sync(self) -> bool:
        """Moves `since` when all that the sync has shown to be missing was fetched."""
        sync = self._sync
        if sync is None or not sync.is_listed:
            return False
        sync.behind = {peer for peer in sync.behind if self._is_unfetched(peer)}
        if sync.behind:
            return False
        self._sync, self._since = None, sync.server_time
        is_first, self._is_primed = not self._is_primed, True
        if is_first:
            for conversation in self._conversations.values():
                if not conversation.target:
                    conversation.last = 0  # not listed, so nothing was ever said
                self._touch(conversation)
        if (sync.pages > 1 and not sync.is_second) or self._needs_sync:
            # While the pages were read, chats may have moved from one that was to come to one that was past. Once is
            # enough: a busy user's second one may have as many pages, and what moves now is pushed, or shown by the
            # next heartbeat.
            self._needs_sync = False
            self._start_sync(sync.link, is_second=True)
        else:
            self._on_synced(sync.link)
        return True

    def _on_synced(self, link: int) -> None:
        is_first = not self._links[link].is_synced
        self._links[link].is_synced = True
        self._arm_heartbeat(is_first)
        if not is_first:
            return
        # Not at once: one that is always ended soon after must not come back ever so fast.
        self._timers.after(self._timing.backoff_most, lambda: self._has_lasted(link))
        if link == self._current:
            self.is_ready = True
            self._emit(Connected(self.user or ""))
        elif self._current is not None:
            self._retire(self._current)
            self._make_current(link)

    def _has_lasted(self, link: int) -> None:
        if link == self._current:
            self._attempt = 0

    def _retire(self, link: int) -> None:
        """Keeps an old connection for the replies to what was asked on it."""
        self._links[link].is_draining = True
        self._timers.after(self._timing.drain, lambda: self._hang_up(link, "moved to a fresh connection"))

    def _close_drained(self) -> None:
        for link in [number for number, link in self._links.items() if link.is_draining]:
            if not any(request.link == link for request in self._requests.values()):
                self._hang_up(link, "moved to a fresh connection")

    def _arm_heartbeat(self, is_first: bool) -> None:
        if self._heartbeat:
            self._heartbeat.cancel()
        interval = self._heartbeat_ms / 1_000 * self._random.uniform(1 - HEARTBEAT_SPREAD, 1 + HEARTBEAT_SPREAD)
        part = self._random.random() if is_first else 1
        self._heartbeat = self._timers.after(interval * part, self._beat)

    def _beat(self) -> None:
        if self._current is not None and self._sync is None:
            self._start_sync(self._current)

    # Conversations

    def _touch(self, conversation: _Conversation) -> None:
        """Has `_settle` look at what the conversation needs."""
        self._changed[conversation.peer] = None

    def _settle(self) -> None:
        """Asks for whatever the last input has made necessary. Every input ends with it."""
        if self._is_stopped:
            return
        while True:
            while self._changed:
                peer = next(iter(self._changed))
                del self._changed[peer]
                if conversation := self._conversations.get(peer):
                    self._fetch(conversation)
                    self._send_next(conversation)
                    self._send_receipts(conversation)
            if not self._finish_sync():
                break
        if self._needs_sync and self._sync is None and self._current is not None:
            self._needs_sync = False
            self._start_sync(self._current)
        self._close_drained()

    def _is_complete(self) -> bool:
        """Whether a conversation that is not known here is one in which nothing was said yet."""
        return self._is_primed and not self._has_forgotten

    def _conversation(self, peer: str) -> _Conversation:
        conversation = self._conversations.get(peer)
        if conversation is None:
            if len(self._conversations) >= MAX_CHATS:
                self._forget_oldest()
            conversation = _Conversation(peer, last=0 if self._is_complete() else None)
            self._conversations[peer] = conversation
            self.progress += 1
        return conversation

    def _forget_oldest(self) -> None:
        idle = sorted((one for one in self._conversations.values() if one.is_idle), key=lambda one: one.ts)
        for conversation in idle[: MAX_CHATS // 10]:
            del self._conversations[conversation.peer]
            self._has_forgotten = True

    def _is_behind(self, conversation: _Conversation) -> bool:
        if conversation.stuck or self._is_pausing:
            return False
        return conversation.target > (conversation.last or 0)

    def _is_unfetched(self, peer: str) -> bool:
        conversation = self._conversations.get(peer)
        return conversation is not None and self._is_behind(conversation)

    def _on_message(self, frame: Frame) -> None:
        if self.user is None:
            # Whose it is cannot be told apart yet. The sync under way, or the one after it, shows what it led to.
            self._needs_sync = True
            return
        message = _message(frame, self.user)
        known = self._conversations.get(message.peer)
        if self._is_complete() or (known is not None and known.last is not None):
            self._arrive(self._conversation(message.peer), message)
        else:
            self._needs_sync = True

    def _arrive(self, conversation: _Conversation, message: Message) -> None:
        """A message has come, alone, in whatever order."""
        self._recognise(conversation, message)
        conversation.target = max(conversation.target, message.seq)
        self._touch(conversation)
        if conversation.last is None or self._is_pausing or message.seq > conversation.last + 1:
            if len(conversation.held) < MAX_HELD and not self._is_pausing:
                conversation.held[message.seq] = message
        elif message.seq == conversation.last + 1:
            self._take(conversation, message)
            self._take_held(conversation)

    def _recognise(self, conversation: _Conversation, message: Message) -> None:
        """Our own message, coming back, is its acknowledgement."""
        if message.sender == self.user and _is_first(conversation, message.id):
            self._acknowledge(conversation, Sent(message.id, message.peer, message.seq, message.ts, delivered=None))
        else:
            self._find(conversation, message)  # of another client that goes on with the same state

    def _find(self, conversation: _Conversation, message: Message) -> None:
        """Our own message in the history is stored; who stored it may have died before anybody was told."""
        if message.sender != self.user:
            return
        for outgoing in conversation.outbox:
            if outgoing.id == message.id:
                outgoing.found = Sent(message.id, message.peer, message.seq, message.ts, delivered=None)

    def _take(self, conversation: _Conversation, message: Message) -> None:
        if not conversation.queued:
            conversation.told = message.seq - 1
        conversation.queued += 1
        conversation.last = message.seq
        conversation.target = max(conversation.target, message.seq)
        if message.seq == conversation.target:
            conversation.ts, conversation.last_from = message.ts, message.sender
            conversation.last_text = message.text[:PREVIEW_LENGTH]
        if message.sender == self.user:
            conversation.read = max(conversation.read, message.seq)
        else:
            self._show_composing(message.sender, False)
            if self._send_delivered and message.seq > conversation.read:
                self._want_receipt(conversation, "delivered", message.seq)
        self._emit(message)

    def _take_held(self, conversation: _Conversation) -> None:
        """Takes what has waited for the message that was just taken, and drops what has come another way."""
        last = conversation.last or 0
        while message := conversation.held.pop(last + 1, None):
            self._take(conversation, message)
            last = message.seq
        for seq in [seq for seq in conversation.held if seq <= last]:
            del conversation.held[seq]

    def _skip(self, conversation: _Conversation, to: int) -> None:
        """The numbers up to this one have expired."""
        self._emit(Expired(conversation.peer, (conversation.last or 0) + 1, to))
        conversation.last = to

    # History

    def _fetch(self, conversation: _Conversation) -> None:
        """Starts to fill a gap, unless that is under way. Only so many at once: a first sync may show a thousand."""
        self._fetch_queue.pop(conversation.peer, None)
        is_needed = self._is_behind(conversation) or conversation.lookup
        if not is_needed or conversation.fetching or self._current is None:
            return
        if self._fetches >= MAX_FETCHES:
            self._fetch_queue[conversation.peer] = None
            return
        self._fetches += 1
        conversation.fetching = True
        self._ask_page(conversation, conversation.lookup)

    def _ask_page(self, conversation: _Conversation, is_lookup: bool) -> None:
        frame: Frame = {"action": "history", "peer": conversation.peer}
        if conversation.last is None:
            frame["limit"] = PAGE if is_lookup else self._backlog or PAGE
        else:
            frame |= {"after": conversation.last, "limit": PAGE}
        after, target = conversation.last, conversation.target

        def refused(error: Refused) -> None:
            _LOG.warning("the history of a conversation is refused: %s", error.code)
            conversation.stuck = True
            self._end_fetch(conversation, is_lookup)

        self._ask(
            _Request(
                self._request_id("history-"),
                frame,
                "history",
                lambda reply: self._on_page(conversation, after, target, is_lookup, reply),
                refused,
                lambda: self._end_fetch(conversation, False),
            )
        )

    def _on_page(
        self, conversation: _Conversation, after: int | None, target: int, is_lookup: bool, frame: Frame
    ) -> None:
        user = self.user or ""
        messages = sorted((_message(one, user) for one in _objects(frame, "messages")), key=lambda one: one.seq)
        has_more = frame.get("more") is True
        self.progress += 1
        if conversation.last is None:
            # The newest page: what is before it was never ours to tell.
            conversation.last = messages[0].seq - 1 if messages else target
            has_more = False
        has_hole = False
        for message in messages:
            self._find(conversation, message)
            self._take_held(conversation)
            if message.seq <= conversation.last:
                continue
            if message.seq > conversation.last + 1:
                if message.seq - 1 > conversation.doubt:
                    conversation.doubt = messages[-1].seq
                    has_hole = True
                    break
                self._skip(conversation, message.seq - 1)
            self._take(conversation, message)
        self._take_held(conversation)
        # All of the page may have been pushed meanwhile: then there is more behind that.
        if has_hole or (has_more and conversation.last > (after or 0)):
            if self._is_pausing and not is_lookup:
                self._end_fetch(conversation, is_lookup)
            else:
                self._ask_page(conversation, is_lookup)
            return
        if has_more:
            conversation.stuck = True  # a page that leads nowhere; not again before the next sync
        else:
            self._close_gap(conversation, target)
        self._end_fetch(conversation, is_lookup)

    def _close_gap(self, conversation: _Conversation, target: int) -> None:
        """The history has ended: of what was known when it was asked, what it did not have has expired."""
        for seq in sorted(seq for seq in conversation.held if seq <= target):
            message = conversation.held.pop(seq)
            if seq > (conversation.last or 0) + 1:
                self._skip(conversation, seq - 1)
            self._take(conversation, message)
        if target > (conversation.last or 0):
            self._skip(conversation, target)
        self._take_held(conversation)

    def _end_fetch(self, conversation: _Conversation, is_lookup: bool) -> None:
        conversation.fetching = False
        self._fetches -= 1
        if is_lookup:
            conversation.lookup = False
        self._touch(conversation)
        for peer in self._fetch_queue:
            self._changed[peer] = None

    # Sending

    def post(self, to: str, text: str, id: str | None = None) -> str:
        """Queues a message and returns its id. Raises ValueError if the server could never take it."""
        _check_user(to)
        _check_text(text, self._max_text_bytes)
        if id is None:
            id = self._new_id()
        else:
            self._check_id(id)
        conversation = self._conversation(to)
        if len(conversation.outbox) >= MAX_OUTBOX:
            raise ParleyError(f"{MAX_OUTBOX} messages to {to} wait to be sent; wait for some of them first")
        conversation.outbox.append(_Outgoing(id, text))
        self._composed.pop(to, None)
        self._touch(conversation)
        self._settle()
        return id

    def _check_id(self, id: str) -> None:
        """One of the application's own choice: a reply names nothing but the id, so no two may wait under one."""
        _check_characters(id, "id")
        if not 1 <= len(id) <= MAX_ID_LENGTH:
            raise ValueError(f"the id of a message has 1 to {MAX_ID_LENGTH} characters")
        if OWN_ID.fullmatch(id):
            raise ValueError("this client has ids of this form itself; give each message its own id")
        if any(outgoing.id == id for one in self._conversations.values() for outgoing in one.outbox):
            raise ValueError("a message of this id is waiting already; give each message its own id")

    def _send_next(self, conversation: _Conversation) -> None:
        if self._current is None or not self._is_primed or conversation.sending or conversation.lookup:
            return
        if not conversation.outbox:
            return
        outgoing = conversation.outbox[0]
        outgoing.tried = conversation.sending = True
        if outgoing.found is not None:
            self._complete(conversation, outgoing.found)
            return

        def refused(error: Refused) -> None:
            conversation.outbox.popleft()
            conversation.sending = False
            self._emit(Failed(outgoing.id, conversation.peer, error.code, error.message))
            self.effects.append(Answer(outgoing.id, error))
            self._touch(conversation)

        def lost() -> None:
            conversation.sending = False
            conversation.lookup = conversation.lookup or not is_found()
            self._touch(conversation)

        def is_found() -> bool:
            # The gap that it left was filled meanwhile. The server may not know it any more, and would store it again.
            return outgoing.found is not None

        frame: Frame = {"action": "send", "to": conversation.peer, "text": outgoing.text}
        on_ack = partial(self._on_ack, conversation, outgoing)
        self._ask(_Request(outgoing.id, frame, "ack", on_ack, refused, lost, is_found))

    def _complete(self, conversation: _Conversation, found: Sent) -> None:
        """Has the server finish what the first try left undone: a receipt does, and its ack is the message's."""

        def done(*_: object) -> None:
            self._acknowledge(conversation, found)

        def lost() -> None:
            if _is_first(conversation, found.id):
                conversation.sending = False
                self._touch(conversation)

        frame: Frame = {"action": "receipt", "peer": conversation.peer, "kind": "read", "seq": found.seq}
        self._ask(_Request(self._request_id("receipt-"), frame, "ack", done, done, lost))

    def _on_ack(self, conversation: _Conversation, outgoing: _Outgoing, frame: Frame) -> None:
        seq, ts, delivered = _number(frame, "seq"), _number(frame, "ts"), _optional_number(frame, "delivered")
        self._acknowledge(conversation, Sent(outgoing.id, conversation.peer, seq, ts, delivered))
        if conversation.last is None and not conversation.target:
            conversation.last = seq - 1  # one that was forgotten starts anew
        user, peer = self.user or "", conversation.peer
        self._arrive(conversation, Message(peer, user, peer, seq, outgoing.id, outgoing.text, ts))

    def _acknowledge(self, conversation: _Conversation, sent: Sent) -> None:
        if not _is_first(conversation, sent.id):
            return  # its carbon copy has come while its receipt was under way
        self._cancel(sent.id)
        conversation.outbox.popleft()
        conversation.sending = False
        conversation.lookup = conversation.lookup and bool(conversation.outbox)
        self._emit(sent)
        self.effects.append(Answer(sent.id, sent))
        self._touch(conversation)

    # Receipts

    def read(self, peer: str, seq: int | None = None) -> None:
        """Marks the conversation read, up to `seq` or up to the last message that the application has got."""
        conversation = self._conversations.get(peer)
        seq = seq if seq is not None or conversation is None else conversation.seen
        if conversation is None or not seq:
            return
        if seq > conversation.seq:
            raise ValueError(f"the conversation with {peer} has no message {seq}")
        conversation.read = max(conversation.read, seq)
        self._want_receipt(conversation, "read", seq)
        self._settle()

    def _want_receipt(self, conversation: _Conversation, kind: ReceiptKind, seq: int) -> None:
        mark = conversation.marks[kind]
        mark.wanted = max(mark.wanted, seq)
        self._touch(conversation)

    def _send_receipts(self, conversation: _Conversation) -> None:
        """Sends the furthest receipt of each kind; what is read needs no word of being delivered."""
        read, delivered = conversation.marks["read"], conversation.marks["delivered"]
        if read.wanted >= delivered.wanted:
            delivered.confirmed = max(delivered.confirmed, delivered.wanted)
        for kind, mark in conversation.marks.items():
            if _is_due(mark) and not mark.asking and self._current is not None:
                self._send_receipt(conversation, kind, mark)

    def _send_receipt(self, conversation: _Conversation, kind: ReceiptKind, mark: _Mark) -> None:
        mark.asking = True
        seq = mark.wanted

        def done(*_: object) -> None:
            mark.asking = False
            mark.confirmed = max(mark.confirmed, seq)
            self._touch(conversation)

        def lost() -> None:
            mark.asking = False
            self._touch(conversation)

        frame: Frame = {"action": "receipt", "peer": conversation.peer, "kind": kind, "seq": seq}
        self._ask(_Request(self._request_id("receipt-"), frame, "ack", done, done, lost))

    def _on_receipt(self, frame: Frame) -> None:
        sender, kind = _string(frame, "from"), _receipt_kind(frame)
        peer, seq, ts = _string(frame, "peer"), _number(frame, "seq"), _number(frame, "ts")
        conversation = self._conversations.get(peer if sender == self.user else sender)
        if conversation is None:
            self._needs_sync = True
            return
        if sender == self.user:
            mark = conversation.marks[kind]
            mark.confirmed = max(mark.confirmed, seq)
        self._move_mark(conversation, sender, kind, seq, ts=ts, is_news=True)

    def _move_mark(
        self, conversation: _Conversation, sender: str, kind: ReceiptKind, seq: int, *, ts: int | None, is_news: bool
    ) -> None:
        if sender == self.user and kind == "delivered":
            return
        name = kind if sender == self.user else f"peer_{kind}"
        if seq > getattr(conversation, name):
            setattr(conversation, name, seq)
            if is_news:
                self._emit(Receipt(conversation.peer, sender, kind, seq, ts))

    # Typing and presence

    def typing(self, to: str, composing: bool = True) -> None:
        """Tells that the user composes, as often as the protocol allows. A hint: nothing is queued for it."""
        _check_user(to)
        now, last = self._clock(), self._composed.get(to)
        if self._current is None:
            return
        if composing and (last is None or now - last >= self._timing.composing_every):
            self._composed[to] = now
            self._timers.after(self._timing.composing_shown, lambda: self._forget_composed(to, now))
        elif composing or self._composed.pop(to, None) is None:
            return
        frame: Frame = {"action": "typing", "to": to, "state": "composing" if composing else "paused"}
        self._transmit(self._current, frame | {"id": self._request_id("typing-")})

    def _forget_composed(self, to: str, at: float) -> None:
        if self._composed.get(to) == at:
            del self._composed[to]

    def _on_typing(self, frame: Frame) -> None:
        self._show_composing(_string(frame, "from"), _string(frame, "state") == "composing")

    def _show_composing(self, peer: str, composing: bool) -> None:
        timer = self._composing.pop(peer, None)
        if timer:
            timer.cancel()
        if composing:
            shown = self._timing.composing_shown
            self._composing[peer] = self._timers.after(shown, lambda: self._show_composing(peer, False))
        if composing != (timer is not None):
            self._emit(Typing(peer, composing))

    def _learn_presence(self, frame: Frame) -> tuple[PresenceChange, ...]:
        users = tuple(_presence(user) for user in _objects(frame, "users"))
        for presence in users:
            known = self._presences.get(presence.user)
            if known is None or (presence.rev >= known.rev and presence != known):
                self._presences.pop(presence.user, None)
                self._presences[presence.user] = presence
                self._emit(presence)
        while len(self._presences) > MAX_KNOWN_PRESENCES:
            del self._presences[next(iter(self._presences))]
        return users

    # Questions of the application

    def ask_history(self, peer: str, before: int | None, limit: int) -> str:
        """Asks for older messages; the `Answer` under the returned id is a HistoryPage or Refused."""
        _check_user(peer)
        frame: Frame = {"action": "history", "peer": peer, "limit": min(limit, PAGE)}
        if before is not None:
            frame["before"] = before

        def page(reply: Frame) -> HistoryPage:
            messages = tuple(_message(one, self.user or "") for one in _objects(reply, "messages"))
            return HistoryPage(messages, reply.get("more") is True)

        return self._question("history", frame, page)

    def ask_presence(self, users: Iterable[str]) -> str:
        """Asks who is online; the `Answer` under the returned id is a tuple of PresenceChange or Refused."""
        names = list(dict.fromkeys(users))
        if not 1 <= len(names) <= MAX_PRESENCE_USERS:
            raise ValueError(f"ask for the presence of 1 to {MAX_PRESENCE_USERS} users at a time")
        for name in names:
            _check_user(name)
        return self._question("presence", {"action": "presence", "users": names}, self._learn_presence)

    def _question(
        self, expects: str, frame: Frame, read: Callable[[Frame], HistoryPage | tuple[PresenceChange, ...]]
    ) -> str:
        id = self._request_id("ask-")

        def reply(answer: Frame) -> None:
            self.effects.append(Answer(id, read(answer)))

        def refused(error: Refused) -> None:
            self.effects.append(Answer(id, error))

        self._ask(_Request(id, frame, expects, reply, refused))
        return id

    def forget_question(self, id: str) -> None:
        """Nobody waits for this answer any more."""
        self._cancel(id)

    @property
    def conversations(self) -> list[Conversation]:
        """The chat list, newest first."""
        listed = [one for one in self._conversations.values() if one.is_listed]
        return [_view(one) for one in sorted(listed, key=lambda one: (one.ts, one.peer), reverse=True)]

    def conversation(self, peer: str) -> Conversation | None:
        """The peer's line of the chat list; None if there is none."""
        found = self._conversations.get(peer)
        return _view(found) if found and found.is_listed else None

    # Events

    def next_event(self) -> Event | None:
        """The next event, or None. A message that was given out counts as told in `state`."""
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, Message) and (conversation := self._conversations.get(event.peer)):
            conversation.queued -= 1
            conversation.told = event.seq
        if self._is_pausing and len(self._events) <= MAX_EVENTS // 2:
            self._is_pausing = False
            for conversation in self._conversations.values():
                if self._is_behind(conversation):
                    self._touch(conversation)
            self._settle()
        return event

    def _emit(self, event: Event) -> None:
        # An application that reads no events must not fill the memory: hints are dropped, then all that is no message,
        # and messages are left at the server until it has caught up.
        if self._is_pausing and isinstance(event, Typing | PresenceChange | Receipt | Sent):
            return
        if len(self._events) >= 2 * MAX_EVENTS and not isinstance(event, Message | Expired):
            return
        self._events.append(event)
        if len(self._events) >= MAX_EVENTS:
            self._is_pausing = True

    # Saved state

    @property
    def state(self) -> State:
        """What another session has to know to go on behind the last event that was given out. JSON can carry it."""
        chats = [_saved(conversation) for conversation in self._conversations.values()]
        return {
            "version": STATE_VERSION,
            "user": self.user,
            "since": self._since,
            "has_forgotten": self._has_forgotten,
            "chats": chats,
            "failed": [asdict(event) for event in self._events if isinstance(event, Failed)],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        try:
            version = _number(state, "version")
            if version == STATE_VERSION:
                self.user, self._since = _optional_string(state, "user"), _optional_number(state, "since")
                self._has_forgotten = state.get("has_forgotten") is True
                self._conversations = {chat["peer"]: _restored(chat) for chat in _objects(state, "chats")}
                self._events.extend(map(_restored_failure, _objects(state, "failed") if "failed" in state else []))
        except (AttributeError, KeyError, TypeError, ValueError, _Malformed) as error:
            raise ValueError(f"this is not what an earlier `chat.state` returned, or it is damaged; {ANEW}") from error
        if version != STATE_VERSION:
            raise ValueError(
                f"this state is of version {version}, and this client knows version {STATE_VERSION} only;"
                f" use the client that saved it, or {ANEW}"
            )
        self._is_primed = self._since is not None


def _saved(conversation: _Conversation) -> State:
    return {
        "peer": conversation.peer,
        "seq": conversation.seen,
        "target": conversation.seq,
        "ts": conversation.ts,
        "last_from": conversation.last_from,
        "last_text": conversation.last_text,
        "read": conversation.read,
        "peer_read": conversation.peer_read,
        "peer_delivered": conversation.peer_delivered,
        "outbox": [_saved_outgoing(one) for one in conversation.outbox],
        "receipts": {kind: [mark.wanted, mark.confirmed] for kind, mark in conversation.marks.items()},
    }


def _saved_outgoing(outgoing: _Outgoing) -> State:
    found = outgoing.found and [outgoing.found.seq, outgoing.found.ts]
    return {"id": outgoing.id, "text": outgoing.text, "tried": outgoing.tried, "found": found}


def _restored_outgoing(peer: str, saved: Mapping[str, Any]) -> _Outgoing:
    outgoing = _Outgoing(_string(saved, "id"), _string(saved, "text"), saved.get("tried") is not False)
    if found := saved.get("found"):
        seq, ts = map(_whole, found)
        outgoing.found = Sent(outgoing.id, peer, seq, ts, delivered=None)
    return outgoing


def _restored_failure(saved: Mapping[str, Any]) -> Failed:
    id, peer = _string(saved, "id"), _string(saved, "peer")
    return Failed(id, peer, _string(saved, "code"), _string(saved, "message"))


def _restored(chat: Mapping[str, Any]) -> _Conversation:
    conversation = _Conversation(
        peer=_string(chat, "peer"),
        last=_optional_number(chat, "seq"),
        target=_number(chat, "target"),
        ts=_number(chat, "ts"),
        last_from=_optional_string(chat, "last_from"),
        last_text=_optional_string(chat, "last_text"),
        read=_number(chat, "read"),
        peer_read=_number(chat, "peer_read"),
        peer_delivered=_number(chat, "peer_delivered"),
    )
    conversation.outbox.extend(_restored_outgoing(conversation.peer, one) for one in _objects(chat, "outbox"))
    # The state may be older than what was sent since, so even what it calls untried may be stored.
    conversation.lookup = any(outgoing.found is None for outgoing in conversation.outbox)
    for kind in conversation.marks:
        wanted, confirmed = map(_whole, chat["receipts"][kind])
        conversation.marks[kind] = _Mark(wanted, confirmed)
    return conversation


def _is_first(conversation: _Conversation, id: str) -> bool:
    """Whether it is this message of ours that the others wait for."""
    return bool(conversation.outbox) and conversation.outbox[0].id == id


def _is_told(conversation: _Conversation, outgoing: _Outgoing) -> bool:
    """Whether the application has got it as a message, from the history, before its acknowledgement."""
    return outgoing.found is not None and outgoing.found.seq <= (conversation.seen or 0)


def _view(conversation: _Conversation) -> Conversation:
    return Conversation(
        peer=conversation.peer,
        seq=conversation.seq,
        ts=conversation.ts,
        unread=max(0, conversation.seq - conversation.read),
        read=conversation.read,
        peer_read=conversation.peer_read,
        peer_delivered=max(conversation.peer_delivered, conversation.peer_read),
        last_from=conversation.last_from,
        last_text=conversation.last_text,
        pending=tuple(Pending(one.id, one.text) for one in conversation.outbox if not _is_told(conversation, one)),
    )


# Reading frames


def _decode(text: str) -> Frame:
    if not text.strip():
        return {}
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Malformed from error
    if not isinstance(frame, dict):
        raise _Malformed
    return frame


def _string(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise _Malformed(name)
    return value


def _optional_string(frame: Mapping[str, Any], name: str) -> str | None:
    return None if frame.get(name) is None else _string(frame, name)


def _number(frame: Mapping[str, Any], name: str) -> int:
    return _whole(frame.get(name))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Malformed
    return value


def _optional_number(frame: Mapping[str, Any], name: str) -> int | None:
    return None if frame.get(name) is None else _number(frame, name)


def _clamped(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _objects(frame: Mapping[str, Any], name: str) -> list[Frame]:
    value = frame.get(name)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _Malformed(name)
    return value


def _receipt_kind(frame: Frame) -> ReceiptKind:
    match frame.get("kind"):
        case "delivered":
            return "delivered"
        case "read":
            return "read"
        case _:
            raise _Malformed("kind")


def _message(frame: Frame, user: str) -> Message:
    sender, to = _string(frame, "from"), _string(frame, "to")
    if user not in (sender, to):
        raise _Malformed("to")
    peer = to if sender == user else sender
    seq, id, text, ts = _number(frame, "seq"), _string(frame, "id"), _string(frame, "text"), _number(frame, "ts")
    return Message(peer, sender, to, seq, id, text, ts)


def _presence(frame: Frame) -> PresenceChange:
    user, online, rev = _string(frame, "user"), frame.get("online") is True, _number(frame, "rev")
    return PresenceChange(user, online, _optional_number(frame, "last_seen"), rev)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A chat as `sync` lists it."""

    peer: str
    seq: int
    ts: int
    read: int
    peer_read: int
    peer_delivered: int
    last_from: str | None
    last_text: str | None

    @classmethod
    def of(cls, frame: Frame) -> _Listed:
        last = frame.get("last")
        last_from, last_text = (
            (_string(last, "from"), _string(last, "text")) if isinstance(last, dict) else (None, None)
        )
        return cls(
            _string(frame, "peer"),
            _number(frame, "seq"),
            _number(frame, "ts"),
            _number(frame, "read"),
            _number(frame, "peer_read"),
            _number(frame, "peer_delivered"),
            last_from,
            last_text,
        )


# What the server could never take


def _check_user(user: str) -> None:
    if not USER_ID.fullmatch(user):
        raise ValueError(f"{user!r} is not a user id: {USER_ID_RULE}")


def _check_characters(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {name} holds half of a surrogate pair, which is not a character") from None


def _check_text(text: str, most: int) -> None:
    if not text:
        raise ValueError("the text of a message must not be empty")
    _check_characters(text, "text")
    size = len(text.encode())
    if size > most:
        raise ValueError(f"the text has {size} bytes of UTF-8; a message carries {most}")
    if len(json.dumps(text, ensure_ascii=False).encode()) > MAX_ESCAPED_TEXT_BYTES:
        raise ValueError(f"the text takes more than {MAX_ESCAPED_TEXT_BYTES} bytes of JSON: too much of it is escaped")


# The shell: asyncio and `websockets`


class _NotOpened(Exception):
    """A connection could not be made. `is_hopeless`: nor would it be by trying again, if it never was."""

    def __init__(self, reason: str, *, is_refused: bool = False, is_hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refused = is_refused
        self.is_hopeless = is_hopeless


class _Dialer:
    """Opens connections to one address, each with a freshly fetched token."""

    def __init__(self, url: str, token: Token, token_in: TokenPlace) -> None:
        self._url = _checked_url(url)
        self._token = token
        self._token_in = token_in
        self._refused_token: str | None = None

    async def open(self) -> ClientConnection:
        token = await self._fetch_token()
        if token is not None and token == self._refused_token and callable(self._token):
            raise _NotOpened("the server refused the token, and the function that fetches one returned it again")
        try:
            return await self._open(token)
        except InvalidStatus as error:
            status = error.response.status_code
            is_refused = status in (401, 403)
            if is_refused:
                self._refused_token = token
            raise _NotOpened(f"HTTP {status}", is_refused=is_refused, is_hopeless=status in (400, 404)) from None
        except OSError as error:
            raise _not_opened(error) from None
        except (WebSocketException, EOFError) as error:
            raise _NotOpened(f"the handshake failed ({type(error).__name__})") from None
        except ImportError as error:
            raise _NotOpened(str(error), is_hopeless=True) from None  # websockets names what a proxy needs
        except Exception as error:
            # By its kind alone: what it says may quote the token.
            _LOG.warning("opening a connection raised %s", type(error).__name__)
            raise _NotOpened(f"opening it raised {type(error).__name__}") from None

    async def _fetch_token(self) -> str | None:
        token = self._token
        if callable(token):
            try:
                fetched = token()
                token = await fetched if inspect.isawaitable(fetched) else fetched
            except ParleyError:
                raise
            except Exception as error:
                _LOG.warning("the function that fetches a token raised %s", type(error).__name__)
                raise _NotOpened(f"no token: the function that fetches one raised {type(error).__name__}") from error
        if token is not None and (not isinstance(token, str) or not VISIBLE_ASCII.fullmatch(token)):
            raise TokenRefused("The token is not a string of ASCII characters without spaces. Pass the token itself.")
        is_subprotocol = self._token_in == "subprotocol"  # noqa: S105
        if token is not None and is_subprotocol and not SUBPROTOCOL.fullmatch(token):
            raise TokenRefused("The token has characters that a subprotocol cannot carry. Pass the token itself.")
        return token

    async def _open(self, token: str | None) -> ClientConnection:
        url, headers, subprotocols = self._url, None, None
        if token is not None:
            match self._token_in:
                case "query":
                    url = _with_query(url, "token", token)
                case "header":
                    headers = {"Authorization": f"Bearer {token}"}
                case "subprotocol":
                    subprotocols = [Subprotocol("parley.v1"), Subprotocol(f"bearer.{token}")]
        return await open_websocket(
            url,
            additional_headers=headers,
            subprotocols=subprotocols,
            compression=None,  # API Gateway has none
            close_timeout=2,
            logger=_SOCKET_LOG,
            proxy=None if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1") else True,
        )


def _not_opened(error: OSError) -> _NotOpened:
    """What a person would say of the error."""
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return _NotOpened("the host name cannot be looked up")
        case socket.gaierror():
            return _NotOpened("the host name is not known", is_hopeless=True)
        case ssl.SSLCertVerificationError():
            return _NotOpened(
                f"the server's certificate is refused: {error.verify_message.rstrip('.')}", is_hopeless=True
            )
        case ssl.SSLError():
            what = (error.reason or "no reason given").replace("_", " ").lower()
            return _NotOpened(f"the TLS handshake failed ({what})", is_hopeless=True)
        case TimeoutError():
            return _NotOpened("no answer in time")
    # asyncio's own text quotes addresses, and is the only place of the numbers if there were several addresses.
    numbers = [error.errno] if error.errno else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
    reasons = dict.fromkeys(os.strerror(number) for number in numbers)
    return _NotOpened(", ".join(reason[:1].lower() + reason[1:] for reason in reasons) or "the connection broke")


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # as the look-up will
    except ValueError as error:
        raise BadUrl(f"The address is not a URL: {error}.") from None
    if parts.scheme in ("http", "https"):
        raise BadUrl(f"The address starts with {parts.scheme}://; a WebSocket's starts with wss:// (or ws://).")
    if parts.scheme not in ("ws", "wss") or not host:
        raise BadUrl("The address must be of the form wss://HOST/STAGE, as the deployment has printed it.")
    return urlunsplit(parts._replace(fragment=""))


def _with_query(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


class Chat:
    """One user's conversations, over whatever connections it takes. See the module's first lines for its use."""

    def __init__(self, session: Session, dialer: _Dialer, timing: Timing, timeout: float | None) -> None:
        self._session = session
        self._dialer = dialer
        self._timing = timing
        self._timeout = timeout
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._queues: dict[int, asyncio.Queue[str | None]] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._is_closed = False

    @classmethod
    def connect(
        cls,
        url: str,
        token: Token = None,
        *,
        token_in: TokenPlace = "query",  # noqa: S107
        state: Mapping[str, Any] | None = None,
        backlog: int = DEFAULT_BACKLOG,
        send_delivered: bool = True,
        timeout: float | None = 10,
        timing: Timing | None = None,
    ) -> Chat:
        """A chat, to be entered with `async with`.

        `token`: a string, or a function that fetches one; None where the deployment believes `?userId=` in the url.
        `token_in`: where the deployment wants it (`query`, `header` or `subprotocol`).
        `state`: what an earlier `chat.state` returned.
        `backlog`: how many of the latest messages of each conversation are told without a state, at most 100. With 0
        none are; `chats` has a preview of each, and `history` the rest.
        `send_delivered`: whether a `delivered` receipt is sent for what arrives.
        `timeout`: for how many seconds entering tries to connect before it raises Unreachable; and then, how long it
        waits for each next conversation or page of what was missed, all of which takes as long as it takes. With None
        it does not wait, and the chat starts offline.

        Raises BadUrl, or ValueError for a state that is damaged or another version's.
        """
        timing = timing or Timing()
        session = Session(
            state=state,
            backlog=backlog,
            send_delivered=send_delivered,
            can_renew_token=callable(token),
            timing=timing,
        )
        return cls(session, _Dialer(url, token, token_in), timing, timeout)

    # What an application uses

    @property
    def user(self) -> str | None:
        """Who the token speaks for; None before the first connection."""
        return self._session.user

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    @property
    def chats(self) -> list[Conversation]:
        """The chat list, newest first."""
        return self._session.conversations

    def chat_with(self, peer: str) -> Conversation | None:
        """The peer's line of the chat list; None if there is none."""
        return self._session.conversation(peer)

    @property
    def state(self) -> State:
        """What the next `connect` needs to go on behind the last event that was read. It holds unsent texts."""
        return self._session.state

    async def send(self, to: str, text: str, *, id: str | None = None) -> Sent:
        """Sends a message and waits until it is stored, over reconnects too.

        A wait that is cancelled leaves the message in the queue. Raises Refused if the server does not take it,
        ValueError if it could not.
        """
        self._check_open()
        answer = self._answer(self._session.post(to, text, id))
        sent: Sent = await answer
        return sent

    def post(self, to: str, text: str, *, id: str | None = None) -> str:
        """Queues a message, online or not, and returns its id, under which Sent or Failed will tell of it."""
        self._check_open()
        id = self._session.post(to, text, id)
        self._pump()
        return id

    def read(self, peer: str, seq: int | None = None) -> None:
        """Marks the conversation read, up to `seq` or up to the last message that was got from this chat."""
        self._check_open()
        self._session.read(peer, seq)
        self._pump()

    def typing(self, to: str, composing: bool = True) -> None:
        """Says that the user is composing; call it at every key. With False: no longer."""
        self._check_open()
        self._session.typing(to, composing)
        self._pump()

    async def history(self, peer: str, *, before: int | None = None, limit: int = DEFAULT_BACKLOG) -> HistoryPage:
        """Older messages: the latest before `before`, or the latest of all. At most 100."""
        self._check_open()
        page: HistoryPage = await self._ask(self._session.ask_history(peer, before, limit))
        return page

    async def presence(self, *users: str) -> tuple[PresenceChange, ...]:
        """Who of the users, at most 100, is online now."""
        self._check_open()
        presences: tuple[PresenceChange, ...] = await self._ask(self._session.ask_presence(users))
        return presences

    def __aiter__(self) -> Chat:
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises what has ended the chat for good, and stops when it was closed."""
        while True:
            event = self._session.next_event()
            if event is not None:
                self._pump()
                return event
            if self._session.failure:
                raise self._session.failure
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    async def __aenter__(self) -> Chat:
        self._session.start()
        self._pump()
        try:
            if self._timeout is not None:
                await self._first_connection(self._timeout)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. `state` stays readable."""
        if self._is_closed:
            return
        self._is_closed = True
        self._session.stop()
        self._pump()
        for link, task in self._tasks.items():
            if link not in self._queues:
                task.cancel()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=self._timing.close)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # How it is driven

    async def _first_connection(self, timeout: float) -> None:
        session, loop = self._session, asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout) as limit:
                progress = session.progress
                while not session.is_ready and not session.failure:
                    self._news.clear()
                    await self._news.wait()
                    if session.progress > progress:
                        progress = session.progress
                        limit.reschedule(loop.time() + timeout)
        if session.failure:
            raise session.failure
        if session.is_connected and not session.is_ready:
            raise Unreachable(f"There is a connection, but {session.waits_for} has not come in {timeout:g} s.")
        if not session.is_ready:
            raise _unreachable(session.last_reason)

    def _check_open(self) -> None:
        if self._session.failure:
            raise self._session.failure
        if self._is_closed:
            raise Closed("This chat is closed. Connect again, with its state.")

    def _answer(self, id: str) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[id] = future
        self._pump()
        return future

    async def _ask(self, id: str) -> Any:
        try:
            return await self._answer(id)
        finally:
            self._answers.pop(id, None)
            self._session.forget_question(id)

    def _pump(self) -> None:
        """Carries out what the session wants. Called after everything that it was told."""
        session = self._session
        while session.effects:
            match session.effects.popleft():
                case Open(link):
                    self._tasks[link] = asyncio.create_task(self._run(link))
                case Write(link, text):
                    self._queues[link].put_nowait(text)
                case Close(link):
                    self._queues[link].put_nowait(None)
                case Answer(id, value):
                    self._resolve(id, value)
        if self._is_closed or session.failure:
            self._give_up(session.failure or Closed("The chat was closed. What is unsent is in its state."))
        self._arm()
        self._news.set()

    def _resolve(self, id: str, value: object) -> None:
        future = self._answers.pop(id, None)
        if future is None or future.done():
            return
        if isinstance(value, ParleyError):
            future.set_exception(value)
        else:
            future.set_result(value)

    def _give_up(self, error: ParleyError) -> None:
        for id in list(self._answers):
            self._resolve(id, error)

    def _arm(self) -> None:
        deadline = self._session.deadline
        if deadline == self._deadline:
            return
        if self._timer:
            self._timer.cancel()
        self._timer, self._deadline = None, deadline
        if deadline is not None:
            delay = max(0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._deadline = None
        self._session.tick()
        self._pump()

    async def _run(self, link: int) -> None:
        """The life of one connection."""
        try:
            connection = await self._open(link)
            if connection:
                await self._serve(link, connection)
        finally:
            self._tasks.pop(link, None)
            self._queues.pop(link, None)

    async def _open(self, link: int) -> ClientConnection | None:
        try:
            async with asyncio.timeout(self._timing.open):
                return await self._dialer.open()
        except _NotOpened as error:
            self._not_opened(link, error)
        except TimeoutError:
            self._session.failed(link, "no answer in time")
        except ParleyError as error:
            self._session.fail(error)
        self._pump()
        return None

    def _not_opened(self, link: int, error: _NotOpened) -> None:
        if error.is_refused:
            self._session.refused(link, error.reason)
        elif error.is_hopeless and self._timeout is not None and not self._session.is_ready:
            self._session.fail(_unreachable(error.reason))
        else:
            self._session.failed(link, error.reason)

    async def _serve(self, link: int, connection: ClientConnection) -> None:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues[link] = queue
        self._session.opened(link)
        self._pump()
        writer = asyncio.create_task(_write(connection, queue))
        try:
            async for frame in connection:
                if isinstance(frame, str):
                    self._session.received(link, frame)
                    self._pump()
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await connection.close()
            self._session.closed(link, _close_reason(connection))
            self._pump()


def _unreachable(reason: str) -> Unreachable:
    return Unreachable(
        f"No connection could be made: {reason}. Check the address, the token, and that the server runs."
    )


def _close_reason(connection: ClientConnection) -> str:
    code = connection.close_code
    return "the connection broke" if code in (None, 1006) else f"the connection was closed ({code})"


async def _write(connection: ClientConnection, queue: asyncio.Queue[str | None]) -> None:
    """Sends what is queued, in order; None closes the connection."""
    with suppress(ConnectionClosed):
        while (text := await queue.get()) is not None:
            await connection.send(text)
    await connection.close()
