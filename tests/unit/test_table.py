"""How DynamoDB's own answers are translated: throttling, unprocessed keys, errors.

The rest is in the contract tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from chat.budget import THROTTLED
from chat.dynamo import BATCH_ATTEMPTS, DynamoTable, _update_arguments
from chat.protocol import ChatError, ErrorCode
from chat.sessions import SWEPT_AT_ONCE
from chat.table import (
    MAX_SEQ,
    AtLeast,
    Item,
    Key,
    Query,
    Update,
    Updated,
    attribute,
    log_partition,
    message_sort_key,
)

ONE, TWO = Key("USER#alice", "SESSIONS"), Key("USER#bob", "SESSIONS")


@pytest.fixture(scope="module")
def client() -> Any:
    return botocore.session.Session().create_client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="nobody", aws_secret_access_key="nothing"
    )


@pytest.fixture
def answers(client: Any) -> Any:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def table(client: Any) -> DynamoTable:
    return DynamoTable(client, "chat")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept between the tries, without sleeping it."""
    waits: list[float] = []
    monkeypatch.setattr("chat.dynamo.time.sleep", waits.append)
    return waits


CALLS: dict[str, Callable[[DynamoTable], object]] = {
    "query": lambda table: table.query(Query("USER#alice")),
    "batch_get_item": lambda table: table.get([ONE]),
    "put_item": lambda table: table.insert({"pk": "USER#alice", "sk": "SESSIONS"}),
    "update_item": lambda table: table.update(ONE, Update(put={"rev": 1})),
}


@pytest.mark.parametrize("code", sorted(THROTTLED))
@pytest.mark.parametrize("operation", CALLS)
def test_throttling_asks_the_client_to_come_back_later(
    table: DynamoTable, answers: Stubber, operation: str, code: str
) -> None:
    answers.add_client_error(operation, service_error_code=code)

    with pytest.raises(ChatError) as refused:
        CALLS[operation](table)

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS
    assert refused.value.retry_after_ms == 1_000


@pytest.mark.parametrize("operation", CALLS)
def test_another_error_is_raised_as_it_is(table: DynamoTable, answers: Stubber, operation: str) -> None:
    answers.add_client_error(operation, service_error_code="AccessDeniedException")

    with pytest.raises(ClientError):
        CALLS[operation](table)


def test_a_refused_insert_is_no_error(table: DynamoTable, answers: Stubber) -> None:
    answers.add_client_error("put_item", service_error_code="ConditionalCheckFailedException")

    assert not table.insert({"pk": "USER#alice", "sk": "SESSIONS"})


@pytest.mark.parametrize(
    ("fields", "before"),
    [({"Item": {"pk": {"S": "USER#alice"}, "seq": {"N": "5"}}}, {"pk": "USER#alice", "seq": 5}), ({}, {})],
)
def test_a_refused_update_returns_what_there_was(
    table: DynamoTable, answers: Stubber, fields: dict[str, Any], before: dict[str, str | int]
) -> None:
    answers.add_client_error("update_item", service_error_code="ConditionalCheckFailedException", modeled_fields=fields)

    assert table.update(ONE, Update(put={"seq": 4}, only_if=[AtLeast("seq", 6)])) == Updated(False, before)


def wire(key: Key) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def batch(*items: Key, unprocessed: tuple[Key, ...] = ()) -> dict[str, Any]:
    response: dict[str, Any] = {"Responses": {"chat": [wire(key) for key in items]}, "UnprocessedKeys": {}}
    if unprocessed:
        response["UnprocessedKeys"] = {"chat": {"Keys": [wire(key) for key in unprocessed], "ConsistentRead": True}}
    return response


def request(*keys: Key) -> dict[str, Any]:
    wanted = {"chat": {"Keys": [wire(key) for key in keys], "ConsistentRead": True}}
    return {"RequestItems": wanted, "ReturnConsumedCapacity": "TOTAL"}


def test_keys_that_were_not_processed_are_asked_for_again(
    table: DynamoTable, answers: Stubber, waits: list[float]
) -> None:
    answers.add_response("batch_get_item", batch(ONE, unprocessed=(TWO,)), request(ONE, TWO))
    answers.add_response("batch_get_item", batch(unprocessed=(TWO,)), request(TWO))
    answers.add_response("batch_get_item", batch(TWO), request(TWO))

    assert list(table.get([ONE, TWO])) == [ONE, TWO]
    assert len(waits) == 2


