"""The product's own rule: who is asked about, what is remembered, and what becomes of a message if nobody answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chat import sdk
from chat.budget import TRIES
from chat.may_send import MAX_REFUSALS, REFUSED_MS, FunctionRule
from chat.protocol import Block, ChatError, ErrorCode, Frame, Send, Unsend
from chat.table import log_partition
from chat.wiring import backend_routes, rule
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import serially
from tests.unit.conftest import ENVIRONMENT
from tests.unit.system import System
from tests.unit.test_backend import SEND as BACKENDS_SEND
from tests.unit.test_backend import done
from tests.unit.test_message import lines, serve

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:may-send"
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "alice"}}, "Invoke")
FAILURES = [
    THROTTLED,
    ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    *(b"", b"not JSON", b"null", b"true", b"[]", b"{}", b'{"allowed":1}', b'{"allowed":"true"}', b'{"allow":true}'),
    (b'{"allowed":true}', "Unhandled"),
]
"""What the function may do instead of an answer: the call fails, or it returns this, or it has failed itself."""


@dataclass
class Function:
    """Stands in for Lambda: what the product's function answers, and what it was asked."""

    answer: Any = b'{"allowed":true}'
    asked: list[tuple[str, str]] = field(default_factory=list)
    made: int = 0

    def client(self) -> Any:
        self.made += 1
        return self

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == FUNCTION
        question = json.loads(Payload)
        assert question.keys() == {"sender", "to"}
        self.asked.append((question["sender"], question["to"]))
        answer = self.answer(*self.asked[-1]) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        payload, failed = answer if isinstance(answer, tuple) else (answer, None)
        return {"Payload": BytesIO(payload), **({"FunctionError": failed} if failed else {})}


@pytest.fixture
def function() -> Function:
    return Function()


def with_rule(system: System, function: Function, *, fails_open: bool = False) -> System:
    """A cold start, with the rule."""
    system.restart(may_send=FunctionRule(function.client, FUNCTION, fails_open=fails_open, clock=system.clock))
    return system


def send(system: System, sender: str = "alice", to: str = "bob", id: str = "1", *, retry: bool = False) -> Frame:
    return system.serve(system.connect(sender), Send(id, to, "hi", retry))


def refused(system: System, sender: str = "alice", to: str = "bob") -> ChatError:
    with pytest.raises(ChatError) as caught:
        send(system, sender, to)
    return caught.value


def stored(system: System, *users: str) -> list[str]:
    """What the table has of a conversation."""
    alice, bob = users or ("alice", "bob")
    log = log_partition(alice, bob)
    return [str(key) for key in system.table.items if key.pk == log or key.sk.startswith("CHAT#")]


def test_who_begins_is_asked_about_once(system: System, function: Function) -> None:
    with_rule(system, function)

    send(system)
    send(system, id="2")
    send(system, retry=True)
    send(system, "bob", "alice")
    with_rule(system, function)
    send(system, id="3")
    send(system, "bob", "alice", id="4", retry=True)
    system.serve(system.connect("alice"), Unsend(None, "bob", 1))

    assert function.asked == [("alice", "bob")]


def test_nobody_is_asked_again_when_all_messages_have_expired(system: System, function: Function) -> None:
    with_rule(system, function)
    send(system)
    system.clock.advance(2 * RETENTION_MS)
    send(system, "bob", "alice", id="2")

    assert function.asked == [("alice", "bob")]


def test_a_refusal_is_final_and_leaves_nothing_behind(system: System, function: Function) -> None:
    function.answer = b'{"allowed":false}'
    error = refused(with_rule(system, function))

    assert (error.code, error.retry_after_ms) == (ErrorCode.FORBIDDEN, None)
    assert stored(system) == []


def test_a_refusal_holds_one_way(system: System, function: Function) -> None:
    """Whoever is written to may answer."""
    function.answer = lambda sender, _: json.dumps({"allowed": sender == "bob"}).encode()
    with_rule(system, function)
    refused(system)

    send(system, "bob", "alice")
    send(system)

    assert function.asked == [("alice", "bob"), ("bob", "alice")]


def test_a_refusal_is_remembered_for_a_moment(system: System, function: Function) -> None:
    function.answer = b'{"allowed":false}'
    with_rule(system, function)
    refused(system)
    function.answer = b'{"allowed":true}'

    system.clock.advance(REFUSED_MS - 1)
    refused(system)
    system.clock.advance(1)
    send(system)

    assert function.asked == [("alice", "bob")] * 2


