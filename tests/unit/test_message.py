"""The handler of frames: every outcome is a frame, and nothing private is in a frame or a log that it is not in."""

from __future__ import annotations

import json
import time
from typing import Any

import message
import pytest

from chat.conversations import TAIL_LENGTH
from chat.delivery import Pushed
from chat.events import Response
from chat.protocol import ChatError, ErrorCode
from chat.sessions import OPENING_MS
from chat.table import Update, sessions_key
from tests.unit.events import REQUEST_ID, websocket_event
from tests.unit.system import System, always, fails_at

TEXT = "meet me at the harbour"
EXCEPTION = f"could not store {TEXT!r} of the token eyJhbGciOiJIUzI1NiJ9"


def serve(system: System, frame: object, *, expires_at: int | None = None) -> Response:
    body = frame if isinstance(frame, str) or frame is None else json.dumps(frame)
    return message.serve(websocket_event("MESSAGE", body=body, expires_at=expires_at), system.routes, system.limits)


def reply(response: Response) -> Any:
    assert response["statusCode"] == 200
    return json.loads(response["body"])


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return [json.loads(line) for line in captured.out.splitlines()]


SEND = {"action": "send", "id": "m1", "to": "bob", "text": TEXT}


def test_a_frame_is_answered_with_a_frame(system: System) -> None:
    assert reply(serve(system, {"action": "ping", "id": "1"})) == {"type": "pong", "id": "1", "ts": system.clock.now}


def test_an_answer_is_raw_utf8(system: System) -> None:
    serve(system, {**SEND, "text": "é世👋"})

    assert "é世👋" in serve(system, {"action": "history", "peer": "bob"})["body"]


def test_what_has_no_reply_has_no_body(system: System) -> None:
    assert serve(system, {"action": "typing", "to": "bob", "state": "paused"}) == {"statusCode": 200}


def test_a_frame_that_waited_for_its_function_is_not_stored_again(system: System) -> None:
    """Its retry has overtaken it."""
    received_at = system.clock()
    system.clock.advance(1_000)
    serve(system, {**SEND, "retry": True})
    for number in range(TAIL_LENGTH):
        serve(system, {**SEND, "id": f"other {number}"})
    system.clock.advance(1_000)

    event = websocket_event("MESSAGE", body=json.dumps(SEND), received_at=received_at)
    assert reply(message.serve(event, system.routes, system.limits))["duplicate"]


def test_the_sender_is_the_authorizers_word(system: System) -> None:
    serve(system, {**SEND, "from": "eve", "sender": "eve", "user": "eve", "userId": "eve"})

    (sent,) = reply(serve(system, {"action": "history", "peer": "bob"}))["messages"]
    assert sent["from"] == "alice"


