"""A product's backend on the deployed stack: a function of its own, which may invoke ours and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets.exceptions

import parley
from local.deployment import STACK, Endpoint, local_client, outputs_of
from parley.backend import Backend, BackendError, Outgoing, Stored
from tests.conftest import Connect
from tests.hang import until

SHOP = """
import os
from parley.backend import Backend

def handler(event, context):
    stored = Backend(os.environ["BACKEND"]).send("shop", event["customer"], event["text"], id=event["order"])
    return {"seq": stored.seq, "duplicate": stored.duplicate, "delivered": stored.delivered}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@pytest.fixture(scope="module")
def outputs(endpoint: Endpoint) -> dict[str, str]:
    return outputs_of(local_client("cloudformation", endpoint), STACK)


@pytest.fixture
def backend(endpoint: Endpoint, outputs: dict[str, str]) -> Backend:
    """The client, with the account's own rights."""
    return Backend(outputs["BackendFunction"], client=local_client("lambda", endpoint))


@pytest.fixture(scope="module")
def shop(endpoint: Endpoint, outputs: dict[str, str]) -> Iterator[str]:
    """A function of the product's, whose role has the stack's policy and no other."""
    iam, functions = local_client("iam", endpoint), local_client("lambda", endpoint)
    role = iam.create_role(RoleName="Shop", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="Shop", PolicyArn=outputs["BackendPolicyArn"])
    functions.create_function(
        FunctionName="shop",
        Runtime="python3.13",
        Handler="shop.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": _asset()},
        Environment={"Variables": {"BACKEND": outputs["BackendFunction"], "AWS_ENDPOINT_URL": endpoint.endpoint_url}},
    )
    yield "shop"
    functions.delete_function(FunctionName="shop")
    iam.detach_role_policy(RoleName="Shop", PolicyArn=outputs["BackendPolicyArn"])
    iam.delete_role(RoleName="Shop")


def _asset() -> bytes:
    package = Path(parley.__file__).parent
    with io.BytesIO() as written:
        with zipfile.ZipFile(written, "w") as asset:
            asset.writestr("shop.py", SHOP)
            for module in package.glob("*.py"):
                asset.write(module, f"parley/{module.name}")
        return written.getvalue()


def _order(endpoint: Endpoint, shop: str, customer: str) -> Any:
    event = {"customer": customer, "text": "your parcel has left", "order": "order-1"}
    response = local_client("lambda", endpoint).invoke(FunctionName=shop, Payload=json.dumps(event).encode())
    result = json.loads(response["Payload"].read())
    assert ("FunctionError" in response) == ("errorMessage" in result)
    return result


def test_a_function_of_the_product_writes_to_a_user_as_the_shop(
    connect: Connect, endpoint: Endpoint, shop: str, alice: str
) -> None:
    device = connect(alice)

    first = _order(endpoint, shop, alice)
    again = _order(endpoint, shop, alice)

    assert first == {"seq": 1, "duplicate": False, "delivered": 0}, "they are strangers, so devices are not counted"
    assert again == {"seq": 1, "duplicate": True, "delivered": 0}
    frame = device.receive(type="message")
    assert (frame["from"], frame["text"]) == ("shop", "your parcel has left")


def test_without_the_policy_it_may_not(endpoint: Endpoint, outputs: dict[str, str], shop: str, alice: str) -> None:
    iam = local_client("iam", endpoint)
    iam.detach_role_policy(RoleName="Shop", PolicyArn=outputs["BackendPolicyArn"])
    try:
        refused = _order(endpoint, shop, alice)
    finally:
        iam.attach_role_policy(RoleName="Shop", PolicyArn=outputs["BackendPolicyArn"])

    assert "AccessDenied" in refused["errorMessage"]
    assert _order(endpoint, shop, alice)["seq"] == 1


def test_a_batch_tells_what_became_of_each(connect: Connect, backend: Backend, alice: str, bob: str) -> None:
    device = connect(alice)

    one, bad, two = backend.send_batch("shop", [Outgoing(alice, "hi"), Outgoing("a b", "hi"), Outgoing(bob, "hi")])

    assert isinstance(one, Stored)
    assert isinstance(two, Stored)
    assert isinstance(bad, BackendError)
    assert bad.code == "bad_request"
    assert device.receive(type="message")["id"] == one.id


def test_a_message_is_taken_back_on_every_device(connect: Connect, backend: Backend, alice: str) -> None:
    device = connect(alice)
    sent = backend.send("shop", alice, "the wrong text")

    backend.unsend("shop", alice, sent.seq)

    assert device.receive(type="message")["text"] == "the wrong text"
    assert device.receive(type="message")["unsends"] == sent.seq
    assert [message.text for message in backend.history(alice, "shop").messages] == ["", ""]


def test_what_was_said_is_read_listed_and_counted(connect: Connect, backend: Backend, alice: str, bob: str) -> None:
    device = connect(alice)
    for number in range(3):
        backend.send("shop", alice, str(number))
    backend.send(bob, alice, "hi")
    device.ask("receipt", peer="shop", kind="read", seq=1)

    assert [message.text for message in backend.history(alice, "shop", after=1).messages] == ["1", "2"]
    unread = backend.unread(alice)
    assert (unread.total, unread.by_peer) == (3, {"shop": 2, bob: 1})
    assert {(chat.peer, chat.unread, chat.last_text) for chat in backend.chats(alice)} == {
        ("shop", 2, "2"),
        (bob, 1, "hi"),
    }
    assert {user: one.online for user, one in backend.presence([alice, bob]).items()} == {alice: True, bob: False}


def test_a_user_that_is_barred_is_out(connect: Connect, backend: Backend, alice: str) -> None:
    device = connect(alice)
    device.ask("ping")

    assert backend.bar(alice, 60).closed == 1

    assert device.receive(type="close")["code"] == "kicked"
    with pytest.raises(websockets.exceptions.InvalidStatus):
        connect(alice)


def test_a_bar_can_be_lifted(connect: Connect, backend: Backend, alice: str) -> None:
    backend.bar(alice, 60)

    backend.bar(alice, 0)

    assert connect(alice).ask("ping")["type"] == "pong"


def test_a_user_that_is_kicked_may_come_back(connect: Connect, backend: Backend, alice: str) -> None:
    device = connect(alice)
    device.ask("ping")

    assert backend.kick(alice) == 1

    assert device.receive(type="close")["code"] == "kicked"
    until(lambda: not backend.presence([alice])[alice].online)
    assert connect(alice).ask("ping")["type"] == "pong"


def test_an_export_has_what_was_said_by_and_to_a_user(connect: Connect, backend: Backend, alice: str, bob: str) -> None:
    connect(alice).ask("send", to=bob, text="hello bob")
    backend.send(bob, alice, "hello alice")
    backend.send(bob, "carol", "not hers")

    assert [item["text"] for item in backend.export(alice) if "text" in item] == ["hello bob", "hello alice"]
