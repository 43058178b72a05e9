"""The operations that a backend invokes the backend function with: events to named tuples, results to JSON. No I/O.

`docs/backend.schema.json` says the same; where they differ, that is a bug. What a frame can ask for too has the fields
of that frame, and those of `protocol` are the results: an operation adds `user`, as whom it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from chat.protocol import (
    DEFAULT_PAGE,
    MAX_PAGE,
    Chat,
    ChatError,
    Cursor,
    ErrorCode,
    Frame,
    History,
    Message,
    Presence,
    Request,
    Send,
    Unsend,
    chat_fields,
    is_user_id,
    request_in,
)
from chat.table import Item

C = TypeVar("C", Cursor, "LogCursor")

MAX_BATCH = 100
"""Messages of one batch: at some 40 ms each when warm, well within the function's time."""

_BAD_NEXT = "the field 'next' must be what the page before returned as 'next'"

MAX_BAR_MINUTES = 366 * 24 * 60
"""Of a bar: about a year. To keep a user out for good, issue no token."""


class SendAs(NamedTuple):
    user: str
    request: Send


class SendBatch(NamedTuple):
    """The messages are not parsed yet: each that cannot be read gets an error of its own."""

    user: str
    messages: Sequence[object]


class HistoryOf(NamedTuple):
    user: str
    request: History


class ChatsOf(NamedTuple):
    user: str
    limit: int
    next: Cursor | None


class UnreadOf(NamedTuple):
    user: str


class UnsendAs(NamedTuple):
    user: str
    request: Unsend


class Kick(NamedTuple):
    user: str


class Bar(NamedTuple):
    user: str
    minutes: int


class LogCursor(NamedTuple):
    """Where the next page of a user's messages starts: at this sort key of the log with the peer. An export begins with
    the user's own items, for which the peer is empty."""

    peer: str
    sk: str

    def encode(self) -> str:
        return f"{self.peer} {self.sk}"

    @classmethod
    def decode(cls, value: str) -> LogCursor:
        peer, _, sk = value.partition(" ")
        if not sk or not sk.isascii() or (peer and not is_user_id(peer)):
            raise ValueError("not a cursor")
        return cls(peer, sk)


class Export(NamedTuple):
    user: str
    next: LogCursor | None


class Erase(NamedTuple):
    user: str
    next: LogCursor | None


Silent = HistoryOf | ChatsOf | UnreadOf | Presence | Kick | Bar | Export | Erase
"""Operations that push no message."""

Single = SendAs | UnsendAs | Silent
Operation = Single | SendBatch

ACTION_OF: Mapping[type[Operation], str] = {
    SendAs: "send",
    SendBatch: "send_batch",
    HistoryOf: "history",
    ChatsOf: "chats",
    UnreadOf: "unread",
    Presence: "presence",
    UnsendAs: "unsend",
    Kick: "kick",
    Bar: "bar",
    Export: "export",
    Erase: "erase",
}
ACTIONS = tuple(ACTION_OF.values())


def operation_in(event: object) -> Operation:
    """The operation in an event. Raises ChatError (`bad_request`, `unknown_action`, `payload_too_large`)."""
    if not isinstance(event, dict):
        raise _bad("the event is not a JSON object")
    return _operation(event)


def _operation(event: dict[str, object]) -> Operation:
    match event.get("action"):
        case "send":
            return SendAs(_user(event), send_in(event))
        case "send_batch":
            return SendBatch(_user(event), _messages(event))
        case "history" | "unsend":
            return _as_user(_user(event), request_in(event))
        case "chats":
            return ChatsOf(_user(event), _limit(event), _next(event, Cursor.decode))
        case "unread":
            return UnreadOf(_user(event))
        case "presence":
            return cast("Presence", request_in(event))
        case "kick":
            return Kick(_user(event))
        case "bar":
            return Bar(_user(event), _minutes(event))
        case "export" | "erase" as action:
            return _portion(action, _user(event), _next(event, LogCursor.decode))
        case action:
            raise _no_action(action)


def _portion(action: str, user: str, next: LogCursor | None) -> Export | Erase:
    if action == "export":
        return Export(user, next)
    if next is not None and not next.peer:
        raise _bad(_BAD_NEXT)
    return Erase(user, next)


