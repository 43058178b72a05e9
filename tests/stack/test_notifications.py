"""The example of notifications: its rule, its queues, and what its function may do."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns
from cdk_nag import AwsSolutionsChecks

from examples.notifications.notifications import TRIES, Notifications
from stacks.chat import Chat
from stacks.settings import ChatSettings, EventLevel
from tests import event_schema
from tests.stack.conftest import CONTEXT, NO_BUNDLING, rendered
from tests.stack.test_nag import named, paths
from tests.stack.test_permissions import listed

REASONS = {
    "L1 Notifications/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
}


def made(app: cdk.App, **arguments: Any) -> cdk.Stack:
    stack = cdk.Stack(app, "Shop")
    chat = Chat(stack, "Chat", settings=ChatSettings(events=EventLevel.UNDELIVERED))
    Notifications(stack, "Notifications", chat=chat, topic=sns.Topic(stack, "Topic", enforce_ssl=True), **arguments)
    return stack


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    app = cdk.App(context=NO_BUNDLING)
    made(app)
    found: dict[str, Any] = app.synth().get_stack_by_name("Shop").template["Resources"]
    return found


def one(resources: dict[str, Any], type: str, beginning: str = "Notifications") -> tuple[str, Any]:
    ((id, properties),) = (
        (id, it.get("Properties")) for id, it in resources.items() if it["Type"] == type and id.startswith(beginning)
    )
    return id, properties


def queue(resources: dict[str, Any], name: str) -> tuple[str, Any]:
    return one(resources, "AWS::SQS::Queue", f"Notifications{name}")


def test_what_nobody_took_waits_two_minutes(resources: dict[str, Any]) -> None:
    bus, _ = one(resources, "AWS::Events::EventBus", "ChatEvents")
    waiting, properties = queue(resources, "Waiting")
    _, rule = one(resources, "AWS::Events::Rule")

    assert properties["DelaySeconds"] == 120
    assert rule["EventBusName"] == {"Ref": bus}
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": [waiting, "Arn"]}]
    assert rule["EventPattern"]["source"] == ["parley"]
    assert set(rule["EventPattern"]["detail-type"]) <= event_schema.types()
    assert rule["EventPattern"]["detail"] == {"version": [1]}


def test_the_delay_is_an_argument() -> None:
    app = cdk.App(context=NO_BUNDLING)
    made(app, delay=cdk.Duration.seconds(1))

    _, properties = queue(app.synth().get_stack_by_name("Shop").template["Resources"], "Waiting")
    assert properties["DelaySeconds"] == 1


def test_what_fails_again_and_again_is_put_aside(resources: dict[str, Any]) -> None:
    failed, kept = queue(resources, "Failed")
    _, waiting = queue(resources, "Waiting")
    _, function = one(resources, "AWS::Lambda::Function")
    _, mapping = one(resources, "AWS::Lambda::EventSourceMapping")

    assert waiting["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [failed, "Arn"]},
        "maxReceiveCount": TRIES,
    }
    assert kept["MessageRetentionPeriod"] == 14 * 24 * 3_600
    assert waiting["VisibilityTimeout"] >= 6 * function["Timeout"], "as Lambda advises"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_is_put_aside_sets_off_an_alarm(resources: dict[str, Any]) -> None:
    failed, _ = queue(resources, "Failed")
    _, alarm = one(resources, "AWS::CloudWatch::Alarm", "NotificationsFailedAlarm")

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [failed, "QueueName"]}}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")


def test_what_the_queue_does_not_take_is_put_aside_too(resources: dict[str, Any]) -> None:
    failed, _ = queue(resources, "Failed")
    _, rule = one(resources, "AWS::Events::Rule")

    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [failed, "Arn"]}}


@pytest.mark.parametrize("name", ["Waiting", "Failed"])
def test_only_this_rule_may_fill_the_queues(resources: dict[str, Any], name: str) -> None:
    rule, _ = one(resources, "AWS::Events::Rule")
    _, policy = one(resources, "AWS::SQS::QueuePolicy", f"Notifications{name}")
    allowed = [it for it in policy["PolicyDocument"]["Statement"] if it["Effect"] == "Allow"]

    assert [(it["Action"], it["Principal"], it["Condition"]) for it in allowed] == [
        (
            "sqs:SendMessage",
            {"Service": "events.amazonaws.com"},
            {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}},
        )
    ]


def test_the_function_may_ask_the_chat_publish_and_remember_and_no_more(resources: dict[str, Any]) -> None:
    backend, _ = one(resources, "AWS::Lambda::Function", "ChatBackend")
    topic, _ = one(resources, "AWS::SNS::Topic", "Topic")
    table, _ = one(resources, "AWS::DynamoDB::GlobalTable")
    waiting, _ = queue(resources, "Waiting")
    log, _ = one(resources, "AWS::Logs::LogGroup")
    _, policy = one(resources, "AWS::IAM::Policy", "NotificationsRole")
    role, trust = one(resources, "AWS::IAM::Role")
    _, function = one(resources, "AWS::Lambda::Function")

    assert {
        (action, rendered(resource))
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    } == {
        ("logs:CreateLogStream", f"${{{log}.Arn}}"),
        ("logs:PutLogEvents", f"${{{log}.Arn}}"),
        ("lambda:InvokeFunction", f"${{{backend}.Arn}}"),
        ("sns:Publish", f"${{{topic}}}"),
        ("dynamodb:UpdateItem", f"${{{table}.Arn}}"),
        *(
            (f"sqs:{action}", f"${{{waiting}.Arn}}")
            for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        ),
    }
    assert trust.keys() == {"AssumeRolePolicyDocument"}
    assert function["Role"] == {"Fn::GetAtt": [role, "Arn"]}


def test_a_chat_without_events_is_told_of() -> None:
    stack = cdk.Stack(cdk.App(context=NO_BUNDLING), "Shop")
    chat = Chat(stack, "Chat", settings=ChatSettings())

    with pytest.raises(ValueError, match="give it the setting events=undelivered"):
        Notifications(stack, "Notifications", chat=chat, topic=sns.Topic(stack, "Topic"))


def test_every_finding_has_a_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    output = tmp_path_factory.mktemp("cdk.out")
    app = cdk.App(outdir=str(output), context={**CONTEXT, **NO_BUNDLING})
    made(app)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    (report,) = json.loads((output / "validation-report.json").read_text())["pluginReports"]
    found = {named(violation["ruleName"], where) for violation in report["violations"] for where in paths(violation)}

    assert {finding for finding in found if " Notifications/" in finding} == REASONS.keys()
