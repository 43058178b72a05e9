"""The time of an event, and of one call, whatever the SDK makes of answers; also run with a newer SDK."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import announcement
import authorizer
import connection
import message
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from chat import budget as budget_module
from chat.api_gateway import CONNECT_SECONDS, READ_SECONDS
from chat.budget import SECONDS, TRIES, OutOfTime, budget, keep
from chat.delivery import Pushed
from chat.dynamo import DynamoTable
from chat.sdk import CONFIG
from tests.fakes.clock import ManualClock
from tests.fakes.engines import PATIENT, Engine, gateway_at
from tests.fakes.instances import instance
from tests.fakes.memory import MemoryGateway
from tests.faults.system import System
from tests.unit.events import websocket_event

FUNCTION_SECONDS = 10
SPARE_SECONDS = 1
"""For what the handler itself does, and for writing the answer."""

AFTER = {"x-amz-retry-after": "4000", "Retry-After": "4"}
"""What newer SDKs wait for: milliseconds, and seconds."""


class Time:
    """A clock that only pauses move, and whoever moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    """The budget's time, and that of all pauses: the SDK's, and those between appends."""
    ticking = Time()
    monkeypatch.setattr(budget_module, "time", ticking)
    monkeypatch.setattr("botocore.endpoint.time", ticking)
    monkeypatch.setattr("chat.conversations.time", ticking)
    monkeypatch.setattr("chat.dynamo.time", ticking)
    yield ticking
    budget._ends = math.inf


@contextmanager
def answering(status: int, code: str = "InternalServerError") -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything with one error, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers.get("X-Amz-Target", self.path))
            body = json.dumps({"__type": code}).encode()
            self.send_response(status)
            for name, value in {**AFTER, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def dynamodb_client(url: str, config: Config = PATIENT) -> Any:
    client = Engine(url).client(config)
    keep(client)
    return client


def get(client: Any) -> None:
    client.get_item(TableName="chat", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (500, "InternalServerError", TRIES),
        (503, "ServiceUnavailable", TRIES),
        (400, "ThrottlingException", TRIES),
        (400, "ProvisionedThroughputExceededException", TRIES),
        (429, "TooManyRequestsException", TRIES),
        (400, "ValidationException", 1),
        (400, "ConditionalCheckFailedException", 1),
        (403, "AccessDeniedException", 1),
    ],
)
def test_what_may_pass_is_tried_again_and_no_answer_says_for_how_long_to_wait(
    clock: Time, status: int, code: str, tries: int
) -> None:
    with answering(status, code) as (url, asked), pytest.raises(ClientError):
        get(dynamodb_client(url))

    assert len(asked) == tries
    assert len(clock.pauses) == tries - 1
    assert sum(clock.pauses) <= budget_module.FIRST_PAUSE_SECONDS * (2**TRIES - 1)


def test_a_server_that_says_nothing_is_asked_as_often(clock: Time) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ReadTimeoutError):
        get(dynamodb_client(f"http://127.0.0.1:{silent.getsockname()[1]}", PATIENT.merge(Config(read_timeout=0.05))))

    assert len(clock.pauses) == TRIES - 1


def test_no_call_begins_when_the_time_is_up_and_none_is_tried_again(clock: Time) -> None:
    with answering(500) as (url, asked):
        client = dynamodb_client(url)
        budget.begin()
        clock.now = SECONDS - 1e-9
        with pytest.raises(ClientError):
            get(client)
        assert len(asked) == 1
        clock.now = SECONDS
        with pytest.raises(OutOfTime):
            get(client)
        assert len(asked) == 1


