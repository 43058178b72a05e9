"""The alarms."""

from __future__ import annotations

import pytest

from tests.stack.conftest import Resource, Synthesize, Synthesized


def alarms(stack: Synthesized) -> list[Resource]:
    return list(stack.all("AWS::CloudWatch::Alarm").values())


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize("name", ["authorizer", "connection", "message"])
def test_errors_and_throttles_of_each_function_raise_an_alarm(default: Synthesized, name: str, metric: str) -> None:
    id, _ = default.function(name)
    dimensions = [{"Name": "FunctionName", "Value": {"Ref": id}}]
    (alarm,) = (it for it in alarms(default) if (it["MetricName"], it.get("Dimensions")) == (metric, dimensions))

    assert alarm["Namespace"] == "AWS/Lambda"
    assert alarm["Threshold"] == 1


@pytest.mark.parametrize(
    ("name", "metric", "pattern"),
    [
        ("message", "InternalErrors", '{ $.code = "internal" }'),
        ("connection", "ConnectionFailures", '{ $.level = "ERROR" }'),
    ],
)
def test_failures_that_only_the_log_shows_raise_an_alarm(
    default: Synthesized, name: str, metric: str, pattern: str
) -> None:
    _, function = default.function(name)
    log = function["LoggingConfig"]["LogGroup"]
    (line,) = (it for it in default.all("AWS::Logs::MetricFilter").values() if it["LogGroupName"] == log)
    (counted,) = line["MetricTransformations"]
    (alarm,) = (it for it in alarms(default) if it["MetricName"] == metric)

    assert line["FilterPattern"] == pattern
    assert (counted["MetricNamespace"], counted["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])


def test_quiet_functions_raise_no_alarm(default: Synthesized) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(default)} == {"notBreaching"}


def test_alarms_are_told_to_the_topic_if_there_is_one(synthesize: Synthesize, default: Synthesized) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"

    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(synthesize(alarmTopicArn=topic))} == {(topic,)}
    assert not any("AlarmActions" in alarm for alarm in alarms(default))