def test_what_is_remembered_is_bounded(clock: ManualClock, function: Function) -> None:
    function.answer = b'{"allowed":false}'
    asking = FunctionRule(function.client, FUNCTION, fails_open=False, clock=clock)
    for number in range(MAX_REFUSALS + 5):
        with pytest.raises(ChatError):
            asking.check("alice", f"user-{number}")

    assert len(asking._refused) == MAX_REFUSALS
    assert (asking._client.cache_info().misses, function.made) == (1, 1)


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_closed_a_failure_is_temporary_and_leaves_nothing_behind(
    system: System, function: Function, failure: Any
) -> None:
    function.answer = failure
    error = refused(with_rule(system, function))

    assert error.code is ErrorCode.INTERNAL
    assert stored(system) == []
    function.answer = b'{"allowed":true}'
    assert send(system, retry=True)["seq"] == 1


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_open_a_failure_lets_pass(system: System, function: Function, failure: Any) -> None:
    function.answer = failure

    assert send(with_rule(system, function, fails_open=True))["seq"] == 1


def test_a_failure_is_logged_without_what_was_said(
    system: System, function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.answer = THROTTLED
    serve(with_rule(system, function), {"action": "send", "id": "1", "to": "bob", "text": "a secret"})

    failed, frame = lines(capsys)
    assert (failed["message"], failed["error"], failed["user"]) == ("may_send failed", "ClientError", "alice")
    assert frame["code"] == "internal"
    assert "a secret" not in str((failed, frame))


def test_a_refused_one_has_begun_nothing(system: System, function: Function) -> None:
    function.answer = b'{"allowed":false}'
    asking = FunctionRule(function.client, FUNCTION, fails_open=False, clock=system.clock)
    system.routes = system.message_routes(may_send=asking, new_chats=1)
    for number in range(3):
        refused(system, to=f"user-{number}")
    function.answer = b'{"allowed":true}'

    assert send(system)["seq"] == 1


def test_notes_to_oneself_and_blocks_ask_nobody(system: System, function: Function) -> None:
    with_rule(system, function)
    send(system, "alice", "alice")
    system.serve(system.connect("alice"), Block(None, "bob"))

    assert (function.asked, function.made) == ([], 0)


def test_a_backend_is_not_asked_about(system: System, function: Function) -> None:
    with_rule(system, function)
    routes = backend_routes(
        system.table, system.gateway, clock=system.clock, parallel=serially, retention_ms=RETENTION_MS
    )

    assert done(routes, BACKENDS_SEND)["seq"] == 1
    send(system, "alice", "shop")
    assert function.asked == []


def test_without_a_setting_there_is_no_rule(clock: ManualClock) -> None:
    def client(_: object) -> Any:
        raise AssertionError("a client is made")

    assert rule({}, client, clock) is None
    named = {"MAY_SEND_FUNCTION": FUNCTION, "MAY_SEND_FAILS": "closed"}
    assert isinstance(rule(named, client, clock), FunctionRule)


class Lambda(BaseHTTPRequestHandler):
    """Lambda's API on loopback: each answer of `answers` in turn, `(status, failed, payload)`."""

    answers: ClassVar[list[tuple[int, bool, bytes]]] = []
    asked: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((unquote(self.path), question))
        status, failed, payload = self.answers.pop(0)
        self.send_response(status)
        if failed:
            self.send_header("X-Amz-Function-Error", "Unhandled")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(200, False, b'{"allowed":true}')], None),
        ([(200, False, b'{"allowed":false}')], ErrorCode.FORBIDDEN),
        ([(200, True, b'{"errorMessage":"x"}')], ErrorCode.INTERNAL),
        ([(404, False, b"{}")], ErrorCode.INTERNAL),
        ([(429, False, b"{}")] * 2 + [(200, False, b'{"allowed":true}')], None),
        ([(500, False, b"{}")] * TRIES, ErrorCode.INTERNAL),
    ],
)
def test_it_is_asked_through_the_sdk(
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[tuple[int, bool, bytes]],
    code: ErrorCode | None,
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lambda)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(Lambda, "answers", list(answers))
    monkeypatch.setattr(Lambda, "asked", [])
    address = {"AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}"}
    for name, value in {**ENVIRONMENT, **address}.items():
        monkeypatch.setenv(name, value)
    asking = rule({"MAY_SEND_FUNCTION": FUNCTION, "MAY_SEND_FAILS": "closed"}, sdk.client, clock)
    assert asking
    try:
        asking.check("alice", "bob")
        found = None
    except ChatError as error:
        found = error.code
    finally:
        server.shutdown()
        server.server_close()

    assert found == code
    path = f"/2015-03-31/functions/{FUNCTION}/invocations"
    assert Lambda.asked == [(path, {"sender": "alice", "to": "bob"})] * len(answers)
    assert Lambda.answers == []
