"""`docs/asyncapi.yaml` is valid, and says what `chat.protocol` does."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat import protocol
from chat.protocol import (
    ACTIONS,
    DEFAULT_PAGE,
    HEARTBEAT_MS,
    MAX_DATA_BYTES,
    MAX_DATA_DEPTH,
    MAX_ESCAPED_TEXT_BYTES,
    MAX_FRAME_BYTES,
    MAX_ID_LENGTH,
    MAX_INTEGER,
    MAX_PAGE,
    MAX_PRESENCE_USERS,
    MAX_TEXT_BYTES,
    PREVIEW_LENGTH,
    TEMPORARY,
    Block,
    Chat,
    ChatError,
    CloseCode,
    Cursor,
    ErrorCode,
    Frame,
    History,
    Message,
    Ping,
    Presence,
    Receipt,
    ReceiptKind,
    Send,
    Sync,
    Typing,
    TypingState,
    Unblock,
    Unsend,
    UserPresence,
)
from tests import asyncapi
from tests.asyncapi import DOCUMENT, check_client_frame, check_server_frame, document, message, message_names
from tests.hang import HANG_SECONDS

PARSER = DOCUMENT.parent.parent / "tests" / "asyncapi.mjs"
GATEWAY_ERROR = "gatewayError"  # API Gateway makes it, not we

REQUESTS: dict[str, Any] = {
    "sendRequest": Send,
    "syncRequest": Sync,
    "historyRequest": History,
    "receiptRequest": Receipt,
    "typingRequest": Typing,
    "presenceRequest": Presence,
    "pingRequest": Ping,
    "blockRequest": Block,
    "unblockRequest": Unblock,
    "unsendRequest": Unsend,
}


def diagnostics(path: Path) -> list[dict[str, Any]]:
    """What the official parser finds in a document, hints included."""
    node = Path(sys.executable).with_name("node")
    run = subprocess.run([node, PARSER, path], capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert run.returncode == 0, f"the AsyncAPI parser did not run; does `npm ci` help?\n{run.stderr}"
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def test_the_official_parser_finds_nothing_to_complain_about() -> None:
    assert diagnostics(DOCUMENT) == []


def test_the_official_parser_would_find_a_mistake(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    path = tmp_path / "broken.yaml"
    path.write_text(text.replace("{$ref: '#/components/messages/pong'}", "{$ref: '#/components/messages/pang'}"))
    assert "invalid-ref" in [one["code"] for one in diagnostics(path)]


def test_every_message_belongs_to_an_operation() -> None:
    assert {*message_names("client"), *message_names("server")} == set(document()["components"]["messages"])
    assert set(document()["channels"]["connection"]["messages"]) == set(document()["components"]["messages"])


@pytest.mark.parametrize("name", message_names("server"))
def test_each_server_example_stands_in_the_document(name: str) -> None:
    for example in message(name)["examples"]:
        assert asyncapi.problem(name, example["payload"], closed=True) is None
        check_server_frame(protocol.encode(example["payload"]))


@pytest.mark.parametrize("name", message_names("client"))
def test_each_client_example_is_taken_for_what_it_is(name: str) -> None:
    for example in message(name)["examples"]:
        assert asyncapi.problem(name, example["payload"], closed=True) is None
        assert type(protocol.parse(protocol.encode(example["payload"]))) is REQUESTS[name]


@pytest.mark.parametrize("name", message_names("client"))
def test_a_request_has_the_fields_of_its_tuple(name: str) -> None:
    documented = set(message(name)["payload"]["properties"]) - {"action"}
    assert documented == set(REQUESTS[name]._fields)


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object schema in the messages and schemas."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for name, value in node.items():
            if name != "examples":
                yield from objects(value)


def test_every_object_says_that_unknown_fields_are_ignored() -> None:
    # The closed schemas are made from this; an object without it would let an undocumented field through.
    assert all(schema["additionalProperties"] is True for schema in objects(document()["components"]))


def at(path: str) -> Any:
    node: Any = document()
    for step in path.split("/"):
        node = node[step]
    return node


@pytest.mark.parametrize(
    ("path", "constant"),
    [
        ("channels/connection/x-max-frame-bytes", MAX_FRAME_BYTES),
        ("components/schemas/UserId/pattern", f"^{protocol._USER_ID.pattern}$"),
        ("components/schemas/FrameId/maxLength", MAX_ID_LENGTH),
        ("components/schemas/OptionalFrameId/maxLength", MAX_ID_LENGTH),
        ("components/messages/sendRequest/payload/properties/id/maxLength", MAX_ID_LENGTH),
        ("components/schemas/Text/maxLength", MAX_TEXT_BYTES),
        ("components/schemas/Text/x-max-bytes", MAX_TEXT_BYTES),
        ("components/schemas/Data/x-max-bytes", MAX_DATA_BYTES),
        ("components/schemas/Data/x-max-depth", MAX_DATA_DEPTH),
        ("components/schemas/Text/x-max-json-bytes", MAX_ESCAPED_TEXT_BYTES),
        ("components/schemas/OptionalLimit/maximum", MAX_PAGE),
        ("components/schemas/OptionalLimit/default", DEFAULT_PAGE),
        ("components/schemas/ReceiptKind/enum", list(ReceiptKind)),
        ("components/schemas/TypingState/enum", list(TypingState)),
        ("components/schemas/ErrorCode/enum", list(ErrorCode)),
        ("components/schemas/Chat/properties/last/properties/text/maxLength", PREVIEW_LENGTH),
        ("components/messages/presenceRequest/payload/properties/users/maxItems", MAX_PRESENCE_USERS),
        ("components/messages/presence/payload/properties/users/maxItems", MAX_PRESENCE_USERS),
        ("components/messages/syncReply/payload/properties/chats/maxItems", MAX_PAGE),
        ("components/messages/historyReply/payload/properties/messages/maxItems", MAX_PAGE),
        ("components/messages/syncReply/payload/properties/heartbeat_ms/x-default", HEARTBEAT_MS),
        ("components/messages/syncReply/payload/properties/max_text_bytes/x-default", MAX_TEXT_BYTES),
        (
            "components/messages/syncReply/payload/properties/next/maxLength",
            len(Cursor(MAX_INTEGER, "x" * 128).encode()),
        ),
    ],
)
def test_a_limit_is_the_one_in_the_code(path: str, constant: object) -> None:
    assert at(path) == constant


def test_the_actions_are_those_in_the_code() -> None:
    actions = [message(name)["payload"]["properties"]["action"]["const"] for name in message_names("client")]
    assert actions == list(ACTIONS)


def maxima(node: Any) -> Iterator[int]:
    if isinstance(node, dict):
        if "maximum" in node:
            yield node["maximum"]
        for value in node.values():
            yield from maxima(value)


def test_numbers_end_where_json_carries_them_exactly() -> None:
    assert set(maxima(document())) == {MAX_INTEGER, MAX_PAGE}


def test_the_table_of_errors_is_complete() -> None:
    rows = [line.split("|") for line in at("components/schemas/ErrorCode/description").splitlines()[2:]]
    table = {row[1].strip().strip("`"): row[3].strip() for row in rows}
    assert table == {code: "yes" if code in TEMPORARY else "no" for code in ErrorCode}


@pytest.mark.parametrize("code", ErrorCode)
def test_whether_an_error_is_temporary_follows_from_its_code(code: ErrorCode) -> None:
    frame = protocol.error_frame(ChatError(code, "because"), "r")
    assert asyncapi.problem("error", frame, closed=True) is None
    assert asyncapi.problem("error", {**frame, "temporary": not frame["temporary"]}, closed=True) is not None


UUID = "6f1c0a52-9a4e-4c43-8d3f-0b6a3c1d2e4f"
MESSAGE = Message("alice", "bob", 42, UUID, "hello", 1_767_225_600_123, expires=1_769_817_600_000)
CHAT = Chat("bob", 42, 1_767_225_600_123, 1_767_225_600_124, 42, 40, 41, 42, 39, False, None, 1_769_817_600_000)
BOB, CAROL = UserPresence("bob", True, 1_767_225_500_000, 17), UserPresence("carol", False, None, 0)
TEMPORARY_ERROR = ChatError(ErrorCode.TOO_MANY_REQUESTS, "later", id="1", retry_after_ms=1_000)

SEND, SYNC = Send("1", "bob", "hello"), Sync("1", None, 50, None)
HISTORY, RECEIPT = History("1", "bob", None, None, 50), Receipt("1", "bob", ReceiptKind.READ, 42)
UNSEND = Unsend("1", "bob", 42)
CARD = MESSAGE._replace(text="", data='{"order":17,"parts":[{"price":"19.90"},null,true]}')
TOMBSTONE = MESSAGE._replace(text="", unsent=1_767_225_700_000)
UNSENDING = MESSAGE._replace(seq=43, id="unsend 42", text="", unsends=42)
TYPING, PRESENCE, PING = Typing("1", "bob", TypingState.PAUSED), Presence("1", ("bob",)), Ping("1")


def sync_frame(
    request: Sync, *chats: Frame, next: Cursor | None = None, presence: Sequence[UserPresence] | None = None
) -> Frame:
    server_time, epoch = 1_767_225_601_000, "9c1185a5c5e9fc54"
    return protocol.sync_reply(
        request, "alice", chats, next=next, presence=presence, server_time=server_time, epoch=epoch
    )


def send_ack_frame(request: Send) -> Frame:
    return protocol.send_ack(request, MESSAGE, duplicate=True, delivered=2)


BUILT: dict[str, tuple[str, list[Frame]]] = {
    "send_ack": ("sendAck", [send_ack_frame(SEND), send_ack_frame(SEND._replace(id=None))]),
    "unsend_ack": (
        "unsendAck",
        [protocol.unsend_ack(request, UNSENDING, duplicate=False) for request in (UNSEND, UNSEND._replace(id=None))],
    ),
    "sync_reply": (
        "syncReply",
        [
            sync_frame(SYNC, next=Cursor(MAX_INTEGER, "x" * 128)),
            sync_frame(SYNC._replace(id=None), presence=[]),
            sync_frame(SYNC, presence=[BOB, CAROL] * 50),
        ],
    ),
    "chat_fields": (
        "syncReply",
        [
            sync_frame(
                SYNC,
                protocol.chat_fields(CHAT, MESSAGE._replace(text="é" * 300)),
                protocol.chat_fields(CHAT._replace(seq=0, blocked=True), None),
                protocol.chat_fields(CHAT, TOMBSTONE),
                protocol.chat_fields(CHAT, CARD),
                protocol.chat_fields(CHAT, UNSENDING),
            )
        ],
    ),
    "history_reply": (
        "historyReply",
        [
            protocol.history_reply(HISTORY, [MESSAGE, CARD, TOMBSTONE, UNSENDING], more=True),
            protocol.history_reply(HISTORY._replace(id=None), [], more=False),
        ],
    ),
    "receipt_ack": ("receiptAck", [protocol.receipt_ack(RECEIPT), protocol.receipt_ack(RECEIPT._replace(id=None))]),
    "presence_reply": (
        "presence",
        [
            protocol.presence_reply(PRESENCE, [BOB, CAROL]),
            protocol.presence_reply(PRESENCE._replace(id=None), [BOB] * MAX_PRESENCE_USERS),
        ],
    ),
    "presence_frame": ("presence", [protocol.presence_frame([BOB])]),
    "pong": ("pong", [protocol.pong(PING, 1), protocol.pong(Ping(None), 1)]),
    "block_reply": (
        "block",
        [protocol.block_reply(Block("1", "bob")), protocol.block_reply(Unblock(None, "bob"))],
    ),
    "block_frame": ("block", [protocol.block_frame(Unblock("1", "bob"))]),
    "error_frame": (
        "error",
        [
            protocol.error_frame(TEMPORARY_ERROR, "r"),
            *(protocol.error_frame(ChatError(code, "because"), "r") for code in ErrorCode),
        ],
    ),
    "close_frame": (
        "close",
        [protocol.close_frame(code, "because", retry_after_ms=ms) for code in CloseCode for ms in (None, 0, 1)],
    ),
    "message_frame": (
        "message",
        [protocol.message_frame(message) for message in (MESSAGE, CARD, TOMBSTONE, UNSENDING)],
    ),
    "receipt_frame": ("receipt", [protocol.receipt_frame(RECEIPT, "alice", 1)]),
    "typing_frame": ("typing", [protocol.typing_frame(TYPING, "alice", 1)]),
}
"""By builder: the message that it builds, and frames with and without what is optional."""


def test_no_builder_of_frames_is_left_out() -> None:
    public = {name for name in vars(protocol) if not name.startswith("_")}
    builders = {
        name
        for name in public
        if inspect.isfunction(function := getattr(protocol, name))
        and function.__module__ == protocol.__name__
        and inspect.get_annotations(function).get("return") == "Frame"
    }
    assert builders == set(BUILT)


@pytest.mark.parametrize("builder", BUILT)
def test_what_the_code_builds_is_what_is_documented(builder: str) -> None:
    name, frames = BUILT[builder]
    for frame in frames:
        assert asyncapi.problem(name, json.loads(protocol.encode(frame)), closed=True) is None
        check_server_frame(protocol.encode(frame))


@pytest.mark.parametrize("name", [name for name in message_names("server") if name != GATEWAY_ERROR])
def test_no_field_is_documented_that_the_code_never_sends(name: str) -> None:
    sent = {field for built, frames in BUILT.values() if built == name for frame in frames for field in frame}
    assert sent == set(message(name)["payload"]["properties"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hello", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type":"ack","id":"1","to":"bob"}', "'seq' is a required property"),
        ('{"type":"pong","ts":1,"extra":true}', "'extra' was unexpected"),
        ('{"type":"pong","ts":"1"}', "is not of type 'integer'"),
        ('{"type":"sync","user":"a","chats":[{}],"server_time":1,"heartbeat_ms":1,"max_text_bytes":1}', "chats"),
        ('{"type":"hello"}', "knows no server frame"),
        ('{"message":"Forbidden","token":"x"}', "'token' was unexpected"),
        ('{"type":"pong","ts":1}' + " " * MAX_FRAME_BYTES, "bytes"),
    ],
)
def test_a_server_frame_that_is_not_documented_is_found(text: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_server_frame(text)


def test_an_empty_frame_is_no_mistake() -> None:
    check_server_frame("")


def frames_in_prose() -> list[str]:
    """The lines of the JSON blocks of the protocol's prose."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.with_name("protocol.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_prose_shows_every_action_and_type() -> None:
    shown = [json.loads(line) for line in frames_in_prose()]
    assert {frame["action"] for frame in shown if "action" in frame} == set(ACTIONS)
    types = {frame.get("type") for frame in shown if "action" not in frame}
    documented = (message(name)["payload"]["properties"] for name in message_names("server"))
    assert types == {properties["type"]["const"] if "type" in properties else None for properties in documented}


