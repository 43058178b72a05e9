"""Frames and limits of docs/protocol.md: text to checked frames and back, and what the server could never accept.

A frame is checked here, before any rule sees it, so that no rule can meet a field of the wrong type half way.

Differs from frames.js: a time must also be within what Python's `datetime` can show, in every time zone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from .data import Data, encode_data, is_data
from .events import Message, PresenceChange, ReceiptKind

Frame: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[object], bool]
Shape: TypeAlias = dict[str, Check]

PAGE = 100
"""Chats in a page of `sync`, messages in a page of `history`: the most that the server gives."""

DEFAULT_BACKLOG = 50
DEFAULT_TEXT_BYTES = 8 * 1024
MAX_ESCAPED_TEXT_BYTES = 30_000  # as JSON, with the data; API Gateway ends a connection for a frame over 32 KiB

MAX_ID_LENGTH = 64
MAX_PRESENCE_USERS = 100
MAX_WHOLE = 2**53 - 1  # what JSON numbers hold exactly in every language
MAX_MOMENT = 253_402_128_000_000  # milliseconds: 9999-12-30, so that no time zone moves it out of `datetime`

OWN_ID = re.compile(r"(sync|history|receipt|typing|ask)-[0-9]+")
USER_ID = re.compile(r"[A-Za-z0-9_.@:|+=-]{1,128}")
USER_ID_RULE = "1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -"


# Shapes. Fields that are not named are free.


def string(value: object) -> bool:
    return isinstance(value, str)


def integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def boolean(value: object) -> bool:
    return isinstance(value, bool)


def whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE


def moment(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_MOMENT


def positive(value: object) -> bool:
    return whole(value) and value > 0  # type: ignore[operator]


def receipt_kind(value: object) -> bool:
    return value in ("delivered", "read")


def optional(check: Check) -> Check:
    """The field may be absent or null."""
    return lambda value: value is None or check(value)


def shaped(shape: Shape) -> Check:
    return lambda value: isinstance(value, dict) and all(check(value.get(name)) for name, check in shape.items())


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


_UNSENT: Shape = {"unsent": optional(moment), "unsends": optional(whole)}
_MESSAGE: Shape = {
    "from": string,
    "to": string,
    "seq": whole,
    "id": string,
    "text": string,
    "data": optional(is_data),
    "ts": moment,
    "expires": optional(positive),
    **_UNSENT,
}
_CHAT: Shape = {
    "peer": string,
    "seq": whole,
    "ts": moment,
    "read": whole,
    "peer_read": whole,
    "peer_delivered": whole,
    "expires": optional(positive),
    "wrote": optional(whole),
    "blocked": optional(boolean),
    "last": optional(shaped({"from": string, "text": string, "has_data": optional(boolean), **_UNSENT})),
}
_PRESENCE: Shape = {"user": string, "rev": whole, "last_seen": optional(moment)}
_PRESENCES = list_of(shaped(_PRESENCE))
_SYNC: Shape = {
    "user": string,
    "epoch": optional(string),
    "chats": list_of(shaped(_CHAT)),
    "presence": optional(_PRESENCES),
    "server_time": moment,
    "heartbeat_ms": optional(integer),
    "max_text_bytes": optional(integer),
}
_ACK: Shape = {
    "seq": whole,
    "ts": optional(moment),
    "expires": optional(positive),
    "delivered": optional(whole),
    "unsends": optional(whole),
}
_SHAPES: dict[str, Check] = {
    "message": shaped(_MESSAGE),
    "receipt": shaped({"from": string, "peer": string, "kind": receipt_kind, "seq": whole, "ts": moment}),
    "typing": shaped({"from": string, "state": string}),
    "presence": shaped({"users": _PRESENCES}),
    "sync": shaped(_SYNC),
    "history": shaped({"messages": list_of(shaped(_MESSAGE))}),
    "ack": shaped(_ACK),
    "block": shaped({"user": string, "blocked": boolean}),
    "error": shaped({"code": string}),
    "close": shaped({"code": string, "message": optional(string)}),
}


def _no_json(constant: str) -> float:
    """`NaN` and its like, which Python reads by default."""
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> int | float:
    """5.0 and 5 are the same number in JSON, and in JavaScript."""
    number = float(text)
    return int(number) if number.is_integer() else number


_JSON = json.JSONDecoder(parse_float=_number, parse_constant=_no_json)


def parse(text: str, user: str | None) -> Frame | None:
    """The frame in a text, checked; None if it does not follow the protocol. API Gateway's own have no `type`.

    Once it is known who the user is, messages between others are not taken for frames either.
    """
    try:
        frame = _JSON.decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not frame:
        return None
    if "type" not in frame:
        return frame
    check = _SHAPES.get(frame["type"]) if isinstance(frame["type"], str) else None
    return frame if check and check(frame) and (user is None or _is_for(user, frame)) else None


def _is_for(user: str, frame: Frame) -> bool:
    match frame:
        case {"type": "message"}:
            messages = [frame]
        case {"type": "history"}:
            messages = frame["messages"]
        case _:
            messages = []
    return all(user in (message["from"], message["to"]) for message in messages)


def is_reply(question: Frame, frame: Frame) -> bool:
    """Whether the frame, under the question's id, is what the question is answered with."""
    match question["action"], frame["type"]:
        case "send", "ack":
            return frame.get("ts") is not None
        case "unsend", "ack":
            return frame.get("ts") is not None and frame.get("unsends") == question["seq"]
        case "history", "history":
            peer = question["peer"]
            return all(peer in (message["from"], message["to"]) for message in frame["messages"])
        case ("block" | "unblock", "block"):
            return bool(frame["user"] == question["user"])
        case ("receipt", "ack") | ("sync", "sync") | ("presence", "presence"):
            return True
        case _:
            return False


