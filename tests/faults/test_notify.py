"""The example's function that notifies: a user is told once as a rule, and at least once whatever fails."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from local.emulator import PROJECT
from tests.fakes.engines import Engine

FUNCTION = PROJECT / "examples" / "notifications" / "function" / "notify.py"


class Shop:
    """The chat as the backend function tells of it, and a topic. `read` is how far alice has read it."""

    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        self.seq = 0
        self.read = 0
        self.notified: list[int] = []
        self.before_publishing: Callable[[], None] = lambda: None
        self.after_publishing: Callable[[], None] = lambda: None
        self.answers: Callable[[dict[str, Any]], Any] = self._answer

    def client(self, service: str) -> Any:
        return self.dynamodb if service == "dynamodb" else self

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803 - the SDK's names
        return {"Payload": io.BytesIO(json.dumps(self.answers(json.loads(Payload))).encode())}

    def _answer(self, event: dict[str, Any]) -> Any:
        unread = self.seq - self.read
        if event["action"] == "unread":
            chats = [{"peer": "shop", "unread": unread, "read": self.read}] if unread else []
            return {"type": "unread", "chats": chats}
        assert (event["action"], event["user"], event["peer"]) == ("history", "alice", "shop")
        messages = [{"from": "shop", "seq": seq, "text": "hi"} for seq in range(event["after"] + 1, self.seq + 1)]
        return {"type": "history", "messages": messages}

    def publish(self, *, TopicArn: str, Message: str) -> None:  # noqa: N803 - the SDK's names
        self.before_publishing()
        self.notified.append(json.loads(Message)["unread"])
        self.after_publishing()


@pytest.fixture
def notify() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notify", FUNCTION)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shop(dynamodb: Engine, notify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Shop:
    client = dynamodb.client()
    name = f"{dynamodb.create_table()}-notified"
    keys = {"user": "HASH", "peer": "RANGE"}
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": type} for key, type in keys.items()],
        BillingMode="PAY_PER_REQUEST",
    )
    made = Shop(client)
    monkeypatch.setattr(notify, "boto3", made)
    for variable, value in {"NOTIFIED_TABLE": name, "BACKEND": "backend", "TOPIC_ARN": "topic"}.items():
        monkeypatch.setenv(variable, value)
    return made


def look(notify: ModuleType, *numbers: int) -> list[int]:
    """Has the function look at the messages. Returns those that it wants to see again."""
    detail = {"version": 1, "from": "shop", "to": "alice", "id": "m", "ts": 1}
    records = [{"messageId": f"{seq}", "body": json.dumps({"detail": {**detail, "seq": seq}})} for seq in numbers]
    result = notify.handler({"Records": records}, None)
    return [int(one["itemIdentifier"]) for one in result["batchItemFailures"]]


class Died(BaseException):
    """The function ends in the middle."""


def fails() -> None:
    raise RuntimeError


def dies() -> None:
    raise Died


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 1, 3, 2)])
def test_a_burst_is_told_of_once_in_whatever_order_it_comes(
    notify: ModuleType, shop: Shop, order: tuple[int, ...]
) -> None:
    shop.seq = 3

    assert look(notify, *order) == []
    assert shop.notified == [3]


def test_what_was_read_is_not_told_of_and_what_follows_is(notify: ModuleType, shop: Shop) -> None:
    shop.seq = shop.read = 1
    look(notify, 1)
    assert shop.notified == []

    shop.seq = 2
    look(notify, 2)
    shop.seq = shop.read = 3
    shop.seq = 4
    look(notify, 4)
    assert shop.notified == [1, 1]


def test_the_second_message_is_told_of_if_a_device_took_the_first(notify: ModuleType, shop: Shop) -> None:
    shop.seq = 2
    look(notify, 2)
    assert shop.notified == [2]


def test_who_cannot_be_told_is_told_later(notify: ModuleType, shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.seq, shop.before_publishing = 2, fails
    assert look(notify, 1, 2) == [1, 2]
    assert "notification failed" in capsys.readouterr().out

    shop.before_publishing = lambda: None
    assert look(notify, 2, 1) == [], "whether or not the first one comes again"
    assert shop.notified == [2]


def test_a_function_that_dies_behind_publishing_tells_once_more_rather_than_never(
    notify: ModuleType, shop: Shop
) -> None:
    shop.seq, shop.after_publishing = 1, dies
    with pytest.raises(Died):
        look(notify, 1)

    shop.after_publishing = lambda: None
    assert look(notify, 1) == []
    assert look(notify, 1) == []
    assert shop.notified == [1, 1]


def test_a_chat_that_does_not_answer_is_asked_again(notify: ModuleType, shop: Shop) -> None:
    shop.seq, answers = 1, shop.answers
    shop.answers = lambda _: {"type": "error", "code": "internal"}
    assert look(notify, 1) == [1]

    shop.answers = answers
    assert look(notify, 1) == []
    assert shop.notified == [1]


def test_what_cannot_be_read_is_put_back_and_is_nobody_elses(notify: ModuleType, shop: Shop) -> None:
    shop.seq = 1
    broken = {"messageId": "7", "body": "not json"}
    event = {"detail": {"from": "shop", "to": "alice", "seq": 1}}
    records = [broken, {"messageId": "8", "body": json.dumps(event)}]

    assert notify.handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert shop.notified == [1]