@pytest.mark.parametrize("line", frames_in_prose())
def test_a_frame_in_the_prose_is_documented(line: str) -> None:
    if "action" in json.loads(line):
        check_client_frame(line)
        protocol.parse(line)
    else:
        check_server_frame(line)


def is_documented(frame: object) -> bool:
    try:
        check_client_frame(json.dumps(frame))
    except AssertionError:
        return False
    return True


def is_taken(frame: object) -> bool:
    try:
        protocol.parse(json.dumps(frame))
    except ChatError:
        return False
    return True


SEND_FRAME = {"action": "send", "to": "bob", "text": "hello"}
RECEIPT_FRAME = {"action": "receipt", "peer": "bob", "kind": "read", "seq": 1}
NO_DATA: list[object] = [
    *({}, [], "{}", 1, True),
    *({"a": 1.5}, {"a": [1e-7]}, {"a": {"b": MAX_INTEGER + 1}}, {"a": -MAX_INTEGER - 1}),
    *({"__proto__": {}}, {"a": [{"__proto__": 1}]}),
]
DEEPEST: Frame = json.loads('{"a":' * MAX_DATA_DEPTH + "1" + "}" * MAX_DATA_DEPTH)


@pytest.mark.parametrize(
    "frame",
    [
        {**SEND_FRAME, "id": "é" * MAX_ID_LENGTH, "to": "a" * 128, "text": "x" * MAX_TEXT_BYTES},
        {**SEND_FRAME, "id": None, "colour": "blue"},
        {**SEND_FRAME, "data": None},
        {**SEND_FRAME, "data": {"": "", "n": [MAX_INTEGER, -MAX_INTEGER, None, True, {}, []]}},
        {"action": "send", "to": "bob", "data": {"a": "x" * (MAX_DATA_BYTES - len('{"a":""}'))}},
        {**SEND_FRAME, "text": "", "data": DEEPEST},
        {**SEND_FRAME, "text": None, "data": {"prototype": 1}},
        {**SEND_FRAME, "to": "Az09_.@:|+=-"},
        {"action": "sync", "since": 0, "limit": MAX_PAGE},
        {"action": "sync", "since": None, "limit": None, "next": None},
        {"action": "history", "peer": "bob", "after": 0, "before": None, "limit": 1},
        {"action": "history", "peer": "bob", "before": MAX_INTEGER},
        {**RECEIPT_FRAME, "seq": MAX_INTEGER},
        {"action": "presence", "users": ["bob"] * MAX_PRESENCE_USERS},
    ],
)
def test_what_just_fits_is_taken_by_document_and_code(frame: Frame) -> None:
    assert is_documented(frame)
    assert is_taken(frame)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([], ErrorCode.BAD_REQUEST),
        ({}, ErrorCode.BAD_REQUEST),
        ({"action": "shout"}, ErrorCode.UNKNOWN_ACTION),
        ({"action": ["send"]}, ErrorCode.BAD_REQUEST),
        ({"action": 5}, ErrorCode.BAD_REQUEST),
        ({"action": "send", "text": "hello"}, ErrorCode.BAD_REQUEST),
        ({"action": "send", "to": "bob"}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "to": ""}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "to": "a" * 129}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "to": "bob#carol"}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "to": None}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "id": ""}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "id": "x" * (MAX_ID_LENGTH + 1)}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "id": 1}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "text": ""}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "text": 1}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "text": 1, "data": {"a": 1}}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "text": "", "data": None}, ErrorCode.BAD_REQUEST),
        *(({**SEND_FRAME, "data": data}, ErrorCode.BAD_REQUEST) for data in NO_DATA),
        ({**SEND_FRAME, "text": "x" * (MAX_TEXT_BYTES + 1)}, ErrorCode.PAYLOAD_TOO_LARGE),
        ({"action": "sync", "since": -1}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "since": True}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "since": MAX_INTEGER + 1}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "limit": 0}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "limit": MAX_PAGE + 1}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "next": 1}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "next": ""}, ErrorCode.BAD_REQUEST),
        ({"action": "history"}, ErrorCode.BAD_REQUEST),
        ({"action": "history", "peer": "bob", "after": 1, "before": 2}, ErrorCode.BAD_REQUEST),
        ({"action": "history", "peer": "bob", "after": 1.5}, ErrorCode.BAD_REQUEST),
        ({"action": "history", "peer": "bob", "before": "2"}, ErrorCode.BAD_REQUEST),
        ({**RECEIPT_FRAME, "seq": 0}, ErrorCode.BAD_REQUEST),
        ({**RECEIPT_FRAME, "seq": None}, ErrorCode.BAD_REQUEST),
        ({**RECEIPT_FRAME, "kind": "seen"}, ErrorCode.BAD_REQUEST),
        ({"action": "typing", "to": "bob", "state": "thinking"}, ErrorCode.BAD_REQUEST),
        ({"action": "typing", "state": "paused"}, ErrorCode.BAD_REQUEST),
        ({"action": "presence", "users": []}, ErrorCode.BAD_REQUEST),
        ({"action": "presence", "users": "bob"}, ErrorCode.BAD_REQUEST),
        ({"action": "presence", "users": ["bob", None]}, ErrorCode.BAD_REQUEST),
        ({"action": "presence", "users": ["bob"] * (MAX_PRESENCE_USERS + 1)}, ErrorCode.BAD_REQUEST),
        ({"action": "ping", "id": {}}, ErrorCode.BAD_REQUEST),
    ],
)
def test_a_bad_frame_is_refused_by_document_and_code(frame: object, code: ErrorCode) -> None:
    assert not is_documented(frame)
    with pytest.raises(ChatError) as caught:
        protocol.parse(json.dumps(frame))
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({**SEND_FRAME, "text": "é" * (MAX_TEXT_BYTES // 2 + 1)}, ErrorCode.PAYLOAD_TOO_LARGE),
        ({**SEND_FRAME, "text": "\x01" * (MAX_ESCAPED_TEXT_BYTES // 6)}, ErrorCode.PAYLOAD_TOO_LARGE),
        ({**SEND_FRAME, "text": "\ud800"}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "data": {"a": "x" * (MAX_DATA_BYTES - len('{"a":""}') + 1)}}, ErrorCode.PAYLOAD_TOO_LARGE),
        ({**SEND_FRAME, "data": {"é" * (MAX_DATA_BYTES // 2 - 2): 1}}, ErrorCode.PAYLOAD_TOO_LARGE),
        ({**SEND_FRAME, "data": {"a": DEEPEST}}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "data": {"a": "\ud800"}}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "data": {"\udfff": 1}}, ErrorCode.BAD_REQUEST),
        ({**SEND_FRAME, "data": {"a": 1.0}}, ErrorCode.BAD_REQUEST),
        (
            {**SEND_FRAME, "text": "\x01" * ((MAX_ESCAPED_TEXT_BYTES - 100) // 6), "data": {"a": "x" * 200}},
            ErrorCode.PAYLOAD_TOO_LARGE,
        ),
        ({"action": "sync", "since": 1.0}, ErrorCode.BAD_REQUEST),
        ({"action": "sync", "next": "page 2 please"}, ErrorCode.BAD_REQUEST),
    ],
)
def test_what_a_schema_cannot_say_is_refused_by_the_code(frame: Frame, code: ErrorCode) -> None:
    assert is_documented(frame)
    with pytest.raises(ChatError) as caught:
        protocol.parse(json.dumps(frame))
    assert caught.value.code is code


VALUES: list[object] = [
    *(None, True, 0, 1, 1.5, 50, MAX_PAGE, MAX_PAGE + 1, -1, MAX_INTEGER, MAX_INTEGER + 1),
    *("", "bob", "bob carol", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "read", "composing", "1767225600000 bob"),
    *([], ["bob"], ["bob", ""], ["bob"] * MAX_PRESENCE_USERS, ["bob"] * (MAX_PRESENCE_USERS + 1), {}),
]


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """An example, with some of its fields taken away and others set to a value that may be wrong."""
    name = draw(st.sampled_from(message_names("client")))
    frame: Frame = dict(draw(st.sampled_from(message(name)["examples"]))["payload"])
    properties = sorted(message(name)["payload"]["properties"])
    for field in draw(st.lists(st.sampled_from(properties), max_size=2)):
        frame.pop(field, None)
    # What a cursor is made of is no client's business, so the document does not say it.
    changed = st.sampled_from([field for field in properties if field != "next"])
    return frame | draw(st.dictionaries(changed, st.sampled_from(VALUES), max_size=2))


@settings(max_examples=1_000, deadline=None)
@given(frames())
def test_document_and_code_take_the_same_frames(frame: Frame) -> None:
    assert is_documented(frame) == is_taken(frame)
