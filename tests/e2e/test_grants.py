"""IAM is enforced on the emulator: each grant that the stack makes is needed, and taking it away shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import websockets.exceptions

from chat.clock import now_ms
from chat.dynamo import DynamoTable
from chat.identity import LEEWAY_SECONDS
from chat.sessions import MAX_CONNECTIONS
from chat.table import Item, Update, message_key, sessions_key
from local.deployment import STACK, Endpoint, local_client, local_secret, outputs_of, token
from local.emulator import Emulator
from parley.backend import Backend, BackendError
from tests.conftest import Connect
from tests.fakes.clock import HOUR_MS
from tests.grants import granted, without
from tests.hang import until
from tests.raw_connection import raw_connection

OURS = "Parley-local-"
"""How the names of the stack's roles begin. Other tests make roles of their own."""

BY_LAMBDA = {f"Announcement sqs:{one}" for one in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")}
"""What Lambda itself does in the name of the role: the emulator does it without asking."""


def _without(endpoint: Endpoint, function: str, action: str) -> AbstractContextManager[None]:
    """The role of a function without one of its actions."""
    return without(local_client("iam", endpoint), f"{OURS}{function}Role", action)


def _allowed(endpoint: Endpoint) -> set[str]:
    """What the deployed roles of the functions allow, but for their logs, which the emulator writes by itself."""
    grants = granted(local_client("iam", endpoint), OURS)
    return {_named(role, action, resource) for role, action, resource in grants if not action.startswith("logs:")}


def _made(running: Emulator) -> set[str]:
    """What the functions have called since the emulator was started."""
    calls = [line.split() for line in running.calls.read_text().splitlines()]
    made = [(principal.split("/")[1], action, resource) for principal, action, resource in calls]
    return {_named(role, action, resource) for role, action, resource in made if _is_ours(role)}


def _is_ours(role: str) -> bool:
    return role.startswith(OURS)


def _named(role: str, action: str, resource: str) -> str:
    """`Message execute-api:ManageConnections POST`, where the role's name begins with `Parley-local-MessageRole`."""
    function = role.removeprefix(OURS).partition("Role")[0]
    method = resource.partition("/@connections/")[0].rpartition("/")[2] if "/@connections/" in resource else ""
    return f"{function} {action} {method}".rstrip()


@pytest.mark.usefixtures("acquainted")
def test_each_function_makes_all_the_calls_that_it_may_and_no_other(
    deployment: tuple[Emulator, Endpoint], connect: Connect, backend: Backend, alice: str, bob: str
) -> None:
    running, endpoint = deployment
    phone = connect(alice)
    phone.ask("send", to=bob, text="hi")
    table = DynamoTable(local_client("dynamodb", endpoint), endpoint.table)
    an_hour_ago = now_ms() - HOUR_MS
    table.update(sessions_key(alice), Update(put={"@gone=": an_hour_ago}))  # which the announcement of bob prunes
    connect(bob)
    until(lambda: "@gone=" not in table.get([sessions_key(alice)])[sessions_key(alice)])
    for _ in range(MAX_CONNECTIONS + 1):
        connect(f"{alice}-with-many")
    nearly_over = token(local_secret(endpoint), bob, seconds=3 - LEEWAY_SECONDS)
    with raw_connection(f"{endpoint.url}?token={nearly_over}") as short_lived:
        until(lambda: short_lived.ask("ping")["type"] == "error")
    ended = message_key(alice, f"{alice}-long-ago", 1)
    said: Item = {"from": alice, "id": "1", "text": "hi", "ts": an_hour_ago, "ttl": an_hour_ago // 1_000}
    table.insert({"pk": ended.pk, "sk": ended.sk, **said})  # which goes before the numbers begin again
    assert phone.ask("send", to=f"{alice}-long-ago", text="hi")["seq"] == 1
    connect(f"{alice}-who-leaves").close()
    backend.send(bob, alice, "hi")
    backend.kick(alice)
    list(backend.erase(f"{alice}-with-many"))

    allowed = _allowed(endpoint)
    assert allowed >= BY_LAMBDA
    until(lambda: _made(running) >= allowed - BY_LAMBDA)
    assert _made(running) == allowed - BY_LAMBDA


def _sends(connect: Connect, alice: str, bob: str) -> Any:
    device = connect(alice)
    connect(bob)
    return device.ask("send", to=bob, text="hi")


@pytest.mark.usefixtures("acquainted")
def test_with_all_grants_a_message_is_delivered(connect: Connect, alice: str, bob: str) -> None:
    assert _sends(connect, alice, bob)["delivered"] == 1


@pytest.mark.usefixtures("acquainted")
def test_a_stored_message_is_pushed_although_no_chat_can_move(
    endpoint: Endpoint, connect: Connect, alice: str, bob: str
) -> None:
    device, bobs = connect(alice), connect(bob)
    device.ask("send", to=bob, text="first")  # beginning a conversation is an update, too
    with _without(endpoint, "Message", "dynamodb:UpdateItem"):
        assert device.ask("send", to=bob, text="hi", id="1")["code"] == "internal"
    assert bobs.receive(type="message", text="hi")["seq"] == 2
    retried = device.ask("send", to=bob, text="hi", id="1", retry=True)
    assert (retried["duplicate"], retried["seq"], retried["delivered"]) == (True, 2, 1)


@pytest.mark.parametrize("action", ["dynamodb:Query", "dynamodb:PutItem"])
def test_nothing_is_pushed_that_is_not_stored(
    endpoint: Endpoint, connect: Connect, alice: str, bob: str, action: str
) -> None:
    device, bobs = connect(alice), connect(bob)
    with _without(endpoint, "Message", action):
        assert device.ask("send", to=bob, text="lost", id="1")["code"] == "internal"
    assert device.ask("send", to=bob, text="hi", id="2")["seq"] == 1
    assert bobs.receive(type="message")["text"] == "hi"


@pytest.mark.parametrize(
    "action", ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchGetItem"]
)
def test_without_an_action_on_the_table_a_send_fails_and_says_so(
    endpoint: Endpoint, connect: Connect, alice: str, bob: str, action: str
) -> None:
    device = connect(alice)
    with _without(endpoint, "Message", action):
        error = device.ask("send", to=bob, text="hi", id="1")
    assert (error["code"], error["temporary"]) == ("internal", True)
    assert device.ask("send", to=bob, text="hi", id="1")["seq"] == 1


@pytest.mark.usefixtures("acquainted")
def test_without_manage_connections_nothing_is_delivered(
    endpoint: Endpoint, connect: Connect, alice: str, bob: str
) -> None:
    with _without(endpoint, "Message", "execute-api:ManageConnections"):
        assert _sends(connect, alice, bob)["delivered"] == 0


@pytest.mark.usefixtures("acquainted")
@pytest.mark.parametrize(
    "grant",
    [
        ("Connection", "lambda:InvokeFunction"),
        ("Announcement", "dynamodb:Query"),
        ("Announcement", "dynamodb:BatchGetItem"),
        ("Announcement", "execute-api:ManageConnections"),
    ],
)
def test_without_a_grant_for_announcements_no_arrival_is_told(
    deployment: tuple[Emulator, Endpoint], connect: Connect, alice: str, bob: str, grant: tuple[str, str]
) -> None:
    running, endpoint = deployment
    connect(alice).ask("send", to=bob, text="hi")
    start = len(running.function_log.read_text())

    def has_failed() -> bool:
        written = running.function_log.read_text()[start:]
        lines = [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines() if line.startswith("{")]
        return any(
            line["message"] == "announcement failed" or (line["message"] == "announcement" and line["failed"] == 1)
            for line in lines
        )

    with _without(endpoint, *grant):
        connect(bob)
        until(has_failed)


def test_without_a_grant_for_the_queue_a_departure_is_not_told_and_the_log_says_so(
    deployment: tuple[Emulator, Endpoint], connect: Connect, alice: str
) -> None:
    running, endpoint = deployment
    phone = connect(alice)
    start = len(running.function_log.read_text())

    with _without(endpoint, "Connection", "sqs:SendMessage"):
        phone.close()
        until(lambda: '"announcement failed"' in running.function_log.read_text()[start:])


@pytest.fixture
def backend(endpoint: Endpoint) -> Backend:
    function = outputs_of(local_client("cloudformation", endpoint), STACK)["BackendFunction"]
    return Backend(function, client=local_client("lambda", endpoint))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not tried again."""
    monkeypatch.setattr("parley.backend.TRIES", 1)


@pytest.mark.parametrize(
    ("action", "ask"),
    [
        ("dynamodb:Query", lambda backend, alice: backend.history(alice, "bob")),
        ("dynamodb:PutItem", lambda backend, alice: backend.send(alice, "bob", "hi")),
        ("dynamodb:UpdateItem", lambda backend, alice: backend.bar(alice, 0)),
        ("dynamodb:BatchGetItem", lambda backend, alice: backend.presence([alice])),
        ("dynamodb:DeleteItem", lambda backend, alice: list(backend.erase(alice))),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_without_an_action_on_the_table_an_operation_fails_and_says_so(
    endpoint: Endpoint, backend: Backend, alice: str, action: str, ask: Callable[[Backend, str], object]
) -> None:
    with _without(endpoint, "Backend", action), pytest.raises(BackendError) as failed:
        ask(backend, alice)
    assert (failed.value.code, failed.value.temporary) == ("internal", True)
    ask(backend, alice)


@pytest.mark.usefixtures("acquainted")
def test_without_manage_connections_a_backend_delivers_nothing(
    endpoint: Endpoint, connect: Connect, backend: Backend, alice: str, bob: str
) -> None:
    connect(bob).ask("ping")
    with _without(endpoint, "Backend", "execute-api:ManageConnections"):
        assert backend.send(alice, bob, "hi").delivered == 0
    assert backend.send(alice, bob, "hi").delivered == 1


def test_without_the_table_no_handshake_succeeds(endpoint: Endpoint, connect: Connect, alice: str) -> None:
    with _without(endpoint, "Connection", "dynamodb:UpdateItem"), pytest.raises(websockets.exceptions.InvalidStatus):
        connect(alice)
    connect(alice)


def test_without_the_secret_no_handshake_succeeds(endpoint: Endpoint, connect: Connect, alice: str) -> None:
    with _without(endpoint, "Authorizer", "secretsmanager:GetSecretValue"):
        _forget(endpoint, "Authorizer")
        with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
            connect(alice)
        assert refusal.value.response.status_code == 500
    _forget(endpoint, "Authorizer")
    connect(alice)


def _forget(endpoint: Endpoint, function: str) -> None:
    """Makes a function start anew: the authorizer remembers the secret for a while."""
    functions = local_client("lambda", endpoint)
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    (name,) = (one for one in names if one.startswith(f"Parley-local-{function}Function"))
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    variables["STARTED_ANEW"] = str(int(variables.get("STARTED_ANEW", "0")) + 1)
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
