"""The chat, for a product's backend: it speaks as any user, reads, and administers. AWS's own credentials are its key.

    from parley.backend import Backend

    chat = Backend("arn:aws:lambda:eu-central-1:123456789012:function:...")
    chat.send("shop", "alice", "your parcel has left", id="order-17-sent")

It invokes the backend function of a deployment through Lambda's API, and requires boto3: `parley-client[aws]`. The
stack's outputs name the function, and the policy that lets a role invoke it. Every call waits for its result.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import boto3
from botocore.config import Config

from .data import Data
from .errors import ParleyError
from .events import HistoryPage, PresenceChange
from .frames import DEFAULT_TEXT_BYTES, check_content, check_id, check_user, check_users, message_of

CONFIG = Config(connect_timeout=5, read_timeout=40, retries={"mode": "standard", "total_max_attempts": 3})
"""The function may take 30 s. The SDK's further tries are safe: a message has its id, the rest is the same twice."""

TRIES = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
AGAIN_SECONDS = 1.0
"""Between two tries to end a connection that is still opening, for a minute at most."""

MAX_BATCH = 100
ERASING_MINUTES = 60
"""For how long a user that is erased is kept out, while it lasts."""


class BackendError(ParleyError):
    """An operation was refused, or failed; `code` is stable. If it is `temporary`, the same one may succeed later."""

    def __init__(self, code: str, message: str, *, temporary: bool, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.temporary = temporary
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is to be sent. Sent again with the same id within ten minutes, it is stored once."""

    to: str
    text: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    data: Data | None = field(default=None, hash=False)
    """Beside the text, or instead of it: at most 2 KiB of JSON, without fractions."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message is stored, or was already: `duplicate`. `ts` is in milliseconds since the epoch.

    `delivered` counts the devices of the recipient that took it at once; it is 0 too if the sender may not know.
    `expires` is in milliseconds since the epoch, too.
    """

    to: str
    id: str
    seq: int
    ts: int
    duplicate: bool
    delivered: int
    expires: int | None = None


BatchResult: TypeAlias = Stored | BackendError


@dataclass(frozen=True, slots=True)
class UserChat:
    """A line of a chat list. `ts`, `expires` and what is `last_` are of its last message; its text may be cut."""

    peer: str
    seq: int
    ts: int
    unread: int
    read: int
    peer_read: int
    peer_delivered: int
    blocked: bool
    last_from: str | None
    last_text: str | None
    last_has_data: bool = False
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """How many messages a user has not read, in total and by peer; chats without are left out."""

    total: int
    by_peer: dict[str, int]


@dataclass(frozen=True, slots=True)
class Barred:
    """How many connections were closed, and when the user is let in again, in milliseconds since the epoch."""

    closed: int
    until: int


@dataclass(frozen=True, slots=True)
class Erased:
    """How many messages have become tombstones, and how many chats are gone."""

    messages: int
    chats: int


class Backend:
    """The backend function of a deployment, by its name or ARN: the output `BackendFunction` of the stack.

    `client` is a client of boto3 for Lambda; without one, it is made from the environment. Each method raises
    BackendError, after some tries if it is temporary, and what boto3 raises if the function cannot be invoked.
    """

    def __init__(self, function: str, *, client: Any = None) -> None:
        self._function = function
        self._client = client or boto3.client("lambda", config=CONFIG)

    def send(self, user: str, to: str, text: str = "", *, data: Data | None = None, id: str | None = None) -> Stored:
        """Sends a message as the user. Give it an `id` of your own if your code itself may send it again.

        Raises ValueError, before anything is sent, for what the function could never take.
        """
        outgoing = Outgoing(to, text, data=data) if id is None else Outgoing(to, text, id, data)
        check_user(user)
        _check(outgoing)
        return _stored(self._ask("send", user=user, **asdict(outgoing)))

    def send_batch(self, user: str, messages: Sequence[Outgoing]) -> list[BatchResult]:
        """Sends up to 100 messages as the user; what became of each, in their order. A failed one fails no other.

        One that the function could never take is not sent: its result is the BackendError `bad_request`.
        """
        check_user(user)
        if not 1 <= len(messages) <= MAX_BATCH:
            raise ValueError(f"a batch has 1 to {MAX_BATCH} messages, not {len(messages)}")
        results: dict[int, BatchResult] = {at: bad for at, one in enumerate(messages) if (bad := _refusal(one))}
        left = {at: one for at, one in enumerate(messages) if at not in results}
        for attempt in range(TRIES if left else 0):
            found = self._ask("send_batch", user=user, messages=[asdict(message) for message in left.values()])
            results |= {at: _batch_result(one) for at, one in zip(left, found["results"], strict=True)}
            left = {at: messages[at] for at in left if _is_temporary(results[at])}
            if not left or attempt == TRIES - 1:
                break
            waits = [error.retry_after_ms for at in left if isinstance(error := results[at], BackendError)]
            _pause(attempt, max((wait for wait in waits if wait is not None), default=None))
        return [results[at] for at in range(len(messages))]

    def history(
        self, user: str, peer: str, *, after: int | None = None, before: int | None = None, limit: int | None = None
    ) -> HistoryPage:
        """A page of a conversation as the user sees it: behind or before a number, or the newest of it."""
        page = self._ask("history", user=user, peer=peer, after=after, before=before, limit=limit)
        return HistoryPage(tuple(message_of(one, peer) for one in page["messages"]), page["more"])

    def chats(self, user: str) -> Iterator[UserChat]:
        """The user's chats, the latest first. Further pages are asked for as they are needed."""
        for page in self._pages("chats", user=user, limit=100):
            yield from map(_chat, page["chats"])

    def unread(self, user: str) -> Unread:
        unread = self._ask("unread", user=user)
        return Unread(unread["total"], {chat["peer"]: chat["unread"] for chat in unread["chats"]})

    def presence(self, users: Collection[str]) -> dict[str, PresenceChange]:
        """Who of up to 100 users is online, whoever may see it, by user."""
        check_users(users)
        told = self._ask("presence", users=list(users))["users"]
        return {one["user"]: PresenceChange(one["user"], one["online"], one["last_seen"], one["rev"]) for one in told}

    def unsend(self, user: str, peer: str, seq: int) -> int:
        """Takes a message of the user's back: its text is gone everywhere. The number of the message that says so."""
        return int(self._ask("unsend", user=user, peer=peer, seq=seq)["seq"])

    def kick(self, user: str) -> int:
        """Ends all connections of the user, which may connect again; how many there were."""
        return self._end("kick", user=user)[0]

    def bar(self, user: str, minutes: int) -> Barred:
        """Ends all connections of the user and lets it in again after so long; 0 lets it in at once."""
        closed, last = self._end("bar", user=user, minutes=minutes)
        return Barred(closed, last["until"])

    def export(self, user: str) -> Iterator[dict[str, str | int]]:
        """All that is kept of the user, item by item, as it is in the table."""
        for page in self._pages("export", user=user):
            yield from page["items"]

    def erase(self, user: str) -> Iterator[Erased]:
        """Erases the user, portion by portion, as they are asked for: what each came to. The user is barred meanwhile.

        Its messages are tombstones then, and nothing else is kept of it; what others have written stays. It may end
        anywhere, and be begun again.
        """
        self.bar(user, ERASING_MINUTES)
        for page in self._pages("erase", user=user):
            yield Erased(page["messages"], page["chats"])

    def _end(self, action: str, **fields: object) -> tuple[int, dict[str, Any]]:
        """Ends connections, those too that are still opening: until they are open, nothing can end them."""
        ended = self._ask(action, **fields)
        closed = ended["closed"]
        for _ in range(60):
            if not ended["opening"]:
                break
            time.sleep(AGAIN_SECONDS)
            ended = self._ask(action, **fields)
            closed = max(closed, ended["closed"])
        return closed, ended

    def _pages(self, action: str, **fields: object) -> Iterator[dict[str, Any]]:
        page = self._ask(action, **fields)
        yield page
        while "next" in page:
            page = self._ask(action, **fields, next=page["next"])
            yield page

    def _ask(self, action: str, **fields: object) -> dict[str, Any]:
        for attempt in range(TRIES):
            try:
                return self._invoke({"action": action, **fields})
            except BackendError as error:
                if not error.temporary or attempt == TRIES - 1:
                    raise
                _pause(attempt, error.retry_after_ms)
        raise AssertionError("unreachable")

    def _invoke(self, event: dict[str, object]) -> dict[str, Any]:
        payload = json.dumps(event, allow_nan=False).encode()  # Lambda's API takes nothing else
        response = self._client.invoke(FunctionName=self._function, Payload=payload)
        result = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            # It had no time to answer, or could not be loaded. What that says may quote the event.
            raise BackendError("internal", "the backend function did not answer; see its log", temporary=True)
        if result.get("type") == "error":
            raise _error(result)
        return dict(result)


def _check(outgoing: Outgoing) -> None:
    """Raises ValueError, with advice, if the function could never take the message, or JSON would change its data."""
    check_user(outgoing.to)
    check_content(outgoing.text, outgoing.data, DEFAULT_TEXT_BYTES)
    check_id(outgoing.id)


def _refusal(outgoing: Outgoing) -> BackendError | None:
    try:
        _check(outgoing)
    except ValueError as problem:
        return BackendError("bad_request", str(problem), temporary=False)
    return None


def _pause(attempt: int, retry_after_ms: int | None) -> None:
    asked = 0.0 if retry_after_ms is None else retry_after_ms / 1_000
    time.sleep(min(LONGEST_PAUSE_SECONDS, max(asked, FIRST_PAUSE_SECONDS * 2**attempt)))


def _is_temporary(result: BatchResult) -> bool:
    return isinstance(result, BackendError) and result.temporary


def _batch_result(result: dict[str, Any]) -> BatchResult:
    return _error(result) if result["type"] == "error" else _stored(result)


def _error(result: dict[str, Any]) -> BackendError:
    return BackendError(
        result["code"],
        result["message"],
        temporary=result["temporary"],
        retry_after_ms=result.get("retry_after_ms"),
    )


def _stored(ack: dict[str, Any]) -> Stored:
    return Stored(ack["to"], ack["id"], ack["seq"], ack["ts"], ack["duplicate"], ack["delivered"], ack.get("expires"))


def _chat(one: dict[str, Any]) -> UserChat:
    last = one.get("last", {})
    return UserChat(
        peer=one["peer"],
        seq=one["seq"],
        ts=one["ts"],
        unread=one["unread"],
        read=one["read"],
        peer_read=one["peer_read"],
        peer_delivered=one["peer_delivered"],
        blocked=one.get("blocked", False),
        last_from=last.get("from"),
        last_text=last.get("text"),
        last_has_data=last.get("has_data", False),
        expires=one.get("expires"),
    )