def _as_user(user: str, request: Request) -> HistoryOf | UnsendAs:
    return HistoryOf(user, request) if isinstance(request, History) else UnsendAs(user, cast("Unsend", request))


def send_in(fields: object) -> Send:
    """A message to be sent. Raises ChatError.

    Its `id` is required here: an event is invoked again by the SDK, and by Lambda, and only the id tells that it is the
    same message. For the same reason each counts as a repeated one.
    """
    if not isinstance(fields, dict):
        raise _bad("a message is not a JSON object")
    request = cast("Send", request_in({**fields, "action": "send"}))
    if request.id is None:
        raise _bad("the field 'id' is missing; a message that is sent again with the same id is stored once")
    return request._replace(retry=True)


def _bad(message: str) -> ChatError:
    return ChatError(ErrorCode.BAD_REQUEST, message)


def _no_action(action: object) -> ChatError:
    known = ", ".join(ACTIONS)
    if not isinstance(action, str):
        return _bad(f"the field 'action' must be a string; it is one of {known}")
    return ChatError(ErrorCode.UNKNOWN_ACTION, f"no such action; the actions are {known}")


def _user(event: Mapping[str, object]) -> str:
    user = event.get("user")
    if not isinstance(user, str) or not is_user_id(user):
        raise _bad("the field 'user' must be a user id: 1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -")
    return user


def _messages(event: Mapping[str, object]) -> Sequence[object]:
    messages = event.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_BATCH:
        raise _bad(f"the field 'messages' must be a list of 1 to {MAX_BATCH} messages")
    return messages


def _minutes(event: Mapping[str, object]) -> int:
    minutes = event.get("minutes")
    # To Python, True is an int.
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MAX_BAR_MINUTES:
        raise _bad(f"the field 'minutes' must be a whole number from 0, which lets the user in, to {MAX_BAR_MINUTES}")
    return minutes


def _limit(event: Mapping[str, object]) -> int:
    limit = event.get("limit")
    if limit is None:
        return DEFAULT_PAGE
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PAGE:
        raise _bad(f"the field 'limit' must be a whole number from 1 to {MAX_PAGE}")
    return limit


def _next(event: Mapping[str, object], decode: Callable[[str], C]) -> C | None:
    value = event.get("next")
    if value is None:
        return None
    try:
        return decode(value if isinstance(value, str) else "")
    except ValueError:
        raise _bad(_BAD_NEXT) from None


def unread_in(chat: Chat) -> int:
    """How many messages are unread: those behind what the user has read. What the user sends moves that, too.

    Those that take others back are among them: only the log, which is not read here, tells them apart.
    """
    return max(0, chat.seq - chat.read)


def batch_result(results: Sequence[Frame]) -> Frame:
    return {"type": "batch", "results": list(results)}


def chats_result(user: str, chats: Sequence[Chat], previews: Mapping[str, Message], next: Cursor | None) -> Frame:
    fields = [{**chat_fields(chat, previews.get(chat.peer)), "unread": unread_in(chat)} for chat in chats]
    frame: Frame = {"type": "chats", "user": user, "chats": fields}
    return frame if next is None else {**frame, "next": next.encode()}


def unread_result(user: str, chats: Sequence[Chat]) -> Frame:
    by_chat = [{"peer": chat.peer, "unread": unread_in(chat), "read": chat.read} for chat in chats if unread_in(chat)]
    return {"type": "unread", "user": user, "total": sum(map(unread_in, chats)), "chats": by_chat}


def kick_result(user: str, *, closed: int, opening: int) -> Frame:
    """`opening` connections cannot be closed yet, since their handshakes are under way."""
    return {"type": "kick", "user": user, "closed": closed, "opening": opening}


def bar_result(user: str, *, until: int, closed: int, opening: int) -> Frame:
    """`until` is in milliseconds since the epoch."""
    return {"type": "bar", "user": user, "until": until, "closed": closed, "opening": opening}


def export_result(user: str, items: Sequence[Item], next: LogCursor | None) -> Frame:
    frame: Frame = {"type": "export", "user": user, "items": list(items)}
    return frame if next is None else {**frame, "next": next.encode()}


def erase_result(user: str, *, messages: int, chats: int, next: LogCursor | None) -> Frame:
    frame: Frame = {"type": "erase", "user": user, "messages": messages, "chats": chats}
    return frame if next is None else {**frame, "next": next.encode()}
