"""A product's own rule, a Lambda function beside the chat, with IAM enforced."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Endpoint, deploy, local_client, local_secret, token
from local.emulator import Emulator, emulator
from tests.grants import granted, without
from tests.raw_connection import RawConnection, raw_connection

NAME = "house-rule"
ARN = f"arn:aws:lambda:us-east-1:000000000000:function:{NAME}"
RULE = """
def handler(event, _):
    if event["to"].startswith("dave"):
        raise RuntimeError("the product's own database is down")
    return {"allowed": not event["to"].startswith("carol")}
"""
MESSAGE_ROLE = "Parley-local-MessageRole"

_numbers = itertools.count(1)


@dataclass
class Ruled:
    """A chat that asks the rule, by which nobody may write to a carol, and which fails where one writes to a dave."""

    running: Emulator
    endpoint: Endpoint

    def client(self, service: str) -> Any:
        return local_client(service, self.endpoint)

    @contextmanager
    def device(self, user: str) -> Iterator[RawConnection]:
        with raw_connection(f"{self.endpoint.url}?token={token(local_secret(self.endpoint), user)}") as connection:
            yield connection

    def asked(self) -> int:
        """How often the rule was asked so far."""
        calls = [line.split() for line in self.running.calls.read_text().splitlines()]
        return sum(action == "lambda:InvokeFunction" and resource == ARN for _, action, resource in calls)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruled]:
    with chat_with_rule(tmp_path_factory.mktemp("ruled")) as made:
        yield made


@pytest.fixture(scope="module")
def open_ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruled]:
    """The chat of a product that would rather have a message pass than lose it."""
    with chat_with_rule(tmp_path_factory.mktemp("open"), "maySendFails=open") as made:
        yield made


@contextmanager
def chat_with_rule(folder: Path, *context: str) -> Iterator[Ruled]:
    with emulator(folder) as running:
        made = Ruled(running, deploy(running, f"maySendFunction={ARN}", *context))
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = made.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        asset = io.BytesIO()
        with zipfile.ZipFile(asset, "w") as archive:
            archive.writestr("rule.py", RULE)
        made.client("lambda").create_function(
            FunctionName=NAME,
            Runtime="python3.13",
            Role=role,
            Handler="rule.handler",
            Code={"ZipFile": asset.getvalue()},
        )
        yield made


@pytest.fixture
def names() -> tuple[str, str, str]:
    """Three users of this test alone."""
    number = next(_numbers)
    return f"alice-{number}", f"bob-{number}", f"carol-{number}"


def test_the_rule_is_asked_before_a_first_message_and_never_again(ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, bob, _ = names
    before = ruled.asked()

    with ruled.device(alice) as phone, ruled.device(bob) as laptop:
        assert phone.ask("send", to=bob, text="may I?")["seq"] == 1
        assert phone.ask("send", to=bob, text="thanks")["seq"] == 2
        assert laptop.ask("send", to=alice, text="sure")["seq"] == 3

    assert ruled.asked() == before + 1


def test_what_the_rule_refuses_is_not_stored_and_reaches_nobody(ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, _, carol = names

    with ruled.device(alice) as phone, ruled.device(alice) as laptop, ruled.device(carol) as tablet:
        refused = phone.ask("send", to=carol, text="psst")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        assert tablet.arrived() == []
        assert laptop.arrived() == []
        assert tablet.ask("sync")["chats"] == []
        assert phone.ask("sync")["chats"] == []
        assert tablet.ask("history", peer=alice)["messages"] == []


def test_without_the_right_to_ask_nobody_begins_a_conversation(ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, bob, _ = names

    with ruled.device(alice) as phone:
        with without(ruled.client("iam"), MESSAGE_ROLE, "lambda:InvokeFunction"):
            refused = phone.ask("send", to=bob, text="may I?")
            assert (refused["type"], refused["code"]) == ("error", "internal")
        assert phone.ask("send", to=bob, text="may I?")["seq"] == 1


def test_closed_a_rule_that_fails_lets_nothing_pass(ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, bob, _ = names
    dave = bob.replace("bob", "dave")

    with ruled.device(alice) as phone, ruled.device(dave) as tablet:
        refused = phone.ask("send", to=dave, text="are you there?")
        assert (refused["code"], refused["temporary"]) == ("internal", True)
        assert tablet.arrived() == []


def test_open_a_rule_that_fails_lets_a_message_pass(open_ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, bob, _ = names
    dave = bob.replace("bob", "dave")

    with open_ruled.device(alice) as phone, open_ruled.device(dave) as tablet, open_ruled.device(bob) as laptop:
        assert phone.ask("send", to=dave, text="are you there?")["seq"] == 1
        assert tablet.receive(type="message")["text"] == "are you there?"
        with without(open_ruled.client("iam"), MESSAGE_ROLE, "lambda:InvokeFunction"):
            assert phone.ask("send", to=bob, text="and you?")["seq"] == 1
        assert laptop.receive(type="message")["text"] == "and you?"


def test_open_what_the_rule_refuses_is_refused(open_ruled: Ruled, names: tuple[str, str, str]) -> None:
    alice, _, carol = names

    with open_ruled.device(alice) as phone, open_ruled.device(carol) as tablet:
        assert phone.ask("send", to=carol, text="psst")["code"] == "forbidden"
        assert tablet.arrived() == []


def test_the_function_may_ask_this_rule_and_no_other(ruled: Ruled) -> None:
    grants = granted(ruled.client("iam"), MESSAGE_ROLE)

    assert {resource for _, action, resource in grants if action == "lambda:InvokeFunction"} == {ARN}
