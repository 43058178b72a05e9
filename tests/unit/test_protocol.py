"""Frames: what is taken, what is refused and how, and what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat import protocol
from chat.protocol import (
    ACTIONS,
    MAX_FRAME_BYTES,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_TEXT_BYTES,
    Block,
    Chat,
    ChatError,
    Cursor,
    ErrorCode,
    History,
    Message,
    Ping,
    Presence,
    Receipt,
    ReceiptKind,
    Request,
    Send,
    Sync,
    Typing,
    TypingState,
    Unblock,
    UserPresence,
    encode,
    fit,
    parse,
)
from tests.previews import PREVIEWS

LONGEST_USER = "u" * 128


def refused(body: str | None) -> ChatError:
    with pytest.raises(ChatError) as error:
        parse(body)
    return error.value


# what is taken


def taken(body: str) -> tuple[type[Request], Request]:
    """With its type: two named tuples that hold the same are equal, whatever they are called."""
    request = parse(body)
    return type(request), request


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"action": "ping"}, Ping(None)),
        ({"action": "ping", "id": "1"}, Ping("1")),
        ({"action": "ping", "id": None}, Ping(None)),
        ({"action": "ping", "unknown": {"fields": ["are", "ignored"]}}, Ping(None)),
        ({"action": "send", "to": "bob", "text": "hi"}, Send(None, "bob", "hi")),
        ({"action": "send", "id": "i" * 64, "to": LONGEST_USER, "text": "hi"}, Send("i" * 64, LONGEST_USER, "hi")),
        ({"action": "send", "to": "Az09_.@:|+=-", "text": " \n"}, Send(None, "Az09_.@:|+=-", " \n")),
        ({"action": "send", "id": "👋🏽", "to": "b", "text": "👋🏽\x00"}, Send("👋🏽", "b", "👋🏽\x00")),
        ({"action": "send", "id": "1", "to": "b", "text": "hi", "retry": True}, Send("1", "b", "hi", retry=True)),
        ({"action": "send", "id": "1", "to": "b", "text": "hi", "retry": False}, Send("1", "b", "hi")),
        ({"action": "send", "id": "1", "to": "b", "text": "hi", "retry": None}, Send("1", "b", "hi")),
        ({"action": "sync"}, Sync(None, None, 50, None)),
        ({"action": "sync", "since": 0, "limit": 1}, Sync(None, 0, 1, None)),
        ({"action": "sync", "since": MAX_INTEGER, "limit": 100}, Sync(None, MAX_INTEGER, 100, None)),
        ({"action": "sync", "next": "1800000000000 bob"}, Sync(None, None, 100, Cursor(1_800_000_000_000, "bob"))),
        ({"action": "sync", "next": "- bob", "limit": 7}, Sync(None, None, 7, Cursor(None, "bob"))),
        (
            {"action": "sync", "since": None, "next": None, "limit": None, "presence": None},
            Sync(None, None, 50, None),
        ),
        ({"action": "sync", "presence": ["bob", "carol", "bob"]}, Sync(None, None, 50, None, ("bob", "carol"))),
        ({"action": "sync", "presence": 100}, Sync(None, None, 50, None, 100)),
        ({"action": "history", "peer": "bob"}, History(None, "bob", None, None, 50)),
        ({"action": "history", "peer": "bob", "after": 0, "limit": 100}, History(None, "bob", 0, None, 100)),
        ({"action": "history", "peer": "bob", "before": 7}, History(None, "bob", None, 7, 50)),
        ({"action": "history", "peer": "bob", "before": None, "after": 7}, History(None, "bob", 7, None, 50)),
        (
            {"action": "receipt", "peer": "bob", "kind": "delivered", "seq": 1},
            Receipt(None, "bob", ReceiptKind.DELIVERED, 1),
        ),
        ({"action": "receipt", "peer": "bob", "kind": "read", "seq": 42}, Receipt(None, "bob", ReceiptKind.READ, 42)),
        ({"action": "typing", "to": "bob", "state": "composing"}, Typing(None, "bob", TypingState.COMPOSING)),
        ({"action": "typing", "to": "bob", "state": "paused"}, Typing(None, "bob", TypingState.PAUSED)),
        ({"action": "presence", "users": ["bob", "carol", "bob"]}, Presence(None, ("bob", "carol"))),
    ],
    ids=str,
)
def test_a_good_frame_is_taken(frame: dict[str, Any], request_: Request) -> None:
    assert taken(json.dumps(frame)) == (type(request_), request_)
    assert taken(json.dumps(frame, ensure_ascii=False)) == (type(request_), request_)


def test_a_hundred_users_may_be_asked_for() -> None:
    users = tuple(f"user-{number}" for number in range(100))

    assert taken(json.dumps({"action": "presence", "users": users})) == (Presence, Presence(None, users))


@pytest.mark.parametrize("character", ["a", "é", "世", "👋"])
def test_a_text_may_be_8_kib_of_utf8(character: str) -> None:
    text = character * (MAX_TEXT_BYTES // len(character.encode()))

    assert taken(json.dumps({"action": "send", "to": "bob", "text": text})) == (Send, Send(None, "bob", text))


# what is refused


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        " ",
        "hello",
        "{",
        '{"action":"ping"',
        '{"action":"ping"}{}',
        '{"action":"ping",}',
        "{'action':'ping'}",
        '{"action":"ping","since":NaN}',
        '{"action":"ping","since":-Infinity}',
        '{"action":"ping","since":Infinity}',
        '{"action":"sync","since":' + "9" * 5_000 + "}",
        "[" * 100_000,
        '{"a":' * 50_000,
        "\ufeff{}",
        "\x00",
        '{"action":"send","to":"bob","text":"a\nb"}',
    ],
    ids=lambda body: repr(body)[:30],
)
def test_what_is_not_json_is_refused(body: str | None) -> None:
    error = refused(body)

    assert (error.code, error.id) == (ErrorCode.BAD_REQUEST, None)
    assert "JSON" in error.message


@pytest.mark.parametrize("body", ["[]", "null", "1", "true", '"ping"', '[{"action":"ping"}]'])
def test_what_is_not_an_object_is_refused(body: str) -> None:
    assert refused(body).code is ErrorCode.BAD_REQUEST


HI = {"action": "send", "to": "bob", "text": "hi"}
BAD_INTEGERS = [-1, 1.0, 1.5, 1e300, True, False, "1", "", [], {}, MAX_INTEGER + 1, 10**400]
BAD_USERS = ["", "a b", "a#b", "a/b", "ü", "a\n", "\ud800", LONGEST_USER + "u", 1, True, ["bob"], {}, None]


def described(value: object) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize("value", BAD_INTEGERS, ids=described)
@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"action": "sync"}, "since"),
        ({"action": "sync"}, "limit"),
        ({"action": "history", "peer": "bob"}, "after"),
        ({"action": "history", "peer": "bob"}, "before"),
        ({"action": "history", "peer": "bob"}, "limit"),
        ({"action": "receipt", "peer": "bob", "kind": "read"}, "seq"),
    ],
    ids=str,
)
def test_what_is_no_whole_number_in_range_is_refused(frame: dict[str, Any], field: str, value: object) -> None:
    error = refused(json.dumps({**frame, "id": "1", field: value}))

    assert (error.code, error.id) == (ErrorCode.BAD_REQUEST, "1")
    assert field in error.message


def test_a_number_that_only_json_can_spell_is_refused() -> None:
    assert "since" in refused('{"action":"sync","since":1e400}').message


@pytest.mark.parametrize("value", BAD_USERS, ids=described)
@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"action": "send", "text": "hi"}, "to"),
        ({"action": "history"}, "peer"),
        ({"action": "receipt", "kind": "read", "seq": 1}, "peer"),
        ({"action": "typing", "state": "paused"}, "to"),
    ],
    ids=str,
)
def test_what_is_no_user_id_is_refused(frame: dict[str, Any], field: str, value: object) -> None:
    error = refused(json.dumps({**frame, "id": "1", field: value}))

    assert (error.code, error.id) == (ErrorCode.BAD_REQUEST, "1")
    assert field in error.message


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ({}, "action"),
        ({"action": None}, "action"),
        ({"action": 5}, "action"),
        ({"action": True}, "action"),
        ({"action": ["send"]}, "action"),
        ({"action": {"send": 1}}, "action"),
        ({"action": "send", "text": "hi"}, "to"),
        ({"action": "send", "to": "bob"}, "text"),
        ({"action": "send", "to": "bob", "text": None}, "text"),
        ({"action": "send", "to": "bob", "text": ""}, "text"),
        ({"action": "send", "to": "bob", "text": 1}, "text"),
        ({"action": "send", "to": "bob", "text": ["hi"]}, "text"),
        ({"action": "send", "to": "bob", "text": "half a pair \ud83d"}, "text"),
        ({"action": "send", "to": "bob", "text": "\udc4b the other half"}, "text"),
        ({**HI, "retry": 1}, "retry"),
        ({**HI, "retry": "true"}, "retry"),
        ({**HI, "retry": []}, "retry"),
        ({"action": "sync", "limit": 0}, "limit"),
        ({"action": "sync", "limit": MAX_PAGE + 1}, "limit"),
        ({"action": "sync", "presence": []}, "presence"),
        ({"action": "sync", "presence": ["bob", "a#b"]}, "presence"),
        ({"action": "sync", "presence": [f"user-{number}" for number in range(101)]}, "presence"),
        ({"action": "sync", "presence": 0}, "presence"),
        ({"action": "sync", "presence": 101}, "presence"),
        ({"action": "sync", "presence": True}, "presence"),
        ({"action": "sync", "presence": 1.5}, "presence"),
        ({"action": "sync", "presence": "bob"}, "presence"),
        ({"action": "history"}, "peer"),
        ({"action": "history", "peer": "bob", "limit": 0}, "limit"),
        ({"action": "history", "peer": "bob", "limit": MAX_PAGE + 1}, "limit"),
        ({"action": "history", "peer": "bob", "after": 1, "before": 5}, "not both"),
        ({"action": "history", "peer": "bob", "after": 0, "before": 0}, "not both"),
        ({"action": "receipt", "kind": "read", "seq": 1}, "peer"),
        ({"action": "receipt", "peer": "bob", "seq": 1}, "kind"),
        ({"action": "receipt", "peer": "bob", "kind": "READ", "seq": 1}, "kind"),
        ({"action": "receipt", "peer": "bob", "kind": ["read"], "seq": 1}, "kind"),
        ({"action": "receipt", "peer": "bob", "kind": "read"}, "seq"),
        ({"action": "receipt", "peer": "bob", "kind": "read", "seq": 0}, "seq"),
        ({"action": "typing", "state": "paused"}, "to"),
        ({"action": "typing", "to": "bob"}, "state"),
        ({"action": "typing", "to": "bob", "state": "read"}, "state"),
        ({"action": "presence"}, "users"),
        ({"action": "presence", "users": []}, "users"),
        ({"action": "presence", "users": "bob"}, "users"),
        ({"action": "presence", "users": {"bob": 1}}, "users"),
        ({"action": "presence", "users": ["bob", None]}, "users"),
        ({"action": "presence", "users": ["bob", ["carol"]]}, "users"),
        ({"action": "presence", "users": ["bob", "a#b"]}, "users"),
        ({"action": "presence", "users": [f"user-{number}" for number in range(101)]}, "users"),
    ],
    ids=described,
)
def test_a_refusal_names_the_field_and_keeps_the_id(frame: dict[str, Any], named: str) -> None:
    error = refused(json.dumps({"id": "1", **frame}))

    assert (error.code, error.id) == (ErrorCode.BAD_REQUEST, "1")
    assert named in error.message


@pytest.mark.parametrize("id", ["", "i" * 65, 1, 1.5, True, [], {}, "\ud800"], ids=described)
def test_an_id_that_cannot_come_back_is_refused_and_does_not(id: object) -> None:
    error = refused(json.dumps({"action": "ping", "id": id}))

    assert (error.code, error.id) == (ErrorCode.BAD_REQUEST, None)
    assert "id" in error.message


@pytest.mark.parametrize(
    "cursor",
    ["", "bob", "1 ", " bob", "1", "-1 bob", "1.5 bob", "x bob", "1 a#b", "1  bob", "² bob", "٣ bob", "+1 bob",
     "1_0 bob", f"{MAX_INTEGER + 1} bob", "9" * 5_000 + " bob", "1 " + LONGEST_USER + "u", 1, True, [], {}],
    ids=described,
)  # fmt: skip
def test_a_cursor_that_no_sync_returned_is_refused(cursor: object) -> None:
    error = refused(json.dumps({"action": "sync", "next": cursor}))

    assert error.code is ErrorCode.BAD_REQUEST
    assert "next" in error.message


@pytest.mark.parametrize("action", ["nope", "", "Send", " send", "$connect", "$default", "\ud800"])
def test_an_unknown_action_is_answered_with_those_there_are(action: str) -> None:
    error = refused(json.dumps({"action": action, "id": "1"}))

    assert (error.code, error.id) == (ErrorCode.UNKNOWN_ACTION, "1")
    assert all(known in error.message for known in ACTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_TEXT_BYTES + 1),
        "a" + "é" * (MAX_TEXT_BYTES // 2),
        "世" * (MAX_TEXT_BYTES // 3 + 1),
        "👋" * (MAX_TEXT_BYTES // 4) + "!",
        "\x01" * 5_000,
        "a" * 1_000_000,
    ],
    ids=described,
)
def test_a_text_over_the_limit_is_refused(text: str) -> None:
    error = refused(json.dumps({"action": "send", "id": "1", "to": "bob", "text": text}))

    assert (error.code, error.id) == (ErrorCode.PAYLOAD_TOO_LARGE, "1")
    assert error.code not in protocol.TEMPORARY


def test_a_refusal_does_not_repeat_the_frame() -> None:
    for frame in [{"action": "hunter2"}, {"action": "sync", "next": "hunter2"}, {"action": "send", "to": "hunter2 "}]:
        assert "hunter2" not in refused(json.dumps(frame)).message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["id", "to", "text", "since", "limit", "next", "peer", "after", "before", "kind", "seq", "state", "users"]
ALMOST = st.sampled_from(["bob", "hi", 1, 0, "read", "composing", ["bob"], "1 bob"])
FRAMES = st.builds(
    lambda action, fields: {"action": action, **fields},
    st.sampled_from(ACTIONS) | JSON,
    st.dictionaries(st.sampled_from(FIELDS), ALMOST | JSON),
)


@settings(deadline=None)
@given(st.text(st.characters(codec=None)) | JSON.map(json.dumps) | FRAMES.map(json.dumps))
@example('{"action": "sync", "next": "0 \\ud800"}')
@example('{"action": "receipt", "peer": "a", "kind": {}, "seq": 1}')
def test_whatever_arrives_is_a_request_or_a_refusal(body: str) -> None:
    try:
        request = parse(body)
    except ChatError as error:
        frame = protocol.error_frame(error, "request-1=")
        assert frame["code"] in {"bad_request", "unknown_action", "payload_too_large"}
        encode(frame).encode()
    else:
        assert isinstance(request, Request)


# what is sent

MESSAGE = Message("alice", "bob", 7, "m1", "hi", 1_800_000_000_000)
CHAT = Chat(
    *("bob", 7, 2, 3),
    read=6,
    peer_read=5,
    peer_delivered=4,
    wrote=3,
    peer_wrote=7,
    blocked=False,
    instead=None,
    expires=8,
)
CHAT_FIELDS = {name: value for name, value in CHAT._asdict().items() if name not in ("changed", "blocked", "instead")}
SYNC = Sync("1", None, 50, None)


@pytest.mark.parametrize(
    ("frame", "on_the_wire"),
    [
        (
            protocol.message_frame(MESSAGE),
            '{"type":"message","from":"alice","to":"bob","seq":7,"id":"m1","text":"hi","ts":1800000000000}',
        ),
        (
            protocol.send_ack(Send("m1", "bob", "hi"), MESSAGE, duplicate=False, delivered=2),
            '{"type":"ack","id":"m1","to":"bob","seq":7,"ts":1800000000000,"duplicate":false,"delivered":2}',
        ),
        (
            protocol.send_ack(Send(None, "bob", "hi"), MESSAGE, duplicate=True, delivered=0),
            '{"type":"ack","to":"bob","seq":7,"ts":1800000000000,"duplicate":true,"delivered":0}',
        ),
        (
            protocol.sync_reply(
                SYNC, "alice", [CHAT_FIELDS], next=Cursor(2, "bob"), presence=None, server_time=9, epoch="e1"
            ),
            (
                '{"type":"sync","id":"1","user":"alice","epoch":"e1","chats":[{"peer":"bob","seq":7,"ts":2,"read":6,"peer_read":5,'
                '"peer_delivered":4,"wrote":3,"peer_wrote":7,"expires":8}],'
                '"next":"2 bob","server_time":9,"heartbeat_ms":270000,"max_text_bytes":8192}'
            ),
        ),
        (
            protocol.sync_reply(
                SYNC, "alice", [], next=None, presence=[UserPresence("bob", True, 8, 3)], server_time=9, epoch="e1"
            ),
            (
                '{"type":"sync","id":"1","user":"alice","epoch":"e1","chats":[],'
                '"presence":[{"user":"bob","online":true,"last_seen":8,"rev":3}],"server_time":9,"heartbeat_ms":270000,'
                '"max_text_bytes":8192}'
            ),
        ),
        (
            protocol.history_reply(History("1", "bob", None, None, 50), [MESSAGE], more=True),
            (
                '{"type":"history","id":"1","peer":"bob","messages":[{"from":"alice","to":"bob","seq":7,"id":"m1",'
                '"text":"hi","ts":1800000000000}],"more":true}'
            ),
        ),
        (
            protocol.receipt_ack(Receipt("1", "bob", ReceiptKind.READ, 7)),
            '{"type":"ack","id":"1","peer":"bob","kind":"read","seq":7}',
        ),
        (
            protocol.receipt_frame(Receipt("1", "bob", ReceiptKind.DELIVERED, 7), "alice", 9),
            '{"type":"receipt","from":"alice","peer":"bob","kind":"delivered","seq":7,"ts":9}',
        ),
        (
            protocol.typing_frame(Typing("1", "bob", TypingState.COMPOSING), "alice", 9),
            '{"type":"typing","from":"alice","state":"composing","ts":9}',
        ),
        (
            protocol.presence_frame([UserPresence("bob", True, 8, 3)]),
            '{"type":"presence","users":[{"user":"bob","online":true,"last_seen":8,"rev":3}]}',
        ),
        (
            protocol.presence_reply(Presence("1", ("bob",)), [UserPresence("bob", False, None, 0)]),
            '{"type":"presence","id":"1","users":[{"user":"bob","online":false,"last_seen":null,"rev":0}]}',
        ),
        (protocol.block_reply(Block("1", "bob")), '{"type":"block","id":"1","user":"bob","blocked":true}'),
        (protocol.block_frame(Unblock("1", "bob")), '{"type":"block","user":"bob","blocked":false}'),
        (protocol.pong(Ping("1"), 9), '{"type":"pong","id":"1","ts":9}'),
        (protocol.pong(Ping(None), 9), '{"type":"pong","ts":9}'),
        (
            protocol.error_frame(ChatError(ErrorCode.BAD_REQUEST, "no", id="1"), "r"),
            '{"type":"error","id":"1","code":"bad_request","message":"no","temporary":false,"request_id":"r"}',
        ),
        (
            protocol.error_frame(ChatError(ErrorCode.TOO_MANY_REQUESTS, "no", retry_after_ms=5), "r"),
            (
                '{"type":"error","code":"too_many_requests","message":"no","temporary":true,"retry_after_ms":5,'
                '"request_id":"r"}'
            ),
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_frame_looks_like_this(frame: protocol.Frame, on_the_wire: str) -> None:
    assert encode(frame) == on_the_wire


@pytest.mark.parametrize("code", ErrorCode)
def test_only_what_passes_by_itself_is_temporary(code: ErrorCode) -> None:
    frame = protocol.error_frame(ChatError(code, "no"), "r")

    assert frame["temporary"] is (code in {"too_many_requests", "internal"})


def test_a_frame_is_raw_utf8() -> None:
    assert encode({"text": "é世👋"}) == '{"text":"é世👋"}'


def test_a_chat_shows_the_beginning_of_its_last_message() -> None:
    last = Message("alice", "bob", 7, "m1", "é" * 500, 2)

    assert protocol.chat_fields(CHAT, last) == {**CHAT_FIELDS, "last": {"from": "alice", "text": "é" * 200}}
    assert protocol.chat_fields(CHAT, None) == CHAT_FIELDS


@pytest.mark.parametrize("ts", [1_800_000_000_000, 0, None])
@pytest.mark.parametrize("peer", ["bob", "a|b@c.d:e+f=g-h_i", "-", LONGEST_USER])
def test_a_cursor_comes_back_as_it_went(peer: str, ts: int | None) -> None:
    cursor = Cursor(ts, peer)

    assert Cursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize(
    ("sizes", "room", "count"),
    [([], 10, 0), ([4, 4], 10, 2), ([4, 5], 10, 1), ([4, 4, 1], 10, 2), ([50], 10, 1), ([50, 1], 10, 1)],
)
def test_what_fits_is_counted_with_its_commas(sizes: list[int], room: int, count: int) -> None:
    assert fit(sizes, room) == count


# no frame is over the limit

WORST_ID = "\x01" * 64  # a control character takes six bytes
WORST_TEXTS = ["\x01" * 4_999, "👋" * 2_048, '"' * 8_192, "\\" * 8_192, "a" * 8_192]


def size(frame: protocol.Frame) -> int:
    return len(encode(frame).encode())


@pytest.mark.parametrize("text", WORST_TEXTS, ids=described)
def test_the_longest_message_fits_into_a_frame(text: str) -> None:
    request = parse(json.dumps({"action": "send", "id": WORST_ID, "to": LONGEST_USER, "text": text}))
    assert isinstance(request, Send)
    message = Message(LONGEST_USER, LONGEST_USER, MAX_INTEGER, WORST_ID, request.text, MAX_INTEGER)
    page = History(WORST_ID, LONGEST_USER, None, None, 50)

    assert size(protocol.message_frame(message)) <= MAX_FRAME_BYTES
    assert size(protocol.history_reply(page, [message], more=False)) <= MAX_FRAME_BYTES


def test_the_most_users_fit_into_a_frame() -> None:
    users = [UserPresence(LONGEST_USER, False, MAX_INTEGER, MAX_INTEGER)] * 100

    assert size(protocol.presence_reply(Presence(WORST_ID, ()), users)) <= MAX_FRAME_BYTES


@pytest.mark.parametrize(("text", "preview"), PREVIEWS.values(), ids=PREVIEWS)
def test_a_preview_ends_where_a_character_does(text: str, preview: str) -> None:
    assert protocol.preview_of(text) == preview
    assert protocol.chat_fields(CHAT, MESSAGE._replace(text=text))["last"] == {"from": "alice", "text": preview}
