"""The Python client of the backend function, against the function itself: the events it sends and what it makes of
results, tries and failures."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import parley.backend
from chat.clock import now_ms
from parley.backend import Backend, BackendError, Erased, Outgoing, Stored
from tests.backend_schema import problem

Answer = dict[str, Any]


class Function:
    """Lambda's API: answers each invocation with what is next, and keeps the events, which must be as documented."""

    def __init__(self, *answers: Answer | str) -> None:
        self.answers = list(answers)
        self.events: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Answer:  # noqa: N803 - boto3's names
        event = json.loads(Payload)
        assert problem("events", event) is None
        self.events.append(event)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return {"FunctionError": answer, "Payload": io.BytesIO(b'{"errorMessage": "secret"}')}
        assert problem("results", answer) is None
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def ack(id: str = "1", *, to: str = "alice", duplicate: bool = False) -> Answer:
    return {"type": "ack", "id": id, "to": to, "seq": 1, "ts": 1, "duplicate": duplicate, "delivered": 0}


def error(code: str, *, temporary: bool, **more: object) -> Answer:
    return {"type": "error", "code": code, "message": code, "temporary": temporary, "request_id": "r", **more}


LATER = error("too_many_requests", temporary=True, retry_after_ms=1_500)
REFUSED = error("bad_request", temporary=False)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("parley.backend.time.sleep", slept.append)
    return slept


def test_what_fails_for_now_is_tried_again_with_the_same_id(pauses: list[float]) -> None:
    function = Function("Unhandled", LATER, ack(duplicate=True))

    stored = Backend("chat", client=function).send("shop", "alice", "hi")

    assert stored == Stored("alice", "1", 1, 1, duplicate=True, delivered=0)
    assert len(function.events) == 3
    assert len({event["id"] for event in function.events}) == 1
    assert pauses == [0.2, 1.5]


def test_what_is_refused_for_good_is_not_tried_again(pauses: list[float]) -> None:
    with pytest.raises(BackendError) as caught:
        Backend("chat", client=Function(REFUSED)).send("shop", "alice", "hi", id="1")
    assert (caught.value.code, caught.value.temporary, pauses) == ("bad_request", False, [])


NEVER_TAKEN: list[tuple[dict[str, Any], str]] = [
    ({"data": {"price": float("nan")}}, "a number in data must be an int"),
    ({"data": {"price": float("inf")}}, "a number in data must be an int"),
    ({"data": {"price": 19.9}}, "a number in data must be an int"),
    ({"data": {17: "order"}}, "a key in data must be a str, not int"),
    ({"data": {"sizes": (1, 2)}}, "but not tuple"),
    ({"data": {"at": object()}}, "but not object"),
    ({"data": {"__proto__": 1}}, "'__proto__' cannot be a key in data"),
    ({"data": {"a": "x" * 2_048}}, "bytes of JSON, and the limit is 2048"),
    ({"data": {}}, "must be a dict that is not empty"),
    ({"text": ""}, "the text of a message must be a string that is not empty"),
    ({"text": None}, "the text of a message must be a string that is not empty"),
    ({"text": "\ud800"}, "a lone surrogate"),
    ({"text": "x" * 8_193}, "1 character too long"),
    ({"to": "bob smith"}, "'bob smith' is not a valid user id"),
    ({"to": None}, "None is not a valid user id"),
    ({"id": "x" * 65}, "1 to 64 characters"),
    ({"id": 17}, "1 to 64 characters"),
]


@pytest.mark.parametrize(("fields", "advice"), NEVER_TAKEN)
def test_a_message_that_the_function_could_never_take_is_not_sent(fields: dict[str, Any], advice: str) -> None:
    function = Function()
    with pytest.raises(ValueError, match=re.escape(advice)):
        Backend("chat", client=function).send("shop", **{"to": "alice", "text": "hi", **fields})
    assert function.events == []


@pytest.mark.parametrize(("fields", "advice"), NEVER_TAKEN)
def test_of_a_batch_what_the_function_could_never_take_is_not_sent_and_all_else_is(
    fields: dict[str, Any], advice: str
) -> None:
    function = Function({"type": "batch", "results": [ack("1"), ack("3")]})
    bad = Outgoing(**{"to": "bob", "text": "hi", "id": "2", **fields})

    one, two, three = Backend("chat", client=function).send_batch(
        "shop", [Outgoing("alice", "one", "1"), bad, Outgoing("alice", "three", "3")]
    )

    assert isinstance(one, Stored)
    assert isinstance(two, BackendError)
    assert isinstance(three, Stored)
    assert (two.code, two.temporary, advice in two.message) == ("bad_request", False, True)
    assert [message["id"] for message in function.events[0]["messages"]] == ["1", "3"]


