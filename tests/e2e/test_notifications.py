"""The example of notifications, deployed as an app of its own with all events, with IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Endpoint, deploy_app, endpoint_of, local_client, token
from local.emulator import PROJECT, Emulator, emulator
from local.shop import nobody_looks
from parley.backend import Backend
from tests import event_schema
from tests.grants import granted, without
from tests.hang import until
from tests.raw_connection import RawConnection, raw_connection

APP = PROJECT / "examples" / "notifications"
STACK = "Notifying"

BY_LAMBDA = {
    ("ChatStream", "dynamodb:DescribeStream"),
    ("ChatStream", "dynamodb:GetRecords"),
    ("ChatStream", "dynamodb:GetShardIterator"),
    ("ChatStream", "dynamodb:ListStreams"),
    ("ChatStream", "sqs:SendMessage"),
    ("Notifications", "sqs:DeleteMessage"),
    ("Notifications", "sqs:GetQueueAttributes"),
    ("Notifications", "sqs:ReceiveMessage"),
}
"""What Lambda itself does in the name of a role: the emulator does it without asking."""


@dataclass
class Inbox:
    """A queue of the test's, with what came so far."""

    sqs: Any
    url: str
    come: list[Any] = field(default_factory=list)

    def look(self) -> list[Any]:
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                self.come.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.come

    @property
    def arn(self) -> str:
        got = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(got["Attributes"]["QueueArn"])


@dataclass
class Notifying:
    """The deployed app. `events` is where a rule of the test's puts all that is on the bus."""

    running: Emulator
    endpoint: Endpoint
    backend: Backend
    secret: str
    events: Inbox
    notifications: Inbox

    def client(self, service: str) -> Any:
        return local_client(service, self.endpoint)

    @contextmanager
    def device(self, user: str) -> Iterator[RawConnection]:
        with raw_connection(f"{self.endpoint.url}?token={token(self.secret, user)}") as connection:
            yield connection

    def told(self, type: str, **fields: object) -> list[Any]:
        """The details of the events of the type that have these fields."""
        details = [event["detail"] for event in self.events.look() if event["detail-type"] == type]
        return [detail for detail in details if fields.items() <= detail.items()]

    def wait_for(self, type: str, **fields: object) -> Any:
        until(lambda: self.told(type, **fields), f"{type} {fields}")
        return self.told(type, **fields)[0]

    def logged(self, message: str, **fields: object) -> list[Any]:
        text = self.running.function_log.read_text()
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == message and fields.items() <= line.items()]

    def looked(self, user: str, seq: int) -> bool:
        """Waits until the function has looked at the message, and says whether it has notified."""
        until(lambda: self.logged("looked", user=user, seq=seq), f"a look at {seq} of {user}")
        return bool(self.logged("looked", user=user, seq=seq)[0]["notified"])

    def notified(self, user: str) -> list[Any]:
        """The notifications of the user so far."""
        come = [json.loads(message["Message"]) for message in self.notifications.look()]
        return [notification for notification in come if notification["user"] == user]


@pytest.fixture(scope="module")
def notifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notifying]:
    packages = tmp_path_factory.mktemp("packages")
    _stand_in_for_the_distribution(packages)
    with emulator(tmp_path_factory.mktemp("notifying")) as running:
        context = (f"emulator={running.endpoint}", "delay=1", "events=messages")
        outputs = deploy_app(running, APP, *context, packages=packages)[STACK]
        endpoint = endpoint_of(running, "dev", outputs["Url"], "")
        yield _listening(running, endpoint, outputs)


def _stand_in_for_the_distribution(packages: Path) -> None:
    """`parley_cdk` is `stacks` here, as in the distribution, which tests/stack/test_distribution.py builds."""
    (packages / "parley_cdk").mkdir()
    (packages / "parley_cdk" / "__init__.py").write_text(f"__path__ = [{str(PROJECT / 'stacks')!r}]\n")


