"""The wire protocol: frames to named tuples and back, limits and error codes. No I/O, no import of ours.

`docs/protocol.md` says the same in prose; where they differ, that is a bug.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Frame = dict[str, object]

MAX_FRAME_BYTES = 32_000
"""Of a frame that the server sends: below API Gateway's 32 KiB, so it is billed as one message."""

MAX_TEXT_BYTES = 8 * 1024
"""Of a message's text, in UTF-8."""

MAX_ESCAPED_TEXT_BYTES = 30_000
"""Of a text in JSON, together with its data. A control character takes six bytes there, so a text of 8 KiB may need
48 KiB. The rest of a frame (three user ids, two frame ids, names and numbers) stays below 2,000 bytes."""

MAX_DATA_BYTES = 2 * 1024
"""Of a message's data, in UTF-8, as compact JSON."""

MAX_DATA_DEPTH = 32
"""Nesting of objects and lists, the data itself included: as deep as a document in DynamoDB may be, in case a product
stores the data there. Every parser in use accepts this depth."""

PAGE_ROOM = 30_500
"""Bytes for the messages or chats of one reply: what MAX_FRAME_BYTES leaves beside its other fields."""

MAX_ID_LENGTH = 64
MAX_PRESENCE_USERS = 100  # BatchGetItem takes at most 100 keys
MAX_PAGE = 100  # chats or messages; the same limit of BatchGetItem holds for the previews
DEFAULT_PAGE = 50  # the first of a chat list; later ones have no previews, and so 100 chats
MAX_CHAT_BYTES = 512  # a chat without a preview, as JSON: the longest id, and nine numbers
PREVIEW_LENGTH = 200  # characters of a last message in a chat list
HEARTBEAT_MS = 270_000  # 4.5 minutes; API Gateway ends a connection after 10 idle minutes
MAX_INTEGER = 2**53 - 1  # what JSON carries exactly between languages (RFC 8259, section 6)