def test_a_batch_of_which_nothing_can_be_taken_asks_for_nothing() -> None:
    function = Function()
    (result,) = Backend("chat", client=function).send_batch("shop", [Outgoing("bob smith", "hi")])
    assert isinstance(result, BackendError)
    assert function.events == []


def test_a_message_of_nobodys_is_not_sent() -> None:
    chat = Backend("chat", client=Function())
    for send in (lambda: chat.send("the shop", "bob", "hi"), lambda: chat.send_batch("the shop", [Outgoing("bob")])):
        with pytest.raises(ValueError, match="'the shop' is not a valid user id"):
            send()


def test_a_string_is_no_list_of_users() -> None:
    function = Function()
    with pytest.raises(ValueError, match=re.escape("give the users as a list, like ['bob'], not as a string")):
        Backend("chat", client=function).presence("bob")
    assert function.events == []


def test_what_goes_on_failing_is_raised_and_says_nothing_of_the_event(pauses: list[float]) -> None:
    function = Function(*["Unhandled"] * parley.backend.TRIES)
    with pytest.raises(BackendError) as caught:
        Backend("chat", client=function).unread("alice")
    assert (caught.value.code, caught.value.temporary) == ("internal", True)
    assert "secret" not in str(caught.value)
    assert not function.answers


def test_of_a_batch_what_failed_for_now_is_sent_again_and_nothing_else(pauses: list[float]) -> None:
    batch = [Outgoing("alice", "one", "1"), Outgoing("bob", "two", "2"), Outgoing("carol", "three", "3")]
    first = {"type": "batch", "results": [ack("1"), {**LATER, "id": "2"}, {**REFUSED, "id": "3"}]}
    function = Function(first, {"type": "batch", "results": [ack("2", to="bob")]})

    one, two, three = Backend("chat", client=function).send_batch("shop", batch)

    assert isinstance(one, Stored)
    assert isinstance(two, Stored)
    assert isinstance(three, BackendError)
    assert (one.id, two.id, three.code) == ("1", "2", "bad_request")
    assert [[message["id"] for message in event["messages"]] for event in function.events] == [["1", "2", "3"], ["2"]]
    assert pauses == [1.5]


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_one_to_a_hundred_messages(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        Backend("chat", client=Function()).send_batch("shop", [Outgoing("alice", "hi")] * count)


@pytest.mark.parametrize("end", [lambda chat: chat.kick("alice"), lambda chat: chat.bar("alice", 5).closed])
def test_a_connection_that_is_still_opening_is_ended_once_it_is_open(
    pauses: list[float], end: Callable[[Backend], int]
) -> None:
    answers = [{"closed": 1, "opening": 1}, {"closed": 2, "opening": 0}]
    function = Function(*({"type": "bar", "user": "alice", "until": 5, **one} for one in answers))

    assert end(Backend("chat", client=function)) == 2

    assert len(function.events) == 2
    assert pauses == [1.0]


def test_pages_are_asked_for_until_there_are_no_more() -> None:
    chat = {"seq": 3, "ts": now_ms(), "read": 1, "peer_read": 0, "peer_delivered": 0, "wrote": 0, "peer_wrote": 3}
    pages: list[Answer] = [
        {"chats": [{"peer": "bob", **chat, "unread": 2, "last": {"from": "bob", "text": "hi"}}], "next": "1 bob"},
        {"chats": [{"peer": "carol", **chat, "unread": 2, "blocked": True}]},
    ]
    function = Function(*({"type": "chats", "user": "alice", **page} for page in pages))

    bob, carol = Backend("chat", client=function).chats("alice")

    assert (bob.peer, bob.unread, bob.last_text, bob.blocked) == ("bob", 2, "hi", False)
    assert (carol.peer, carol.last_text, carol.blocked) == ("carol", None, True)
    assert [event.get("next") for event in function.events] == [None, "1 bob"]


def test_a_user_is_sent_away_before_it_is_erased(pauses: list[float]) -> None:
    function = Function(
        {"type": "bar", "user": "alice", "until": 5, "closed": 0, "opening": 1},
        {"type": "bar", "user": "alice", "until": 5, "closed": 1, "opening": 0},
        {"type": "erase", "user": "alice", "messages": 100, "chats": 0, "next": "bob MSG#1"},
        {"type": "erase", "user": "alice", "messages": 3, "chats": 1},
    )

    erased = list(Backend("chat", client=function).erase("alice"))

    assert erased == [Erased(100, 0), Erased(3, 1)]
    assert [(event["action"], event.get("next")) for event in function.events] == [
        ("bar", None),
        ("bar", None),
        ("erase", None),
        ("erase", "bob MSG#1"),
    ]
