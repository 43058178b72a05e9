"""Events that the bus does not take, over HTTP and through the SDK: the sender has its acknowledgement all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config

from chat.budget import TRIES, keep
from chat.bus import EventBus
from tests.fakes.engines import PATIENT, REGION, Engine
from tests.fakes.sdk import Fault
from tests.faults.system import System
from tests.faults.test_calls import FAULTS

SEND: dict[str, object] = {"action": "send", "to": "bob", "id": "m1", "text": "meet me at the harbour"}
Answer = tuple[int, dict[str, Any]]

TAKEN = (200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
REFUSED = (200, {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]})
THROTTLED = (400, {"__type": "ThrottlingException"})
DENIED = (400, {"__type": "AccessDeniedException"})
UNAVAILABLE = (500, {"__type": "InternalException"})
SILENCE: Answer = (0, {})


@dataclass
class Bus:
    """EventBridge on loopback: `answers` in order, and then what takes everything."""

    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    taken: list[Any] = field(default_factory=list)
    """The details of the events that it has."""
    url: str = ""


@contextmanager
def running() -> Iterator[Bus]:
    bus, ended = Bus(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
            bus.asked += 1
            status, answer = bus.answers.pop(0) if bus.answers else TAKEN
            if status == 0:
                ended.wait()
                self.close_connection = True
                return
            if (status, answer) == TAKEN:
                bus.taken += [json.loads(entry["Detail"]) for entry in entries]
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bus.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield bus
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def bus() -> Iterator[Bus]:
    with running() as one:
        yield one


def client_of(engine: Engine, url: str, config: Config) -> Any:
    made = engine.session.create_client(
        "events",
        config=config,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    keep(made)
    return made


def system(engine: Engine, bus: Bus, config: Config = PATIENT) -> System:
    return System(engine, bus=EventBus(client_of(engine, bus.url, config), "bus", has_text=True))


def failures(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    printed = capsys.readouterr().out
    assert "harbour" not in printed
    lines = [json.loads(line) for line in printed.splitlines()]
    return [line for line in lines if line["message"] == "event failed"]


@pytest.mark.parametrize(
    ("answer", "tries"),
    [(REFUSED, TRIES), (THROTTLED, TRIES), (UNAVAILABLE, TRIES), (DENIED, 1)],
    ids=["refused", "throttled", "unavailable", "denied"],
)
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("to", ["bob", "carol"])
def test_a_message_whose_event_fails_is_acknowledged_and_the_failure_is_counted(
    dynamodb: Engine, bus: Bus, capsys: pytest.CaptureFixture[str], *, answer: Answer, tries: int, again: bool, to: str
) -> None:
    made = system(dynamodb, bus)
    made.acquaint("alice", "bob")
    alice = made.connect("alice", "phone")
    if again:
        made.ask(alice, {**SEND, "to": to})
        assert failures(capsys) == []
    asked = bus.asked
    bus.answers = [answer] * tries

    ack = made.ask(alice, {**SEND, "to": to, "retry": again})

    assert (ack["type"], ack["seq"], ack["duplicate"]) == ("ack", 1, again)
    assert bus.asked - asked == tries
    assert [line["user"] for line in failures(capsys)] == [to]


def test_a_bus_that_says_nothing_is_not_waited_for_for_long(
    dynamodb: Engine, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    impatient = PATIENT.merge(Config(read_timeout=0.05))
    made = system(dynamodb, bus, impatient)
    bus.answers = [SILENCE] * TRIES

    assert made.ask(made.connect("alice", "phone"), SEND)["type"] == "ack"

    assert bus.asked == TRIES
    assert [line["error"] for line in failures(capsys)] == ["ReadTimeoutError"]


@pytest.mark.parametrize("answer", [REFUSED, THROTTLED, UNAVAILABLE], ids=["refused", "throttled", "unavailable"])
def test_an_event_that_fails_for_a_moment_is_put(
    dynamodb: Engine, bus: Bus, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    made = system(dynamodb, bus)
    bus.answers = [answer] * (TRIES - 1)

    made.ask(made.connect("alice", "phone"), SEND)

    assert [detail["seq"] for detail in bus.taken] == [1]
    assert failures(capsys) == []


CALLS = ("Query", "BatchGetItem", "Query", "PutItem", "BatchGetItem", "UpdateItem", "UpdateItem", "BatchGetItem")


def test_the_faults_below_meet_every_call(dynamodb: Engine, bus: Bus) -> None:
    made = system(dynamodb, bus)
    alice = made.connect("alice", "phone")
    made.recorder.calls.clear()
    made.ask(alice, SEND)
    assert sorted(made.recorder.operations()) == sorted(CALLS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("number", range(len(CALLS)))
def test_the_event_of_an_acknowledged_message_is_put_whatever_failed_before(
    dynamodb: Engine, bus: Bus, number: int, fault: Fault
) -> None:
    made = system(dynamodb, bus)
    alice = made.connect("alice", "phone")
    made.recorder.calls.clear()

    with made.faults.at(number, fault):
        assert made.ask(alice, SEND)["type"] == "error"
    assert bus.taken == []

    assert made.ask(alice, {**SEND, "retry": True})["type"] == "ack"
    assert [(detail["to"], detail["seq"]) for detail in bus.taken] == [("bob", 1)]