def _listening(running: Emulator, endpoint: Endpoint, outputs: dict[str, str]) -> Notifying:
    sqs, rules = local_client("sqs", endpoint), local_client("events", endpoint)
    seen, told = (Inbox(sqs, sqs.create_queue(QueueName=name)["QueueUrl"]) for name in ("seen", "told"))
    (bus,) = (one["Name"] for one in rules.list_event_buses()["EventBuses"] if one["Name"].startswith(STACK))
    rules.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["parley"]}))
    rules.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "seen", "Arn": seen.arn}])
    by_topic = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": told.arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [by_topic]})
    sqs.set_queue_attributes(QueueUrl=told.url, Attributes={"Policy": policy})
    local_client("sns", endpoint).subscribe(TopicArn=outputs["TopicArn"], Protocol="sqs", Endpoint=told.arn)
    _close(outputs["TopicArn"], endpoint)
    secrets = local_client("secretsmanager", endpoint)
    secret = str(secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])["SecretString"])
    backend = Backend(outputs["BackendFunction"], client=local_client("lambda", endpoint))
    return Notifying(running, endpoint, backend, secret, seen, told)


def _close(topic: str, endpoint: Endpoint) -> None:
    """Gives the topic a policy that lets nobody in by itself, as `enforce_ssl` does on AWS. The one that a topic begins
    with lets all of the account in, whatever rights they have."""
    only = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**only, "Resource": topic}]})
    local_client("sns", endpoint).set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def test_what_nobody_took_is_on_the_bus_when_it_is_acknowledged(notifying: Notifying, alice: str, bob: str) -> None:
    with notifying.device(alice) as device:
        ack = device.ask("send", to=bob, text="from a user", id="m1")
    stored = notifying.backend.send("shop", bob, "from a backend", id="o1")

    (by_user,), (by_backend,) = (
        notifying.told("message.undelivered", to=bob, **{"from": sender}) for sender in (alice, "shop")
    )
    assert by_user == {"version": 1, "from": alice, "to": bob, "seq": ack["seq"], "id": "m1", "ts": ack["ts"]}
    assert (by_backend["id"], by_backend["seq"]) == ("o1", stored.seq)


def test_what_a_device_took_is_not(notifying: Notifying, alice: str, bob: str) -> None:
    with notifying.device(bob) as device:
        device.ask("ping")
        notifying.backend.send(alice, bob, "hi")
        device.receive(type="message")

    notifying.wait_for("message.stored", to=bob)
    assert notifying.told("message.undelivered", to=bob) == []


def test_what_is_stored_and_taken_back_and_who_comes_and_goes_is_on_the_bus(
    notifying: Notifying, alice: str, bob: str
) -> None:
    with notifying.device(alice) as device:
        sent = device.ask("send", to=bob, text="hi", id="m1")
        device.ask("unsend", peer=bob, seq=1)
        online = notifying.wait_for("user.online", user=alice)
    offline = notifying.wait_for("user.offline", user=alice)

    assert notifying.wait_for("message.stored", to=bob)["ts"] == sent["ts"]
    assert notifying.wait_for("message.unsent", to=bob)["unsends"] == 1
    assert online["rev"] < offline["rev"]
    for event in notifying.events.look():
        assert event["source"] == "parley"
        assert event_schema.problem(event["detail-type"], event["detail"]) is None


def test_who_is_away_is_notified_once_of_a_burst(notifying: Notifying, alice: str) -> None:
    with nobody_looks(notifying.endpoint):
        for number in range(3):
            notifying.backend.send("shop", alice, f"{number}")

    assert sum(notifying.looked(alice, seq) for seq in (1, 2, 3)) == 1
    until(lambda: notifying.notified(alice))
    assert notifying.notified(alice) == [{"user": alice, "from": "shop", "unread": 3}]

    notifying.backend.send("shop", alice, "and one more, of which the user does not hear")
    assert not notifying.looked(alice, 4)
    assert len(notifying.notified(alice)) == 1


def test_who_writes_later_notifies_too(notifying: Notifying, alice: str) -> None:
    notifying.backend.send("shop", alice, "hi")
    notifying.backend.send("bank", alice, "hi")

    until(lambda: len(notifying.notified(alice)) == 2)
    assert {one["from"] for one in notifying.notified(alice)} == {"shop", "bank"}


