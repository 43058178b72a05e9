"""Handing the news of a coming or a going to the message function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chat.announcements import LambdaAnnouncer, announced, announcement
from chat.protocol import UserPresence

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
    return LambdaAnnouncer(factory, "message")


def test_the_news_arrive_as_they_were_sent() -> None:
    client = Lambda()

    announcer(client).announce(PRESENCE)

    (invocation,) = client.invoked
    assert (invocation["FunctionName"], invocation["InvocationType"]) == ("message", "Event")
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
