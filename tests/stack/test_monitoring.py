"""The alarms."""

from __future__ import annotations

import pytest

from stacks.log_metrics import LOG_METRICS, LogMetric
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


@pytest.mark.parametrize("metric", LOG_METRICS, ids=lambda metric: metric.name)
def test_each_metric_is_read_from_the_log_of_its_function(default: Synthesized, metric: LogMetric) -> None:
    _, function = default.function(metric.function.lower())
    filters = default.all("AWS::Logs::MetricFilter").values()
    (found,) = (it for it in filters if it["MetricTransformations"][0]["MetricName"] == metric.name)
    (counted,) = found["MetricTransformations"]

    assert found["LogGroupName"] == function["LoggingConfig"]["LogGroup"]
    assert (found["FilterPattern"], counted["MetricValue"]) == (metric.pattern, metric.value)
    assert counted["MetricNamespace"] == "Parley/dev"
    dimensions = {it["Key"]: it["Value"] for it in counted.get("Dimensions", [])}
    assert dimensions == (dict([metric.dimension]) if metric.dimension else {})


@pytest.mark.parametrize(
    ("metric", "dimensions"), [("Errors", [{"Name": "Code", "Value": "internal"}]), ("ConnectionFailures", None)]
)
def test_failures_that_only_the_log_shows_raise_an_alarm(
    default: Synthesized, metric: str, dimensions: list[dict[str, str]] | None
) -> None:
    namespaced = [alarm for alarm in alarms(default) if alarm["Namespace"] == "Parley/dev"]
    (alarm,) = (it for it in namespaced if it["MetricName"] == metric)

    assert alarm.get("Dimensions") == dimensions


def test_quiet_functions_raise_no_alarm(default: Synthesized) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(default)} == {"notBreaching"}


def test_alarms_are_told_to_the_topic_if_there_is_one(synthesize: Synthesize, default: Synthesized) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"

    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(synthesize(alarmTopicArn=topic))} == {(topic,)}
    assert not any("AlarmActions" in alarm for alarm in alarms(default))