def test_who_has_read_it_meanwhile_is_not_notified_and_is_of_the_next_one(notifying: Notifying, alice: str) -> None:
    with nobody_looks(notifying.endpoint):
        notifying.backend.send("shop", alice, "hi")
        with notifying.device(alice) as device:
            device.ask("receipt", peer="shop", kind="read", seq=1)
    assert not notifying.looked(alice, 1)
    assert notifying.notified(alice) == []
    notifying.wait_for("user.offline", user=alice)

    notifying.backend.send("shop", alice, "hello")
    assert notifying.looked(alice, 2)
    until(lambda: notifying.notified(alice))
    assert notifying.notified(alice) == [{"user": alice, "from": "shop", "unread": 1}]


def test_what_was_taken_back_notifies_nobody(notifying: Notifying, alice: str) -> None:
    with nobody_looks(notifying.endpoint):
        notifying.backend.send("shop", alice, "the wrong text")
        notifying.backend.unsend("shop", alice, 1)

    assert not notifying.looked(alice, 1)
    assert notifying.notified(alice) == []


@pytest.mark.parametrize("function", ["Message", "Backend"])
def test_without_the_right_to_the_bus_a_message_is_acknowledged_and_the_event_counted(
    notifying: Notifying, alice: str, bob: str, function: str
) -> None:
    with (
        without(notifying.client("iam"), f"{STACK}-Chat{function}Role", "events:PutEvents"),
        notifying.device(alice) as device,
    ):
        if function == "Message":
            assert device.ask("send", to=bob, text="hi")["seq"] == 1
        else:
            assert notifying.backend.send(alice, bob, "hi").seq == 1
    assert notifying.logged("event failed", user=bob)
    assert notifying.told("message.undelivered", to=bob) == []


def test_without_the_right_to_the_bus_the_stream_is_read_again_until_there_is_one(
    notifying: Notifying, bob: str
) -> None:
    failures = len(notifying.logged("event failed"))
    with without(notifying.client("iam"), f"{STACK}-ChatStreamRole", "events:PutEvents"):
        notifying.backend.send("shop", bob, "hi")
        until(lambda: len(notifying.logged("event failed")) > failures)
        assert notifying.told("message.stored", to=bob) == []
    notifying.wait_for("message.stored", to=bob)


@pytest.mark.parametrize("action", ["lambda:InvokeFunction", "dynamodb:UpdateItem", "sns:Publish"])
def test_without_a_right_of_its_own_the_function_notifies_nobody_and_says_so(
    notifying: Notifying, alice: str, action: str
) -> None:
    failures = len(notifying.logged("notification failed"))
    with without(notifying.client("iam"), f"{STACK}-NotificationsRole", action):
        notifying.backend.send("shop", alice, "hi")
        until(lambda: len(notifying.logged("notification failed")) > failures)
    assert notifying.notified(alice) == []


def test_each_function_makes_all_the_calls_that_it_may_and_no_other(notifying: Notifying, alice: str, bob: str) -> None:
    with notifying.device(alice) as device:
        device.ask("send", to=bob, text="hi")
    assert notifying.looked(bob, 1)

    of = ("ChatStream", "Notifications")
    grants = granted(notifying.client("iam"), f"{STACK}-")
    allowed = {(_function(role), action) for role, action, _ in grants if not action.startswith("logs:")}
    calls = [line.split() for line in notifying.running.calls.read_text().splitlines()]
    made = {(_function(principal.split("/")[1]), action) for principal, action, _ in calls}

    assert {one for one in allowed if one[0] in of} == {one for one in made if one[0] in of} | BY_LAMBDA
    for function in ("ChatMessage", "ChatBackend"):
        assert (function, "events:PutEvents") in made & allowed


def _function(role: str) -> str:
    """`ChatStream`, where the role's name begins with `Notifying-ChatStreamRole`."""
    return role.removeprefix(f"{STACK}-").partition("Role")[0]
