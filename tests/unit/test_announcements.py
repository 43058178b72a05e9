"""Announcements: how the connection function sends one, and what the announcement function does with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import announcement as handler
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chat.announcements import LambdaAnnouncer, announced, announcement
from chat.protocol import Send, UserPresence
from tests.unit.system import System, always

PRESENCE = UserPresence("alice", online=False, last_seen=None, rev=3)


class Lambda:
    """The SDK's client, as far as it is used."""

    def __init__(self, error: Exception | None = None) -> None:
        self.invoked: list[dict[str, Any]] = []
        self._error = error

    def invoke(self, **arguments: Any) -> None:
        self.invoked.append(arguments)
        if self._error is not None:
            raise self._error


def announcer(client: Lambda, made: list[Lambda] | None = None) -> LambdaAnnouncer:
    def make() -> Any:
        if made is not None:
            made.append(client)
        return client

    factory: Callable[[], Any] = make
    return LambdaAnnouncer(factory, "announcement")


def test_the_news_arrive_as_they_were_sent() -> None:
    client = Lambda()

    announcer(client).announce(PRESENCE)

    (invocation,) = client.invoked
    assert (invocation["FunctionName"], invocation["InvocationType"]) == ("announcement", "Event")
    assert announced(json.loads(invocation["Payload"])) == PRESENCE


@pytest.mark.parametrize("last_seen", [None, 1_800_000_000_000])
def test_an_announcement_comes_back_as_it_went(last_seen: int | None) -> None:
    presence = UserPresence("alice", online=True, last_seen=last_seen, rev=1)

    assert announced(announcement(presence)) == presence


def test_the_client_is_made_when_it_is_needed_and_kept() -> None:
    made: list[Lambda] = []
    announcing = announcer(Lambda(), made)
    assert made == []

    announcing.announce(PRESENCE)
    announcing.announce(PRESENCE)

    assert len(made) == 1


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "hunter2"}}, "Invoke"),
        EndpointConnectionError(endpoint_url="http://hunter2"),
    ],
    ids=repr,
)
def test_a_handshake_is_not_refused_for_news_that_cannot_be_told(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    announcer(Lambda(error)).announce(PRESENCE)

    logged = capsys.readouterr().out
    assert "hunter2" not in logged
    line = json.loads(logged)
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "announcement failed", type(error).__name__)


# the function

SECRET = "a message of somebody's"
COMING = announcement(UserPresence("alice", True, 1, 1))


def test_an_announcement_is_told_and_logged(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    system.serve(alice, Send(None, "bob", "hi"))
    capsys.readouterr()
    system.gateway.pushed.clear()

    assert handler.serve(COMING, system.routes, system.limits) == {"statusCode": 200}

    (frame,) = system.pushed(bob)
    assert json.loads(frame)["type"] == "presence"
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["user"], line["online"], line["taken"]) == ("announcement", "alice", True, 1)


def test_a_failed_announcement_raises_nothing_and_leaks_nothing(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure is in the log; AWS is told not to retry, so there is nobody to raise it to."""
    system.before = always(RuntimeError(SECRET), on="query")

    assert handler.serve(COMING, system.routes, system.limits) == {"statusCode": 500}

    logged = capsys.readouterr().out
    assert SECRET not in logged
    assert json.loads(logged)["error"] == "RuntimeError"


def test_the_handler_has_the_routes_of_its_environment(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handler, "_routes", system.routes)

    handler.handler(COMING, None)

    assert json.loads(capsys.readouterr().out)["message"] == "announcement"