_JOINER = "\N{ZERO WIDTH JOINER}"
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))  # the letters that flags are made of, two each
_BEHIND_EMOJI = re.compile(
    "[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)  # skin tones, and the letters of a region's flag

_USER_ID = re.compile(r"[A-Za-z0-9_.@:|+=-]{1,128}")


class ErrorCode(StrEnum):
    """Why a frame was refused; stable, for programs. The message beside it is for people."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_ACTION = "unknown_action"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    FORBIDDEN = "forbidden"
    INTERNAL = "internal"


TEMPORARY = frozenset({ErrorCode.TOO_MANY_REQUESTS, ErrorCode.INTERNAL})


class CloseCode(StrEnum):
    """Why the server ends a connection on purpose."""

    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    KICKED = "kicked"


STAY_AWAY_MS = 300_000
"""How long a device stays away after it made room for another: coming back at once, it would end the next one."""


class ChatError(Exception):
    """A frame that cannot be served; it becomes an error frame.

    `message` is shown to the client, so it names fields and limits, never the contents of a message.
    `id` is the frame's, where it could be read.
    """

    def __init__(
        self, code: ErrorCode, message: str, *, id: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.retry_after_ms = retry_after_ms


class Send(NamedTuple):
    """`data` is JSON, as `canonical` makes it; empty if there is none."""

    id: str | None
    to: str
    text: str
    retry: bool = False
    data: str = ""


class Sync(NamedTuple):
    """`presence` asks for presence, too: of these users, or of the peers of this many latest chats."""

    id: str | None
    since: int | None
    limit: int
    next: Cursor | None
    presence: tuple[str, ...] | int = ()


class History(NamedTuple):
    id: str | None
    peer: str
    after: int | None
    before: int | None
    limit: int


class ReceiptKind(StrEnum):
    DELIVERED = "delivered"
    READ = "read"


class Receipt(NamedTuple):
    id: str | None
    peer: str
    kind: ReceiptKind
    seq: int


class TypingState(StrEnum):
    COMPOSING = "composing"
    PAUSED = "paused"


class Typing(NamedTuple):
    id: str | None
    to: str
    state: TypingState


class Presence(NamedTuple):
    id: str | None
    users: tuple[str, ...]


class Ping(NamedTuple):
    id: str | None


class Block(NamedTuple):
    id: str | None
    user: str


class Unblock(NamedTuple):
    id: str | None
    user: str


class Unsend(NamedTuple):
    id: str | None
    peer: str
    seq: int


Request = Send | Sync | History | Receipt | Typing | Presence | Ping | Block | Unblock | Unsend


class Cursor(NamedTuple):
    """Where the next page of a chat list starts: without `ts` behind this peer, by the order of the peers backwards.

    With it behind this chat, newest first: of a backend's list, and of what an older version has begun.
    """

    ts: int | None
    peer: str

    def encode(self) -> str:
        return f"{'-' if self.ts is None else self.ts} {self.peer}"

    @classmethod
    def decode(cls, value: str) -> Cursor:
        ts, _, peer = value.partition(" ")
        if ts == "-" and is_user_id(peer):
            return cls(None, peer)
        if not (
            ts.isascii() and ts.isdigit() and len(ts) < MAX_ID_LENGTH and int(ts) <= MAX_INTEGER and is_user_id(peer)
        ):
            raise ValueError("not a cursor")
        return cls(int(ts), peer)


def is_user_id(value: object) -> bool:
    """Whether `value` is 1 to 128 characters of `A-Z a-z 0-9 _ . @ : | + = -`."""
    return isinstance(value, str) and _USER_ID.fullmatch(value) is not None


def encode(frame: Mapping[str, object]) -> str:
    """The frame as raw UTF-8 JSON: `\\u` escapes could triple its size, and its price."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def encoded_size(value: object) -> int:
    """Bytes that `value` takes on the wire."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def parse(body: str | None) -> Request:
    """The request in a frame.

    Raises ChatError (`bad_request`, `unknown_action`, `payload_too_large`), with the frame's id where it has one.
    """
    return request_in(_object(body))


def request_in(fields: Mapping[str, object]) -> Request:
    """The request in the fields of a frame. Raises ChatError, as `parse` does."""
    id = _id(fields)
    try:
        return _request(fields, id)
    except ChatError as error:
        error.id = id
        raise


def _object(body: str | None) -> dict[str, object]:
    try:
        fields = json.loads(body or "", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _bad("the frame is not JSON; send one JSON object, as text") from error
    if not isinstance(fields, dict):
        raise _bad("the frame is not a JSON object")
    return fields


def _refuse_constant(name: str) -> None:
    # json.loads takes NaN and Infinity, which are not JSON.
    raise ValueError(name)


def _request(fields: Mapping[str, object], id: str | None) -> Request:
    match fields.get("action"):
        case "send":
            text, data = _content(fields)
            return Send(id, _user(fields, "to"), text, _flag(fields, "retry"), data)
        case "sync":
            since, limit, next = _integer(fields, "since"), _integer(fields, "limit", 1, MAX_PAGE), _cursor(fields)
            return Sync(id, since, limit or (DEFAULT_PAGE if next is None else MAX_PAGE), next, _presence(fields))
        case "history":
            return _history(fields, id)
        case "receipt":
            peer, kind = _user(fields, "peer"), _choice(fields, "kind", ReceiptKind)
            return Receipt(id, peer, kind, _required(_integer(fields, "seq", 1), "seq"))
        case "typing":
            return Typing(id, _user(fields, "to"), _choice(fields, "state", TypingState))
        case "presence":
            return Presence(id, _users(fields, "users"))
        case "ping":
            return Ping(id)
        case "block" | "unblock" as action:
            return (Block if action == "block" else Unblock)(id, _user(fields, "user"))
        case "unsend":
            return Unsend(id, _user(fields, "peer"), _required(_integer(fields, "seq", 1), "seq"))
        case action:
            raise _no_action(action)


ACTION_OF: Mapping[type[Request], str] = {
    Send: "send",
    Sync: "sync",
    History: "history",
    Receipt: "receipt",
    Typing: "typing",
    Presence: "presence",
    Ping: "ping",
    Block: "block",
    Unblock: "unblock",
    Unsend: "unsend",
}
ACTIONS = tuple(ACTION_OF.values())
"""The actions of the protocol; each is a route of the WebSocket API."""


def _no_action(action: object) -> ChatError:
    known = ", ".join(ACTIONS)
    if action is None:
        return _bad(f"the field 'action' is missing; it is one of {known}")
    if not isinstance(action, str):
        return _bad(f"the field 'action' must be a string; it is one of {known}")
    return ChatError(ErrorCode.UNKNOWN_ACTION, f"no such action; the actions are {known}")


def _history(fields: Mapping[str, object], id: str | None) -> History:
    after, before = _integer(fields, "after"), _integer(fields, "before")
    if after is not None and before is not None:
        raise _bad("give 'after' or 'before' or neither, not both")
    return History(id, _user(fields, "peer"), after, before, _integer(fields, "limit", 1, MAX_PAGE) or DEFAULT_PAGE)


def _bad(message: str) -> ChatError:
    return ChatError(ErrorCode.BAD_REQUEST, message)


def _required(value: T | None, name: str) -> T:
    if value is None:
        raise _bad(f"the field '{name}' is missing")
    return value


def _id(fields: Mapping[str, object]) -> str | None:
    id = fields.get("id")
    if id is None:
        return None
    if not isinstance(id, str) or not 1 <= len(id) <= MAX_ID_LENGTH or not _is_unicode(id):
        raise _bad(f"the field 'id' must be a string of 1 to {MAX_ID_LENGTH} characters")
    return id


def _is_unicode(value: str) -> bool:
    # JSON can spell a lone surrogate ("\ud800"), which no UTF-8 frame can carry back.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _user(fields: Mapping[str, object], name: str) -> str:
    value = _required(fields.get(name), name)
    if not isinstance(value, str) or not is_user_id(value):
        raise _bad(f"the field '{name}' must be a user id: 1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -")
    return value


def _users(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    users = _required(fields.get(name), name)
    if not isinstance(users, list) or not 1 <= len(users) <= MAX_PRESENCE_USERS:
        raise _bad(f"the field '{name}' must be a list of 1 to {MAX_PRESENCE_USERS} user ids")
    if not all(is_user_id(user) for user in users):
        raise _bad(f"the field '{name}' contains something that is not a user id")
    return tuple(dict.fromkeys(users))  # a user named twice is answered once


def _presence(fields: Mapping[str, object]) -> tuple[str, ...] | int:
    match fields.get("presence"):
        case None:
            return ()
        case list():
            return _users(fields, "presence")
        case int():
            return _required(_integer(fields, "presence", 1, MAX_PRESENCE_USERS), "presence")
        case _:
            raise _bad(f"the field 'presence' must be a list of user ids, or a number from 1 to {MAX_PRESENCE_USERS}")


def _content(fields: Mapping[str, object]) -> tuple[str, str]:
    """The text and the data of a message, which has at least one of them."""
    data = "" if fields.get("data") is None else canonical(fields["data"])
    text = _text(fields, may_be_empty=bool(data))
    if encoded_size(text) + len(data.encode()) > MAX_ESCAPED_TEXT_BYTES:
        message = f"the text is over {MAX_ESCAPED_TEXT_BYTES} bytes of JSON, with its data: too much of it is escaped"
        raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, message)
    return text, data


def _text(fields: Mapping[str, object], *, may_be_empty: bool) -> str:
    text = fields.get("text")
    if text is None and may_be_empty:
        return ""
    text = _required(text, "text")
    if not isinstance(text, str) or not (text or may_be_empty):
        raise _bad("the field 'text' must be a string that is not empty")
    if not _is_unicode(text):
        raise _bad("the field 'text' contains a lone surrogate, which is not a character")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, f"the text is over {MAX_TEXT_BYTES} bytes of UTF-8")
    return text


def canonical(data: object) -> str:
    """Custom data as compact JSON with sorted keys, so that the same data is the same string.

    Only what Python, JavaScript and a table carry without loss, as Matrix has it in its canonical JSON: no fraction and
    no number beyond 2^53 - 1. Raises ChatError (`bad_request`, `payload_too_large`).
    """
    if not isinstance(data, dict) or not data:
        raise _bad("the field 'data' must be a JSON object that is not empty")
    _check_data(data, 1)
    encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if len(encoded.encode()) > MAX_DATA_BYTES:
        raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, f"the data is over {MAX_DATA_BYTES} bytes of JSON, in UTF-8")
    return encoded


def data_in(stored: str) -> str:
    """The stored data; empty if it is not valid data."""
    try:
        return canonical(json.loads(stored))
    except (ValueError, RecursionError, ChatError):
        return ""


def _check_data(value: object, depth: int) -> None:
    match value:
        case None | bool():
            return
        case str():
            _check_data_characters(value)
        case int() if abs(value) <= MAX_INTEGER:
            return
        case int() | float():
            raise _bad(
                f"a number in 'data' must be whole and at most {MAX_INTEGER}; write any other number as a string"
            )
        case dict() | list():
            if depth > MAX_DATA_DEPTH:
                raise _bad(f"the field 'data' has more than {MAX_DATA_DEPTH} nested objects and lists")
            for key in value if isinstance(value, dict) else ():
                _check_data_key(key)
            for inner in value.values() if isinstance(value, dict) else value:
                _check_data(inner, depth + 1)


def _check_data_key(key: str) -> None:
    _check_data_characters(key)
    if key == "__proto__":
        raise _bad("'data' holds the key '__proto__', which can change an object's prototype in JavaScript")


def _check_data_characters(value: str) -> None:
    if not _is_unicode(value):
        raise _bad("the field 'data' contains a lone surrogate, which is not a character")


def _integer(fields: Mapping[str, object], name: str, low: int = 0, high: int = MAX_INTEGER) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    # To Python, True is an int.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _bad(f"the field '{name}' must be a whole number from {low} to {high}")
    return value


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _bad(f"the field '{name}' must be true or false")
    return value is True


def _choice(fields: Mapping[str, object], name: str, choices: type[E]) -> E:
    value = _required(fields.get(name), name)
    for choice in choices:
        if choice == value:
            return choice
    raise _bad(f"the field '{name}' must be one of {', '.join(choices)}")


def _cursor(fields: Mapping[str, object]) -> Cursor | None:
    value = fields.get("next")
    if value is None:
        return None
    try:
        return Cursor.decode(value if isinstance(value, str) else "")
    except ValueError:
        raise _bad("the field 'next' must be what an earlier sync returned as 'next'") from None


class Message(NamedTuple):
    """One entry of a conversation's log. `ts` is in milliseconds since the epoch, `data` JSON, empty if there is none.

    `unsent` is when it was taken back: then its text and its data are gone. `unsends` is the number of the message that
    this one takes back: then it says nothing else. Each is 0 if there is nothing of the kind. `expires` is in
    milliseconds since the epoch, 0 if it is not known.
    """

    sender: str
    to: str
    seq: int
    id: str
    text: str
    ts: int
    unsent: int = 0
    unsends: int = 0
    data: str = ""
    expires: int = 0


class Chat(NamedTuple):
    """One user's view of a conversation: how far it goes, and how far each side has read and written.

    `blocked` is whether the user has blocked the peer. `instead` is what it is told of the peer's presence instead of
    how it is, and None if the two may see each other. `expires` is when the last message does, in milliseconds since
    the epoch; 0 if there is none.
    """

    peer: str
    seq: int
    ts: int
    changed: int
    read: int
    peer_read: int
    peer_delivered: int
    wrote: int
    peer_wrote: int
    blocked: bool
    instead: UserPresence | None
    expires: int = 0

    @property
    def acquainted(self) -> bool:
        """Whether the two may see each other."""
        return self.instead is None


class UserPresence(NamedTuple):
    """Whether a user has a live connection; a higher `rev` is newer.

    `last_seen` is in milliseconds since the epoch, None before the first connection. The defaults are what a user is
    that was never there.
    """

    user: str
    online: bool = False
    last_seen: int | None = None
    rev: int = 0


def message_frame(message: Message) -> Frame:
    return {"type": "message", **_message_fields(message)}


def _message_fields(message: Message) -> Frame:
    fields: Frame = {
        "from": message.sender,
        "to": message.to,
        "seq": message.seq,
        "id": message.id,
        "text": message.text,
        "ts": message.ts,
    }
    if message.data:
        fields["data"] = json.loads(message.data)
    return {**fields, **_expires_field(message), **_unsent_fields(message)}


def _expires_field(one: Message | Chat) -> Frame:
    return {"expires": one.expires} if one.expires else {}


def _unsent_fields(message: Message) -> Frame:
    """Nothing for nearly every message: one that neither is taken back nor takes another back."""
    fields: Frame = {}
    if message.unsent:
        fields["unsent"] = message.unsent
    if message.unsends:
        fields["unsends"] = message.unsends
    return fields


def send_ack(request: Send, message: Message, *, duplicate: bool, delivered: int) -> Frame:
    fields: Frame = {"to": message.to, "seq": message.seq, "ts": message.ts, **_expires_field(message)}
    return {**_reply("ack", request.id), **fields, "duplicate": duplicate, "delivered": delivered}


def unsend_ack(request: Unsend, message: Message, *, duplicate: bool) -> Frame:
    """`message` is the one that takes the other back."""
    fields: Frame = {"to": message.to, "seq": message.seq, "ts": message.ts, **_expires_field(message)}
    fields["unsends"] = message.unsends
    return {**_reply("ack", request.id), **fields, "duplicate": duplicate}


def sync_reply(
    request: Sync,
    user: str,
    chats: Sequence[Frame],
    *,
    next: Cursor | None,
    presence: Sequence[UserPresence] | None,
    server_time: int,
    epoch: str,
) -> Frame:
    frame: Frame = {**_reply("sync", request.id), "user": user, "epoch": epoch, "chats": list(chats)}
    if next is not None:
        frame["next"] = next.encode()
    if presence is not None:
        frame["presence"] = presence_fields(presence)
    return {**frame, "server_time": server_time, "heartbeat_ms": HEARTBEAT_MS, "max_text_bytes": MAX_TEXT_BYTES}


def chat_fields(chat: Chat, last: Message | None) -> Frame:
    """A chat as a `sync` reply has it, with the beginning of its last message if that is still stored."""
    fields: Frame = {
        "peer": chat.peer,
        "seq": chat.seq,
        "ts": chat.ts,
        "read": chat.read,
        "peer_read": chat.peer_read,
        "peer_delivered": chat.peer_delivered,
        "wrote": chat.wrote,
        "peer_wrote": chat.peer_wrote,
        **_expires_field(chat),
    }
    if chat.blocked:
        fields["blocked"] = True
    if last is not None:
        has_data = {"has_data": True} if last.data else {}
        fields["last"] = {"from": last.sender, "text": preview_of(last.text), **has_data, **_unsent_fields(last)}
    return fields


def preview_of(text: str) -> str:
    """The beginning of a text. If possible it does not end inside what people see as one character."""
    end = min(len(text), PREVIEW_LENGTH)
    while end and _is_inside(text, end):
        end -= 1
    return text[: end or PREVIEW_LENGTH]


def _is_inside(text: str, at: int) -> bool:
    """Whether the characters before and after this place are shown as one: accents, joined emoji, flags."""
    if at == len(text):
        return False
    import unicodedata  # noqa: PLC0415 - not at a cold start, since few texts are this long

    before, behind = text[at - 1], text[at]
    if _JOINER in (before, behind) or _BEHIND_EMOJI.match(behind):
        return True
    if before in _FLAGS and behind in _FLAGS:
        return (at - len(text[:at].rstrip(_FLAGS))) % 2 == 1
    return unicodedata.category(behind).startswith("M")


def history_reply(request: History, messages: Sequence[Message], *, more: bool) -> Frame:
    fields: Frame = {"peer": request.peer, "messages": [_message_fields(message) for message in messages]}
    return {**_reply("history", request.id), **fields, "more": more}


def fit(sizes: Sequence[int], room: int) -> int:
    """How many of the leading items, each with its comma, fit into `room` bytes; at least one, so that paging ends."""
    used = 0
    for count, size in enumerate(sizes):
        used += size + 1
        if used > room and count > 0:
            return count
    return len(sizes)


def message_size(message: Message) -> int:
    """Bytes that the message takes in a `history` reply."""
    return encoded_size(_message_fields(message))


def receipt_ack(request: Receipt) -> Frame:
    return {**_reply("ack", request.id), "peer": request.peer, "kind": request.kind, "seq": request.seq}


def receipt_frame(request: Receipt, sender: str, ts: int) -> Frame:
    fields: Frame = {"peer": request.peer, "kind": request.kind, "seq": request.seq}
    return {"type": "receipt", "from": sender, **fields, "ts": ts}


def typing_frame(request: Typing, sender: str, ts: int) -> Frame:
    return {"type": "typing", "from": sender, "state": request.state, "ts": ts}


def presence_frame(users: Sequence[UserPresence]) -> Frame:
    return {"type": "presence", "users": presence_fields(users)}


def presence_reply(request: Presence, users: Sequence[UserPresence]) -> Frame:
    return {**_reply("presence", request.id), "users": presence_fields(users)}


def presence_fields(users: Sequence[UserPresence]) -> list[Frame]:
    """The users' presence, as frames have it."""
    return [{"user": one.user, "online": one.online, "last_seen": one.last_seen, "rev": one.rev} for one in users]


def block_reply(request: Block | Unblock) -> Frame:
    return {**_reply("block", request.id), **_block_fields(request)}


def block_frame(request: Block | Unblock) -> Frame:
    return {"type": "block", **_block_fields(request)}


def _block_fields(request: Block | Unblock) -> Frame:
    return {"user": request.user, "blocked": isinstance(request, Block)}


def pong(request: Ping, ts: int) -> Frame:
    return {**_reply("pong", request.id), "ts": ts}


def error_frame(error: ChatError, request_id: str) -> Frame:
    frame: Frame = {**_reply("error", error.id), "code": error.code, "message": error.message}
    frame["temporary"] = error.code in TEMPORARY
    if error.retry_after_ms is not None:
        frame["retry_after_ms"] = error.retry_after_ms
    frame["request_id"] = request_id
    return frame


def close_frame(code: CloseCode, message: str, *, retry_after_ms: int | None) -> Frame:
    """The last frame of a connection. `retry_after_ms` is None if the client must not reconnect by itself."""
    frame: Frame = {"type": "close", "code": code, "message": message, "temporary": retry_after_ms is not None}
    return frame if retry_after_ms is None else {**frame, "retry_after_ms": retry_after_ms}


def _reply(type: str, id: str | None) -> Frame:
    return {"type": type} if id is None else {"type": type, "id": id}
