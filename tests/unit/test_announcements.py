"""Announcements: how the connection function sends one, and what the announcement function does with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import announcement as handler
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chat.announcements import AwsAnnouncer, QueuedDepartures, announced, announcement
from chat.protocol import Send, UserPresence
from chat.sdk import Service
from chat.sessions import Connection
from tests.unit.system import System, always

PRESENCE = UserPresence("alice", online=False, last_seen=None, rev=3)


class Aws:
    """The SDK's clients, as far as they are used."""

    def __init__(self, error: Exception | None = None) -> None:
        self.invoked: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self._error = error

    def invoke(self, **arguments: Any) -> None:
        self._call(self.invoked, arguments)

    def send_message(self, **arguments: Any) -> None:
        self._call(self.sent, arguments)

    def _call(self, calls: list[dict[str, Any]], arguments: dict[str, Any]) -> None:
        calls.append(arguments)
        if self._error is not None:
            raise self._error


def announcer(aws: Aws, made: list[str] | None = None) -> AwsAnnouncer:
    def make(service: str) -> Any:
        if made is not None:
            made.append(service)
        return aws

    factory: Callable[[Service], Any] = make
    return AwsAnnouncer(factory, "announcement", "https://queue", 60)


def test_the_news_arrive_as_they_were_sent() -> None:
    aws = Aws()

    announcer(aws).announce(PRESENCE)

    (invocation,) = aws.invoked
    assert (invocation["FunctionName"], invocation["InvocationType"]) == ("announcement", "Event")
    assert announced(json.loads(invocation["Payload"])) == PRESENCE


def test_what_is_told_later_waits_in_the_queue() -> None:
    aws = Aws()

    announcer(aws).announce_later(PRESENCE)

    (message,) = aws.sent
    assert (message["QueueUrl"], message["DelaySeconds"]) == ("https://queue", 60)
    assert announced(json.loads(message["MessageBody"])) == PRESENCE
    assert aws.invoked == []


@pytest.mark.parametrize("last_seen", [None, 1_800_000_000_000])
def test_an_announcement_comes_back_as_it_went(last_seen: int | None) -> None:
    presence = UserPresence("alice", online=True, last_seen=last_seen, rev=1)

    assert announced(announcement(presence)) == presence


def test_a_client_is_made_when_it_is_needed_and_kept() -> None:
    made: list[str] = []
    announcing = announcer(Aws(), made)
    assert made == []

    for _ in range(2):
        announcing.announce(PRESENCE)
    assert made == ["lambda"]
    for _ in range(2):
        announcing.announce_later(PRESENCE)
    assert made == ["lambda", "sqs"]


@pytest.mark.parametrize("announce", [AwsAnnouncer.announce, AwsAnnouncer.announce_later])
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "hunter2"}}, "Invoke"),
        EndpointConnectionError(endpoint_url="http://hunter2"),
    ],
    ids=repr,
)
def test_a_handshake_is_not_refused_for_news_that_cannot_be_told(
    capsys: pytest.CaptureFixture[str], error: Exception, announce: Callable[[AwsAnnouncer, UserPresence], None]
) -> None:
    announce(announcer(Aws(error)), PRESENCE)

    logged = capsys.readouterr().out
    assert "hunter2" not in logged
    line = json.loads(logged)
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "announcement failed", type(error).__name__)


# the function

SECRET = "a message of somebody's"
ARRIVAL = announcement(UserPresence("alice", True, 1, 1))


def test_an_announcement_is_told_and_logged(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, Send(None, "bob", "hi"))
    capsys.readouterr()
    system.gateway.pushed.clear()

    assert handler.serve(ARRIVAL, system.routes, system.limits) == {"statusCode": 200}

    (frame,) = system.pushed(bob)
    assert json.loads(frame)["type"] == "presence"
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["user"], line["online"], line["taken"]) == ("announcement", "alice", True, 1)


def test_a_failed_announcement_raises_nothing_and_leaks_nothing(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure is in the log; AWS is told not to retry, so there is nobody to raise it to."""
    system.before = always(RuntimeError(SECRET), on="query")

    assert handler.serve(ARRIVAL, system.routes, system.limits) == {"statusCode": 500}

    logged = capsys.readouterr().out
    assert SECRET not in logged
    assert json.loads(logged)["error"] == "RuntimeError"


def queued(*departures: UserPresence) -> QueuedDepartures:
    """The event with which messages of the queue come."""
    bodies = (json.dumps(announcement(departure)) for departure in departures)
    return {"Records": [{"messageId": f"message-{n}", "body": body} for n, body in enumerate(bodies, 1)]}


@pytest.fixture
def graceful(system: System) -> System:
    """Alice has left, whose departure waits in the queue; bob is there."""
    system.set_grace(60_000)
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, Send(None, "bob", "hi"))
    system.clock.advance(1_000)
    system.connection_routes.disconnect(alice)
    system.gateway.pushed.clear()
    assert system.pushed(bob) == []
    return system


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_departure_that_has_waited_is_told(graceful: System, capsys: pytest.CaptureFixture[str]) -> None:
    (departure,) = graceful.announcer.later
    graceful.clock.advance(60_000)
    capsys.readouterr()

    assert handler.serve(queued(departure), graceful.routes, graceful.limits) == {"batchItemFailures": []}

    (frame,) = graceful.pushed(Connection("bob", "bob-phone=", 0))
    assert json.loads(frame)["users"] == [
        {"user": "alice", "online": False, "last_seen": departure.last_seen, "rev": departure.rev}
    ]
    (line,) = lines(capsys)
    assert (line["message"], line["user"], line["online"], line["taken"]) == ("announcement", "alice", False, 1)


def test_who_is_back_by_then_never_went(graceful: System, capsys: pytest.CaptureFixture[str]) -> None:
    (departure,) = graceful.announcer.later
    graceful.clock.advance(59_000)
    graceful.connect("alice", "laptop")
    graceful.clock.advance(1_000)
    capsys.readouterr()

    assert handler.serve(queued(departure), graceful.routes, graceful.limits) == {"batchItemFailures": []}

    assert graceful.gateway.pushed == []
    (line,) = lines(capsys)
    assert (line["message"], line["user"]) == ("announcement not needed", "alice")


def test_a_departure_that_cannot_be_told_comes_again(graceful: System, capsys: pytest.CaptureFixture[str]) -> None:
    (departure,) = graceful.announcer.later
    graceful.before = always(RuntimeError(SECRET), on="query")

    failed = handler.serve(queued(departure), graceful.routes, graceful.limits)

    assert failed == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    logged = capsys.readouterr().out
    assert SECRET not in logged
    assert json.loads(logged.splitlines()[-1])["error"] == "RuntimeError"


@pytest.mark.parametrize(
    "body", [f"no JSON: {SECRET}", "[]", '{"announce": {}}', json.dumps({"announce": {"user": "alice", SECRET: 1}})]
)
def test_what_cannot_be_read_is_put_aside_and_its_words_are_not_logged(
    graceful: System, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    event: QueuedDepartures = {"Records": [{"messageId": "message-1", "body": body}]}
    capsys.readouterr()

    failed = handler.serve(event, graceful.routes, graceful.limits)

    assert failed == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    logged = capsys.readouterr().out
    assert "announcement failed" in logged
    assert SECRET not in logged


def test_the_handler_has_the_routes_of_its_environment(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handler, "_routes", system.routes)

    handler.handler(ARRIVAL, None)

    assert json.loads(capsys.readouterr().out)["message"] == "announcement"