def test_keys_that_are_never_processed_ask_the_client_to_come_back_later(
    table: DynamoTable, answers: Stubber, waits: list[float]
) -> None:
    """Half an answer would be taken for a whole one: a device that is not found is not pushed to."""
    for _ in range(BATCH_ATTEMPTS):
        answers.add_response("batch_get_item", batch(unprocessed=(ONE,)), request(ONE))

    with pytest.raises(ChatError) as refused:
        table.get([ONE])

    assert refused.value.code is ErrorCode.TOO_MANY_REQUESTS
    assert sum(waits) < 3


def test_the_last_attempt_counts(table: DynamoTable, answers: Stubber) -> None:
    for _ in range(BATCH_ATTEMPTS - 1):
        answers.add_response("batch_get_item", batch(unprocessed=(ONE,)), request(ONE))
    answers.add_response("batch_get_item", batch(ONE), request(ONE))

    assert list(table.get([ONE])) == [ONE]


def test_no_keys_are_no_call(table: DynamoTable, answers: Stubber) -> None:
    assert table.get([]) == {}


# keys


def test_a_conversation_is_the_same_for_both_sides() -> None:
    assert log_partition("bob", "alice") == log_partition("alice", "bob") == "CHAT#alice#bob"


@pytest.mark.parametrize(
    ("seq", "sort_key"),
    [
        (1, "MSG#000000000001"),
        (42, "MSG#000000000042"),
        (MAX_SEQ, "MSG#099999999999"),
        (MAX_SEQ + 1, "MSG#099999999999"),
        (2**53 - 1, "MSG#099999999999"),
    ],
)
def test_messages_sort_by_number(seq: int, sort_key: str) -> None:
    assert message_sort_key(seq) == sort_key


# attributes


def test_an_attribute_is_read_as_the_type_of_its_default() -> None:
    item: Item = {"seq": 1, "text": "hi"}

    assert (attribute(item, "seq", 0), attribute(item, "text", ""), attribute(item, "absent", 7)) == (1, "hi", 7)


@pytest.mark.parametrize("value", ["secret", -1, 2**53])
def test_a_number_that_cannot_be_ours_counts_as_absent_and_is_logged(
    value: str | int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attribute({"pk": "USER#alice", "sk": "CHAT#bob", "ts": value}, "ts", 7) == 7

    logged = capsys.readouterr().out
    line = json.loads(logged)
    assert (line["level"], line["pk"], line["sk"], line["attribute"]) == ("WARN", "USER#alice", "CHAT#bob", "ts")
    assert str(value) not in logged.replace(line["timestamp"], "")


def test_a_text_that_is_a_number_counts_as_absent() -> None:
    assert attribute({"text": 5}, "text", "") == ""


def test_what_another_version_added_to_every_item_is_one_line_a_call(
    table: DynamoTable, answers: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{**wire(Key("USER#alice", f"CHAT#{number}")), "pinned": {"BOOL": True}} for number in range(3)]
    answers.add_response("query", {"Items": items})

    assert [set(item) for item in table.query(Query("USER#alice"))] == [{"pk", "sk"}] * 3

    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["message"], line["count"]) == ("attributes skipped", 3)
    assert line["first"] == "USER#alice CHAT#0 pinned"


def test_a_validation_error_that_no_counter_explains_is_raised(table: DynamoTable, answers: Stubber) -> None:
    for _ in range(2):
        answers.add_client_error("update_item", service_error_code="ValidationException")

    with pytest.raises(ClientError):
        table.update(ONE, Update(add={"rev": 1}))


def test_a_sweep_is_within_what_an_update_takes() -> None:
    """4 KB of expression, 300 operators, by DynamoDB's published limits."""
    names = [f"@{number:0>16}=" for number in range(SWEPT_AT_ONCE)]

    expression = _update_arguments(ONE, Update(remove=names))["UpdateExpression"]

    assert len(expression) <= 4_096
    assert expression.count("#") == SWEPT_AT_ONCE <= 300