@pytest.mark.parametrize(
    ("frame", "code", "id"),
    [
        (None, "bad_request", None),
        ("", "bad_request", None),
        ("not json", "bad_request", None),
        ("[" * 100_000, "bad_request", None),
        ({"action": "send", "id": "1"}, "bad_request", "1"),
        ({"action": "nope", "id": "1"}, "unknown_action", "1"),
        ({"action": "send", "id": "1", "to": "bob", "text": "a" * 9_000}, "payload_too_large", "1"),
        ({"action": "receipt", "id": "1", "peer": "bob", "kind": "read", "seq": 1}, "bad_request", "1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_frame_is_answered_with_an_error_and_changes_nothing(
    system: System, frame: object, code: str, id: str | None
) -> None:
    error = reply(serve(system, frame))

    assert (error["type"], error["code"], error.get("id")) == ("error", code, id)
    assert (error["temporary"], error["request_id"]) == (False, REQUEST_ID)
    assert system.table.items == {}


def test_throttling_says_when_to_come_back(system: System) -> None:
    system.before = always(ChatError(ErrorCode.TOO_MANY_REQUESTS, "later", retry_after_ms=1_000), on="insert")

    error = reply(serve(system, SEND))

    assert error == {
        "type": "error",
        "id": "m1",
        "code": "too_many_requests",
        "message": "later",
        "temporary": True,
        "retry_after_ms": 1_000,
        "request_id": REQUEST_ID,
    }


@pytest.mark.parametrize("error", [RuntimeError(EXCEPTION), TypeError(EXCEPTION), KeyError(EXCEPTION)], ids=repr)
@pytest.mark.parametrize("step", range(7))
def test_an_unexpected_failure_is_answered_and_leaks_nothing(
    system: System, capsys: pytest.CaptureFixture[str], step: int, error: Exception
) -> None:
    system.before = fails_at(step, error)

    response = serve(system, SEND)

    frame = reply(response)
    assert (frame["code"], frame["temporary"], frame["id"]) == ("internal", True, "m1")
    logged = capsys.readouterr().out
    for private in (TEXT, EXCEPTION, "eyJhbGciOiJIUzI1NiJ9"):
        assert private not in logged
        assert private not in response["body"]
    failure, frame_line = (json.loads(line) for line in logged.splitlines())
    assert (failure["level"], failure["error"], failure["request_id"]) == ("ERROR", type(error).__name__, REQUEST_ID)
    assert any("routes.py" in where for where in failure["where"])
    assert frame_line["code"] == "internal"


def test_a_sessions_item_of_another_shape_is_nobody_s_failure(system: System) -> None:
    system.table.update(sessions_key("bob"), Update(put={"rev": "one", "last_seen": "yesterday", "@phone=": "open"}))

    (bob,) = reply(serve(system, {"action": "presence", "users": ["bob"]}))["users"]

    assert bob == {"user": "bob", "online": False, "last_seen": None, "rev": 0}


# the token's expiry


def now_ms() -> int:
    return int(time.time() * 1_000)


def test_a_connection_that_has_outlived_its_token_is_told_so_and_closed(system: System) -> None:
    assert serve(system, SEND, expires_at=now_ms() - 1) == {"statusCode": 200}

    error, close = (json.loads(data) for _, data in system.gateway.pushed)
    assert (error["code"], error["id"], error["temporary"]) == ("token_expired", "m1", False)
    assert (close["type"], close["code"], close["retry_after_ms"]) == ("close", "token_expired", 0)
    assert system.steps == ["push", "push", "close"]
    assert system.gateway.closed == ["alice-phone="]
    assert system.table.items == {}


def test_a_connection_whose_token_holds_is_served(system: System) -> None:
    assert reply(serve(system, SEND, expires_at=now_ms() + 60_000))["type"] == "ack"


# the log


@pytest.mark.parametrize(
    ("frame", "action", "code"),
    [
        (SEND, "send", None),
        ({"action": "ping"}, "ping", None),
        ({"action": "history", "peer": "bob"}, "history", None),
        ({"action": "nope"}, None, "unknown_action"),
        (TEXT, None, "bad_request"),
        ({"action": "send", "to": TEXT, "text": TEXT}, None, "bad_request"),
        ({"action": TEXT, "id": TEXT}, None, "unknown_action"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_frame_is_one_line_without_its_text(
    system: System, capsys: pytest.CaptureFixture[str], frame: object, action: str | None, code: str | None
) -> None:
    serve(system, frame)

    logged = capsys.readouterr().out
    assert TEXT not in logged
    line = json.loads(logged)
    assert (line["level"], line["message"], line.get("action"), line.get("code")) == ("INFO", "frame", action, code)
    assert (line["user"], line["connection"], line["request_id"]) == ("alice", "alice-phone=", REQUEST_ID)
    assert line["duration_ms"] >= 0


def test_the_line_counts_what_became_of_the_pushes(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    taking, gone, failing = (system.connect("bob", name) for name in ("taking", "gone", "failing"))
    system.clock.advance(OPENING_MS + 1)
    system.gateway.answers = {gone.id: Pushed.GONE, failing.id: Pushed.FAILED}

    serve(system, SEND)

    (line,) = lines(capsys)
    assert (line["taken"], line["gone"], line["failed"]) == (1, 1, 1)
    assert len(system.pushed(taking)) == 1


# the handler itself


def test_the_handler_serves_frames_with_the_routes_of_its_environment(capsys: pytest.CaptureFixture[str]) -> None:
    response = message.handler(websocket_event("MESSAGE", body='{"action":"ping"}'), None)

    assert reply(response)["type"] == "pong"
