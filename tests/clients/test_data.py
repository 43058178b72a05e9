"""Custom data: both clients take and refuse what the server does, and say why."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parley import Chat, Message
from parley.data import encode_data, is_data
from tests.asynchronous import asynchronous
from tests.clients.node_program import report_of
from tests.custom_data import BAD, GOOD, TOO_LONG

PROGRAM = Path(__file__).with_name("data.mjs")
TEXTS = [*GOOD.values(), *BAD.values(), *TOO_LONG.values()]

LOOP: dict[str, Any] = {}
LOOP["loop"] = LOOP
NOT_JSON: dict[str, Any] = {
    "a tuple": {"a": (1, 2)},
    "a set": {"a": {1}},
    "bytes": {"a": b"a"},
    "not a number": {"a": float("nan")},
    "infinity": {"a": float("inf")},
    "a fraction that is whole": {"a": 1.0},
    "a name that is a number": {1: "a"},
    "a name that is none": {None: "a"},
    "itself within itself": LOOP,
}


@cache
def said_by_javascript() -> Any:
    return report_of(PROGRAM, TEXTS)


def javascript(text: str) -> tuple[bool, str | None, str | None]:
    is_data, problem, refusal = said_by_javascript()["texts"][TEXTS.index(text)]
    return is_data, problem, refusal


@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_both_take_what_the_server_takes(text: str) -> None:
    assert encode_data(json.loads(text))
    assert javascript(text) == (True, None, None)


@pytest.mark.parametrize("text", BAD.values(), ids=list(BAD))
def test_both_refuse_what_the_server_refuses_wherever_it_comes_from(text: str) -> None:
    assert not is_data(json.loads(text))
    with pytest.raises(ValueError, match="data"):
        encode_data(json.loads(text))
    taken, problem, refusal = javascript(text)
    assert (taken, refusal) == (False, f"bad_request: {problem}")


@pytest.mark.parametrize("text", TOO_LONG.values(), ids=list(TOO_LONG))
def test_both_count_bytes_as_the_server_does_and_take_more_from_a_later_one(text: str) -> None:
    size = len(json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode())
    assert is_data(json.loads(text))
    with pytest.raises(ValueError, match=f"has {size} bytes of JSON, and the limit is 2048"):
        encode_data(json.loads(text))
    said = f"The data has {size} bytes of JSON, and the limit is 2048."
    assert javascript(text) == (True, said, f"bad_request: {said}")


@pytest.mark.parametrize("data", NOT_JSON.values(), ids=list(NOT_JSON))
def test_python_refuses_what_json_would_change(data: Any) -> None:
    assert not is_data(data)
    with pytest.raises(ValueError, match="data"):
        encode_data(data)


def test_javascript_refuses_what_json_would_change() -> None:
    found = said_by_javascript()["not_json"].items()
    assert [name for name, (taken, why) in found if taken or not str(why).startswith("bad_request: ")] == []
    assert said_by_javascript()["none"] == [None, None, *[f"bad_request: {NO_OBJECT}"] * 2]


NO_OBJECT = "The data of a message must be an object that is not empty."


def test_javascript_takes_objects_of_a_frame_or_a_test_window_as_its_own() -> None:
    said = said_by_javascript()
    assert [found for found in said["other_realm"] if found[1] is not None] == []
    assert [found for found in said["not_json_there"] if not str(found[1]).startswith("bad_request: ")] == []


def test_no_prototype_is_changed() -> None:
    assert said_by_javascript()["polluted"] is None


def test_javascript_sends_what_the_data_was() -> None:
    assert said_by_javascript()["is_changed_later"] is False


@asynchronous
async def test_python_sends_what_the_data_was() -> None:
    data = {"order": {"number": 17}}
    async with Chat.connect("ws://127.0.0.1:9/nowhere", "token", timeout=None) as chat:
        chat.post("bob", data=data)
        data["order"]["number"] = 18
        (pending,) = chat.chats[0].pending
    assert (pending.text, pending.data) == ("", {"order": {"number": 17}})


def test_a_message_can_still_be_in_a_set() -> None:
    first, second = (Message("bob", "bob", "alice", 1, "b1", "", 10, data={"order": order}) for order in (17, 18))
    assert len({first, second, first}) == 2
