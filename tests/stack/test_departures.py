"""The queue in which departures wait: its messages, its failures, and what reads it."""

from __future__ import annotations

import pytest

from tests.stack.conftest import Synthesize, Synthesized


def queue(stack: Synthesized, name: str) -> str:
    (id,) = (id for id in stack.all("AWS::SQS::Queue") if id.startswith(f"Departures{name}"))
    return id


def test_the_announcement_function_gets_one_departure_at_a_time_and_says_which_it_could_not_tell(
    default: Synthesized,
) -> None:
    function, _ = default.function("announcement")
    id, mapping = default.one("AWS::Lambda::EventSourceMapping")

    assert mapping == {
        "BatchSize": 1,
        "EventSourceArn": {"Fn::GetAtt": [queue(default, "Waiting"), "Arn"]},
        "FunctionName": {"Fn::GetAtt": [function, "Arn"]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    assert any(
        one.startswith("AnnouncementRoleDefaultPolicy") for one in default.template["Resources"][id]["DependsOn"]
    )


def test_with_a_gradual_shift_the_newest_version_gets_them(synthesize: Synthesize) -> None:
    """The one before it may not know them: its errors would end the shift."""
    stack = synthesize(gradualShift=True)
    function, _ = stack.function("announcement")
    _, mapping = stack.one("AWS::Lambda::EventSourceMapping")

    assert mapping["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}


def test_what_fails_again_and_again_is_put_aside(default: Synthesized) -> None:
    _, function = default.function("announcement")
    waiting = default.all("AWS::SQS::Queue")[queue(default, "Waiting")]
    lost = default.all("AWS::SQS::Queue")[queue(default, "Lost")]

    assert waiting["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [queue(default, "Lost"), "Arn"]},
        "maxReceiveCount": 5,
    }
    assert waiting["VisibilityTimeout"] >= 6 * function["Timeout"], "as Lambda advises"
    assert "DelaySeconds" not in waiting, "each message has that of the function that sent it"
    assert lost["MessageRetentionPeriod"] == 14 * 24 * 3_600


@pytest.mark.parametrize("name", ["Waiting", "Lost"])
def test_nobody_reaches_the_queues_without_tls(default: Synthesized, name: str) -> None:
    id = queue(default, name)
    (policy,) = (one for one in default.all("AWS::SQS::QueuePolicy").values() if one["Queues"] == [{"Ref": id}])

    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_grace_reaches_the_function_that_lets_users_go_and_no_other(synthesize: Synthesize) -> None:
    """The others find it in the item: while a deploy changes it, they would not agree."""
    for seconds in (0, 90):
        stack = synthesize(graceSeconds=seconds)
        for handler in ("announcement", "backend", "message"):
            assert "GRACE_SECONDS" not in stack.function(handler)[1]["Environment"]["Variables"]
        _, connection = stack.function("connection")
        assert connection["Environment"]["Variables"]["GRACE_SECONDS"] == str(seconds)
        assert ("DEPARTURES_QUEUE" in connection["Environment"]["Variables"]) is (seconds > 0)