def test_a_frame_that_meets_the_slowest_failures_is_answered_within_the_functions_time(
    clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    longest_try = CONFIG.connect_timeout + CONFIG.read_timeout  # type: ignore[attr-defined]

    def slowly(**_: object) -> None:
        clock.now += longest_try

    with answering(503) as (url, asked):
        client = dynamodb_client(url)
        client.meta.events.register("before-send", slowly)
        made = instance(DynamoTable(client, "chat"), MemoryGateway(), clock=ManualClock())
        budget.begin()
        event = websocket_event("MESSAGE", body=json.dumps({"action": "send", "to": "bob", "text": "hi"}))
        response = message.serve(event, made.messages, made.limits)

    assert json.loads(response["body"])["code"] == "internal"
    assert asked
    assert clock.now < FUNCTION_SECONDS - SPARE_SECONDS
    capsys.readouterr()


def test_a_frame_whose_every_call_takes_all_its_tries_is_answered_within_the_functions_time(
    dynamodb: Engine, clock: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    """No call fails, so nothing but the budget ends it."""
    longest_try = CONFIG.connect_timeout + CONFIG.read_timeout  # type: ignore[attr-defined]
    made = System(dynamodb)
    alice = made.connect("alice", "phone")
    client = made.table._client
    keep(client)
    sent: list[float] = []

    def slowly(**_: object) -> None:
        sent.append(clock.now)
        if len(sent) % TRIES:
            clock.now += longest_try
            raise ReadTimeoutError(endpoint_url="")

    client.meta.events.register("before-send", slowly)
    budget.begin()
    reply = made.ask(alice, {"action": "send", "to": "bob", "text": "hi"})

    assert (reply["type"], reply["code"]) == ("error", "internal")
    assert len(sent) > TRIES
    assert max(sent) < SECONDS
    assert clock.now < FUNCTION_SECONDS - SPARE_SECONDS
    capsys.readouterr()


def test_the_worst_that_one_frame_can_meet_ends_within_the_functions_time() -> None:
    longest_try = CONFIG.connect_timeout + CONFIG.read_timeout  # type: ignore[attr-defined]
    longest_push = 2 * CONNECT_SECONDS + READ_SECONDS

    assert SECONDS + max(longest_try, longest_push) < FUNCTION_SECONDS - SPARE_SECONDS


@pytest.mark.parametrize("module", [announcement, authorizer, connection, message])
def test_each_event_has_the_whole_time(module: Any, clock: Time) -> None:
    budget._ends = 0.0
    assert not budget.allows(0)

    with pytest.raises((KeyError, RuntimeError)):
        module.handler({}, None)  # which is not an event; the budget comes first

    assert budget.allows(SECONDS - 1e-9)
    assert not budget.allows(SECONDS)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_push_that_fails_is_not_tried_again(clock: Time, status: int) -> None:
    with answering(status) as (url, asked):
        assert gateway_at(url).push("a", b"{}") is Pushed.FAILED

    assert (len(asked), clock.pauses) == (1, [])


def test_a_connection_that_died_since_the_last_event_costs_no_push(clock: Time) -> None:
    """It answers once, then takes a request and hangs up, as what is left of a connection after a freeze does."""
    answer, body = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"{}"
    served: list[bytes] = []

    def take(one: socket.socket) -> None:
        """Takes a request, which may come in pieces."""
        request = b""
        while not request.endswith(body):
            request += one.recv(65_536)
        served.append(request)

    def serve(listening: socket.socket) -> None:
        first, _ = listening.accept()
        take(first)
        first.sendall(answer)
        take(first)
        first.close()
        second, _ = listening.accept()
        take(second)
        second.sendall(answer)
        second.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        gateway = gateway_at(f"http://127.0.0.1:{listening.getsockname()[1]}")
        for _ in range(2):
            assert gateway.push("a", body) is Pushed.TAKEN
        thread.join()

    assert len(served) == 3
    assert clock.pauses == []


class SlowToOthers(MemoryGateway):
    """A push to anybody but alice takes all the time of the event."""

    def __init__(self, clock: Time) -> None:
        super().__init__()
        self.clock = clock

    def push(self, connection_id: str, data: bytes) -> Pushed:
        if not connection_id.startswith("alice"):
            self.clock.now += SECONDS
        return super().push(connection_id, data)


def test_a_sync_that_puts_its_connection_back_tells_others_last(dynamodb: Engine, clock: Time) -> None:
    gateway = SlowToOthers(clock)
    system = System(dynamodb, gateway=gateway)
    keep(system.table._client)
    alice, bob = system.connect("alice", "phone"), system.connect("bob", "phone")
    for caller, to in ((alice, "bob"), (bob, "alice")):
        system.ask(caller, {"action": "send", "to": to, "text": "hello"})
    system.instance().sessions.prune(alice)
    gateway.pushed.clear()

    budget.begin(SECONDS)
    reply = system.ask(alice, {"action": "sync", "id": "1"})

    assert [chat["peer"] for chat in reply["chats"]] == ["bob"]
    assert {to for to, _ in gateway.pushed} == {alice.id, bob.id}
