"""Custom data of a message: what is taken, and that whatever concerns a text concerns it."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import backend
import pytest

from chat.backend_routes import BackendRoutes
from chat.erasing import Erasing
from chat.protocol import (
    MAX_DATA_BYTES,
    MAX_ESCAPED_TEXT_BYTES,
    MAX_FRAME_BYTES,
    ChatError,
    ErrorCode,
    History,
    Send,
    Sync,
    Unsend,
    canonical,
    encode,
    encoded_size,
    parse,
)
from chat.table import Update, message_key
from chat.wiring import backend_routes
from tests.asyncapi import check_server_frame
from tests.backend_schema import problem
from tests.custom_data import BAD, GOOD, TOO_LONG
from tests.fakes.clock import RETENTION_MS
from tests.fakes.memory import serially
from tests.unit.system import System
from tests.unit.test_message import lines, serve

SECRET = "between-us"
CARD = {"type": "order", "order": 17, "note": SECRET}
HI = Send("m1", "bob", "hi", data=canonical(CARD))
ONLY_DATA = HI._replace(text="")


def frame(data: str, **fields: object) -> str:
    """A `send` with this JSON as its data, to the letter."""
    return json.dumps({"action": "send", "to": "bob", "id": "m1", **fields})[:-1] + f', "data": {data}}}'


def refused(text: str) -> ErrorCode:
    with pytest.raises(ChatError) as caught:
        parse(text)
    assert caught.value.id == "m1"
    assert SECRET not in caught.value.message
    return caught.value.code


def history(system: System, user: str = "bob", peer: str = "alice") -> list[dict[str, Any]]:
    page: Any = system.serve(system.connect(user, "reader"), History(None, peer, None, None, 50))
    check_server_frame(encode(page))
    return list(page["messages"])


def preview(system: System) -> Any:
    reply: Any = system.serve(system.connect("bob", "reader"), Sync(None, None, 50, None))
    check_server_frame(encode(reply))
    return reply["chats"][0]["last"]


def stored(system: System, seq: int = 1) -> dict[str, Any]:
    return dict(system.table.items[message_key("alice", "bob", seq)])


# what is taken


@pytest.mark.parametrize("data", GOOD.values(), ids=list(GOOD))
def test_what_is_sent_comes_to_the_other_side(system: System, data: str) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, parse(frame(data)))

    (pushed,) = map(json.loads, system.pushed(bob))
    assert pushed["data"] == json.loads(data)
    assert history(system)[0]["data"] == json.loads(data)
    check_server_frame(encode(pushed))


@pytest.mark.parametrize("data", BAD.values(), ids=list(BAD))
def test_what_json_does_not_carry_everywhere_is_refused(data: str) -> None:
    assert refused(frame(data)) is ErrorCode.BAD_REQUEST
    assert refused(frame(data, text="hi")) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("data", TOO_LONG.values(), ids=list(TOO_LONG))
def test_what_is_too_long_is_refused(data: str) -> None:
    assert refused(frame(data)) is ErrorCode.PAYLOAD_TOO_LARGE


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "9" * 5_000, "[" * 100_000])
def test_what_is_not_json_is_not_a_frame(constant: str) -> None:
    with pytest.raises(ChatError, match="not JSON"):
        parse(frame(f'{{"a":{constant}}}'))


def test_a_message_says_something() -> None:
    for data in ("null", "{}"):
        for text in ({}, {"text": None}, {"text": ""}):
            assert refused(frame(data, **text)) is ErrorCode.BAD_REQUEST


def test_bytes_are_those_of_compact_json_however_it_was_written() -> None:
    spaced = json.dumps({"a": ["é" * 500, "b" * 1_030]}, indent=200)
    assert len(spaced) > MAX_DATA_BYTES > encoded_size(json.loads(spaced))
    assert parse(frame(spaced)) == Send("m1", "bob", "", data=canonical(json.loads(spaced)))


def test_of_a_name_that_is_there_twice_the_last_counts_for_everybody() -> None:
    assert parse(frame('{"a":1,"a":{"b":2,"b":3}}')) == Send("m1", "bob", "", data='{"a":{"b":3}}')


def test_text_and_data_fit_a_frame_together(system: System) -> None:
    room = MAX_ESCAPED_TEXT_BYTES - MAX_DATA_BYTES
    data = next(text for name, text in GOOD.items() if name == "as long as it may be")
    longest = "\x01" * ((room - 2) // 6)
    assert refused(frame(data, text=longest + "\x01")) is ErrorCode.PAYLOAD_TOO_LARGE

    names = "a" * 128, "b" * 128
    alice, bob = system.connect(names[0]), system.connect(names[1])
    system.serve(alice, parse(frame(data, text=longest, to=names[1], id="é" * 64)))
    (pushed,) = system.pushed(bob)
    assert room < len(encode(json.loads(pushed)).encode()) <= MAX_FRAME_BYTES
    history(system, *names)


# whatever concerns a text concerns it


def test_without_data_nothing_is_said_of_it(system: System) -> None:
    system.serve(system.connect("alice"), HI._replace(data=""))

    assert "data" not in stored(system)
    assert "data" not in history(system)[0]
    assert preview(system) == {"from": "alice", "text": "hi"}


def test_a_preview_says_that_there_is_data_and_not_what(system: System) -> None:
    system.serve(system.connect("alice"), ONLY_DATA)

    assert preview(system) == {"from": "alice", "text": "", "has_data": True}


def test_a_retry_is_one_whatever_the_order_of_names(system: System) -> None:
    alice = system.connect("alice")
    system.serve(alice, parse(frame('{"b": [1, {"d": 1, "c": 2}], "a": 1}')))
    system.restart()

    again = system.serve(alice, parse(frame('{"a":1,"b":[1,{"c":2,"d":1}]}', retry=True)))

    assert (again["seq"], again["duplicate"]) == (1, True)


@pytest.mark.parametrize("is_taken_back", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        HI._replace(data=""),
        HI._replace(data='{"type":"order"}'),
        HI._replace(text=""),
        HI._replace(text="hi" + HI.data),
    ],
)
def test_an_id_stands_for_its_text_and_its_data(system: System, other: Send, *, is_taken_back: bool) -> None:
    alice = system.connect("alice")
    system.serve(alice, HI)
    if is_taken_back:
        system.serve(alice, Unsend(None, "bob", 1))
    system.restart()

    with pytest.raises(ChatError, match="this id was used for another text") as caught:
        system.serve(alice, other._replace(retry=True))
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert system.serve(alice, HI._replace(retry=True))["duplicate"] is True


@pytest.mark.parametrize("sent", [HI, ONLY_DATA], ids=["both", "data alone"])
def test_a_message_that_is_taken_back_has_neither(system: System, sent: Send) -> None:
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, sent)
    system.gateway.pushed.clear()

    system.serve(alice, Unsend(None, "bob", 1))
    again = system.serve(alice, sent._replace(retry=True))

    assert again["duplicate"] is True
    assert SECRET not in str(system.table.items)
    assert [("data" in one, one["text"]) for one in history(system)] == [(False, "")] * 2
    assert all("data" not in pushed for pushed in map(json.loads, system.pushed(bob)))


def test_what_another_version_has_taken_back_shows_no_data(system: System) -> None:
    """The version before removes the text alone."""
    alice = system.connect("alice")
    system.serve(alice, HI)
    system.table.update(message_key("alice", "bob", 1), Update(put={"unsent": system.clock.now}, remove=["text"]))

    assert [("data" in one, one["text"]) for one in history(system)] == [(False, "")]


def test_a_text_alone_is_compared_as_the_version_before_does(system: System) -> None:
    alice = system.connect("alice")
    system.serve(alice, HI._replace(data=""))
    system.serve(alice, Unsend(None, "bob", 1))

    assert stored(system)["digest"] == blake2b(b"hi", digest_size=16).hexdigest()


@pytest.mark.parametrize("sent", [HI, ONLY_DATA], ids=["both", "data alone"])
@pytest.mark.parametrize("left", [(), ("text",), ("text", "digest")])
def test_erasing_leaves_nothing_of_it(system: System, sent: Send, left: tuple[str, ...]) -> None:
    system.serve(system.connect("alice"), sent)
    if left:  # as a version has left it that knows of no data
        system.table.update(message_key("alice", "bob", 1), Update(put={"unsent": 1}, remove=left))

    erased = Erasing(system.table, clock=system.clock, parallel=serially).erase("alice", None)

    assert (erased.messages, SECRET in str(system.table.items)) == (1, False)


def test_no_data_in_a_log(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    whole: dict[str, Any] = {"action": "send", "id": "m1", "to": "bob", "data": CARD}
    fraction, too_long = {**CARD, "a": 0.5}, {SECRET * 300: 1}
    for sent in (whole, {**whole, "data": fraction}, {**whole, "data": too_long}, {**whole, "id": "2"}):
        serve(system, sent)
    system.table.update(message_key("alice", "bob", 1), Update(put={"data": f'{{"{SECRET}":0.5}}', "text": "hi"}))
    system.table.update(message_key("alice", "bob", 2), Update(put={"data": SECRET}))
    serve(system, {"action": "history", "peer": "bob"})

    logged = lines(capsys)
    assert SECRET not in str(logged)
    codes = [line.get("code") for line in logged if line["message"] == "frame"]
    assert codes == [None, "bad_request", "payload_too_large", None, None]
    warned = {(line["message"], line["sk"][-1]) for line in logged if line["level"] == "WARN"}
    assert warned == {("attribute skipped", "1"), ("attribute skipped", "2"), ("item skipped", "2")}


# through a backend


@pytest.fixture
def routes(system: System) -> BackendRoutes:
    return backend_routes(
        system.table, system.gateway, clock=system.clock, parallel=serially, retention_ms=RETENTION_MS
    )


def done(routes: BackendRoutes, event: object) -> Any:
    result = json.loads(json.dumps(backend.serve(event, "r", routes)))
    assert problem("results", result) is None
    return result


def test_a_backend_sends_it_reads_it_and_exports_it(system: System, routes: BackendRoutes) -> None:
    event = {"action": "send", "user": "shop", "to": "alice", "id": "order-17", "data": CARD}
    assert problem("events", event) is None
    alice = system.connect("alice")

    assert [done(routes, event)["duplicate"] for _ in range(2)] == [False, True]

    assert [json.loads(pushed)["data"] for pushed in system.pushed(alice)] == [CARD, CARD]
    (found,) = done(routes, {"action": "history", "user": "alice", "peer": "shop"})["messages"]
    assert (found["text"], found["data"]) == ("", CARD)
    (chat,) = done(routes, {"action": "chats", "user": "alice"})["chats"]
    assert chat["last"] == {"from": "shop", "text": "", "has_data": True}
    first = done(routes, {"action": "export", "user": "alice"})
    items = done(routes, {"action": "export", "user": "alice", "next": first["next"]})["items"]
    assert [json.loads(item["data"]) for item in items] == [CARD]
    assert done(routes, {**event, "data": {"other": 1}})["code"] == "bad_request"


@pytest.mark.parametrize("data", BAD.values(), ids=list(BAD))
def test_the_schema_of_a_backend_and_its_code_refuse_the_same(routes: BackendRoutes, data: str) -> None:
    event = {"action": "send", "user": "shop", "to": "alice", "id": "1", "data": json.loads(data)}
    assert done(routes, event)["code"] == "bad_request"
    is_beyond_a_schema = "deep" in str([name for name, text in BAD.items() if text == data]) or "\\ud" in data
    assert is_beyond_a_schema or problem("events", event)


@pytest.mark.parametrize("data", GOOD.values(), ids=list(GOOD))
def test_the_schema_of_a_backend_takes_what_its_code_takes(routes: BackendRoutes, data: str) -> None:
    event = {"action": "send", "user": "shop", "to": "alice", "id": "1", "data": json.loads(data)}
    assert problem("events", event) is None
    assert done(routes, event)["type"] == "ack"
