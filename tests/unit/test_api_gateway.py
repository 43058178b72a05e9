"""`@connections`, up to the network. What is sent is compared with what the SDK sends in `tests/performance`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.session import Session

from chat.api_gateway import ApiGateway
from chat.budget import OutOfTime, budget
from chat.delivery import Pushed

URL = "https://abc123.execute-api.us-east-1.amazonaws.com/dev"
HUNG_UP = ConnectionClosedError(endpoint_url=URL)


class Answer(NamedTuple):
    status_code: int


class Network:
    """Answers with what it is given, in order: statuses, or errors."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str, bytes | None]] = []
        self.headers: list[Any] = []

    def send(self, request: Any) -> Answer:
        self.headers.append(request.headers)
        self.asked.append((request.method, request.url, request.body))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)


Reached = Callable[..., tuple[ApiGateway, Network]]


@pytest.fixture
def reached() -> Reached:
    def gateway(*answers: int | Exception) -> tuple[ApiGateway, Network]:
        session, network = Session(), Network(*answers)
        session.set_credentials("nobody", "nothing")
        session.set_config_variable("region", "us-east-1")
        made: Any = ApiGateway(session, URL)
        made._http = network
        return made, network

    return gateway


def test_a_push_is_one_request(reached: Reached) -> None:
    gateway, network = reached(200)

    assert gateway.push("phone=", b"{}") is Pushed.TAKEN
    assert network.asked == [("POST", f"{URL}/@connections/phone%3D", b"{}")]


@pytest.mark.parametrize(
    ("status", "pushed"),
    [
        (410, Pushed.GONE),
        (429, Pushed.FAILED),
        (413, Pushed.FAILED),
        (403, Pushed.FAILED),
        (500, Pushed.FAILED),
        (302, Pushed.FAILED),
    ],
)
def test_a_refused_push_is_gone_or_failed(reached: Reached, status: int, pushed: Pushed) -> None:
    gateway, network = reached(status)

    assert gateway.push("phone=", b"{}") is pushed
    assert len(network.asked) == 1


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url=URL), ReadTimeoutError(endpoint_url=URL)], ids=repr
)
def test_a_gateway_that_cannot_be_reached_fails_a_push_and_raises_nothing(
    reached: Reached, error: BotoCoreError
) -> None:
    gateway, network = reached(error, error)

    assert gateway.push("phone=", b"{}") is Pushed.FAILED
    assert not gateway.close("phone=")
    assert len(network.asked) == 2


def test_what_a_dead_connection_swallowed_is_sent_once_more(reached: Reached) -> None:
    gateway, network = reached(HUNG_UP, 200)
    assert gateway.push("phone=", b"{}") is Pushed.TAKEN
    assert len(network.asked) == 2

    gateway, _ = reached(HUNG_UP, HUNG_UP)
    assert gateway.push("phone=", b"{}") is Pushed.FAILED


def test_closing_is_one_request_and_one_that_is_gone_is_closed(reached: Reached) -> None:
    gateway, network = reached(204, 410)

    for _ in range(2):
        assert gateway.close("phone=")

    assert network.asked == [("DELETE", f"{URL}/@connections/phone%3D", None)] * 2


@pytest.mark.parametrize("status", [429, 403, 500, 302])
def test_a_connection_that_was_not_closed_is_not_said_to_be(reached: Reached, status: int) -> None:
    gateway, _ = reached(status)

    assert not gateway.close("phone=")


def test_an_event_whose_time_is_over_pushes_nothing(reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
    def over() -> None:
        raise OutOfTime

    monkeypatch.setattr(budget, "check", over)
    gateway, network = reached()

    assert gateway.push("phone=", b"{}") is Pushed.FAILED
    gateway.close("phone=")
    assert network.asked == []


def test_without_credentials_a_push_fails_and_nothing_is_sent(reached: Reached) -> None:
    made, network = reached()
    gateway: Any = made
    gateway._credentials = None

    assert gateway.push("phone=", b"{}") is Pushed.FAILED
    assert network.asked == []


def test_a_push_is_signed_with_the_credentials_of_the_moment(reached: Reached) -> None:
    """A role's credentials change while a function lives, and come with a token."""
    made, network = reached(200, 200)
    gateway: Any = made

    gateway.push("phone=", b"{}")
    gateway._credentials.access_key, gateway._credentials.token = "other", "token"
    gateway.push("phone=", b"{}")

    first, second = network.headers
    assert "Credential=nobody/" in str(first["Authorization"])
    assert "Credential=other/" in str(second["Authorization"])
    assert (first.get("X-Amz-Security-Token"), second["X-Amz-Security-Token"]) == (None, "token")