def peer_of(message: Frame, user: str) -> str:
    """The other side of the conversation that a message of the user's belongs to."""
    return str(message["to"] if message["from"] == user else message["from"])


def message_of(frame: Frame, peer: str) -> Message:
    is_unsent, unsends = bool(frame.get("unsent")), frame.get("unsends") or 0
    text, data = ("", None) if is_unsent or unsends else (frame["text"], frame.get("data"))
    head = (peer, frame["from"], frame["to"], frame["seq"], frame["id"], text, frame["ts"])
    return Message(*head, is_unsent, unsends, data, frame.get("expires") or 0)


def page_of(frame: Frame, peer: str) -> list[Message]:
    """The messages of a page of `history`, oldest first."""
    return sorted((message_of(item, peer) for item in frame["messages"]), key=lambda item: item.seq)


def presences(users: list[Frame]) -> tuple[PresenceChange, ...]:
    return tuple(
        PresenceChange(user["user"], user.get("online") is True, user.get("last_seen"), user["rev"]) for user in users
    )


# What a client asks


def encode(frame: Frame) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def sync(since: int | None, next: str | None, presence: list[str] | int | None) -> Frame:
    return {"action": "sync", "limit": PAGE} | _given(since=since, next=next, presence=presence)


def history(peer: str, limit: int, *, after: int | None = None, before: int | None = None) -> Frame:
    return {"action": "history", "peer": peer} | _given(after=after, before=before) | {"limit": limit}


RETRY: Frame = {"retry": True}
"""What a `send` has, of which a frame may have left before."""


def send(to: str, text: str, data: Data | None, *, was_tried: bool) -> Frame:
    return {"action": "send", "to": to, "text": text} | _given(data=data) | (RETRY if was_tried else {})


def receipt(peer: str, kind: ReceiptKind, seq: int) -> Frame:
    return {"action": "receipt", "peer": peer, "kind": kind, "seq": seq}


def typing(to: str, composing: bool) -> Frame:
    return {"action": "typing", "to": to, "state": "composing" if composing else "paused"}


def presence(users: Iterable[str]) -> Frame:
    return {"action": "presence", "users": list(users)}


def block(user: str, blocked: bool) -> Frame:
    return {"action": "block" if blocked else "unblock", "user": user}


def unsend(peer: str, seq: int) -> Frame:
    return {"action": "unsend", "peer": peer, "seq": seq}


def _given(**fields: object) -> Frame:
    return {name: value for name, value in fields.items() if value is not None}


# What the server could never accept. Each raises ValueError with advice.


def check_user(user: str) -> None:
    if not isinstance(user, str) or not USER_ID.fullmatch(user):
        raise ValueError(f"{user!r} is not a valid user id: use {USER_ID_RULE}")


def check_content(text: str, data: Data | None, most: int) -> None:
    """The text and the data of a message, of which it has one at least. `most` is of the text, in bytes of UTF-8."""
    encoded = "" if data is None else encode_data(data)
    if not isinstance(text, str) or not (text or encoded):
        raise ValueError("the text of a message must be a string that is not empty")
    _check_characters(text, "text")
    size = len(text.encode())
    if size > most:
        over = _characters_over(text, size - most)
        too_long = f"the message is {over:,} character{'' if over == 1 else 's'} too long"
        raise ValueError(f"{too_long}: it has {size} bytes of UTF-8, and the limit is {most}")
    if len((json.dumps(text, ensure_ascii=False) + encoded).encode()) > MAX_ESCAPED_TEXT_BYTES:
        raise ValueError(
            f"the text takes more than {MAX_ESCAPED_TEXT_BYTES} bytes as JSON: too many characters need escaping"
        )


def _characters_over(text: str, over: int) -> int:
    """How many characters at its end have to go: the limit is one of bytes, but people count characters."""
    count = 0
    while over > 0:
        count += 1
        over -= len(text[-count].encode())
    return count


def check_users(users: Iterable[str]) -> None:
    """Several users. A string is a list of its letters to Python, and to its types."""
    if isinstance(users, str):
        raise ValueError(f"give the users as a list, like [{users!r}], not as a string")


def check_id(id: str) -> None:
    """A message's id of the application's own choice."""
    if not isinstance(id, str) or not 1 <= len(id) <= MAX_ID_LENGTH:
        raise ValueError(f"the id of a message must be a string of 1 to {MAX_ID_LENGTH} characters")
    _check_characters(id, "id")


def check_not_own(id: str) -> None:
    """An id that this client would take for one of its own requests."""
    if OWN_ID.fullmatch(id):
        raise ValueError("this client uses ids of this form for its own requests; give each message its own id")


def _check_characters(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {name} contains a lone surrogate, which is not a character") from None
