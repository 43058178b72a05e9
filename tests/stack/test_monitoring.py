"""The alarms."""

from __future__ import annotations

import json
import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns

from stacks.chat import Chat
from stacks.log_metrics import EVENT_METRICS, LOG_METRICS, LogMetric
from stacks.queries import QUERIES
from tests.stack.conftest import NO_BUNDLING, ROOT, Resource, Synthesize, Synthesized


@pytest.fixture
def all_events(synthesize: Synthesize) -> Synthesized:
    """The stack with all that there can be to watch."""
    return synthesize(events="messages")


def alarms(stack: Synthesized) -> list[Resource]:
    return list(stack.all("AWS::CloudWatch::Alarm").values())


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize("name", ["announcement", "authorizer", "backend", "connection", "message", "stream"])
def test_errors_and_throttles_of_each_function_raise_an_alarm(all_events: Synthesized, name: str, metric: str) -> None:
    id, _ = all_events.function(name)
    dimensions = [{"Name": "FunctionName", "Value": {"Ref": id}}]
    (alarm,) = (it for it in alarms(all_events) if (it.get("MetricName"), it.get("Dimensions")) == (metric, dimensions))

    assert alarm["Namespace"] == "AWS/Lambda"
    assert alarm["Threshold"] == 1


@pytest.mark.parametrize("metric", [*LOG_METRICS, *EVENT_METRICS], ids=lambda metric: metric.name)
def test_each_metric_is_read_from_the_logs_of_its_functions(all_events: Synthesized, metric: LogMetric) -> None:
    functions = [all_events.function(name.lower())[1] for name in metric.functions]
    filters = all_events.all("AWS::Logs::MetricFilter").values()
    of_name = (it for it in filters if it["MetricTransformations"][0]["MetricName"] == metric.name)
    found = [it for it in of_name if it["FilterPattern"] == metric.pattern]

    logs = [function["LoggingConfig"]["LogGroup"] for function in functions]
    assert sorted(it["LogGroupName"]["Ref"] for it in found) == sorted(log["Ref"] for log in logs)
    for one in found:
        (counted,) = one["MetricTransformations"]
        assert counted["MetricValue"] == metric.value
        assert counted["MetricNamespace"] == "Parley/dev"
        dimensions = {it["Key"]: it["Value"] for it in counted.get("Dimensions", [])}
        assert dimensions == (dict([metric.dimension]) if metric.dimension else {})


# Each alarm, with what the metrics of its expression say when it must fire, and when it must not.
FIRES: dict[str, tuple[dict[str, float | None], dict[str, float | None]]] = {
    "ApiFailures": ({"integration": 1, "execution": None}, {"integration": None, "execution": 0}),
    "FailedPushes": ({"failed": 10, "taken": 900}, {"failed": 10, "taken": 1_000}),
    "AnnouncementFailures": ({"failed": None, "dropped": 1}, {"failed": 0, "dropped": None}),
    "RefusedByApi": ({"refused": 100, "frames": 1_000}, {"refused": 100, "frames": 10_000}),
    "TableThrottles": ({"reads": None, "writes": 10}, {"reads": 5, "writes": 4}),
    "Concurrency": ({"running": 800}, {"running": 799}),
    "EveryHandshakeRefused": ({"refused": 20, "allowed": None}, {"refused": 1_000, "allowed": 1}),
}
FEW: dict[str, dict[str, float | None]] = {
    "FailedPushes": {"failed": 9, "taken": None},
    "RefusedByApi": {"refused": 99, "frames": None},
    "EveryHandshakeRefused": {"refused": 19, "allowed": None},
}
QUOTA = 1_000


def evaluated(expression: str, values: dict[str, float | None]) -> float:
    """What CloudWatch makes of the expression, of which these alarms use four functions."""
    functions = {
        "IF": lambda condition, then, otherwise: then if condition else otherwise,
        "FILL": lambda value, missing: missing if value is None else value,
        "SERVICE_QUOTA": lambda _: QUOTA,
    }
    return float(eval(expression.replace(" AND ", " and "), {"__builtins__": {}}, {**functions, **values}))  # noqa: S307


def alarm(stack: Synthesized, name: str) -> Resource:
    (found,) = (it for id, it in stack.all("AWS::CloudWatch::Alarm").items() if re.fullmatch(rf"\w+s{name}\w{{8}}", id))
    return found


def reaches(alarm: Resource, values: dict[str, float | None]) -> bool:
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    (expression,) = (it["Expression"] for it in alarm["Metrics"] if "Expression" in it)
    assert {it["Id"] for it in alarm["Metrics"] if "MetricStat" in it} == set(values)
    return evaluated(expression, values) >= float(alarm["Threshold"])


@pytest.mark.parametrize("name", FIRES)
def test_an_alarm_fires_when_it_must_and_only_then(default: Synthesized, name: str) -> None:
    fires, does_not = FIRES[name]

    assert reaches(alarm(default, name), fires)
    assert not reaches(alarm(default, name), does_not)


@pytest.mark.parametrize("name", FEW)
def test_a_share_of_very_few_sets_no_alarm_off(default: Synthesized, name: str) -> None:
    assert not reaches(alarm(default, name), FEW[name])


def test_no_alarm_goes_untried(default: Synthesized) -> None:
    assert sum("Metrics" in it for it in alarms(default)) == len(FIRES)


@pytest.mark.parametrize(
    ("name", "metric", "dimensions"),
    [
        ("InternalErrors", "Errors", [{"Name": "Code", "Value": "internal"}]),
        ("ConnectionFailures", "ConnectionFailures", None),
    ],
)
def test_failures_that_only_the_log_shows_raise_an_alarm(
    default: Synthesized, name: str, metric: str, dimensions: list[dict[str, str]] | None
) -> None:
    found = alarm(default, name)

    assert (found["Namespace"], found["MetricName"]) == ("Parley/dev", metric)
    assert (found.get("Dimensions"), found["Threshold"]) == (dimensions, 1)


def test_events_that_are_late_lost_or_not_put_raise_an_alarm(all_events: Synthesized) -> None:
    stream, _ = all_events.function("stream")
    (lost,) = (id for id in all_events.all("AWS::SQS::Queue") if id.startswith("TableStreamLost"))
    late, gone, failed = (alarm(all_events, name) for name in ("EventsLate", "EventsLost", "EventFailures"))

    assert (late["MetricName"], late["Statistic"], late["Threshold"]) == ("IteratorAge", "Maximum", 900_000)
    assert late["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": stream}}]
    assert (gone["MetricName"], gone["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
    assert gone["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [lost, "QueueName"]}}]
    assert (failed["Namespace"], failed["MetricName"], failed["Threshold"]) == ("Parley/dev", "EventFailures", 1)


def test_departures_that_nobody_reads_or_could_not_be_told_raise_an_alarm(
    default: Synthesized, synthesize: Synthesize
) -> None:
    (waiting,), (lost,) = (
        [id for id in default.all("AWS::SQS::Queue") if id.startswith(name)]
        for name in ("DeparturesWaiting", "DeparturesLost")
    )
    late, gone = alarm(default, "DeparturesLate"), alarm(default, "DeparturesLost")

    assert (late["MetricName"], late["Statistic"]) == ("ApproximateAgeOfOldestMessage", "Maximum")
    assert late["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [waiting, "QueueName"]}}]
    kept = default.all("AWS::SQS::Queue")[waiting]["MessageRetentionPeriod"]
    assert 900 < late["Threshold"] < kept, "the longest grace, in which a departure is not late"
    assert (gone["MetricName"], gone["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
    assert gone["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [lost, "QueueName"]}}]
    assert not [id for id in synthesize(graceSeconds=0).all("AWS::CloudWatch::Alarm") if "AlarmsDepartures" in id]


def test_only_what_there_is_is_watched(synthesize: Synthesize, default: Synthesized) -> None:
    undelivered = synthesize(events="undelivered")

    more = {re.sub(r"^\w*Alarms|\w{8}$", "", id) for id in _more(undelivered, default, "AWS::CloudWatch::Alarm")}
    assert more == {"EventFailures"}
    filters = _more(undelivered, default, "AWS::Logs::MetricFilter")
    assert len(filters) == 2


def _more(stack: Synthesized, than: Synthesized, type: str) -> set[str]:
    return stack.all(type).keys() - than.all(type).keys()


def test_slow_frames_raise_an_alarm(default: Synthesized) -> None:
    id, _ = default.function("message")
    found = alarm(default, "SlowFrames")

    assert (found["MetricName"], found["ExtendedStatistic"], found["Threshold"]) == ("Duration", "p99", 2_000)
    assert found["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": id}}]
    assert found["EvaluationPeriods"] == 3


def test_every_metric_of_ours_that_an_alarm_or_the_dashboard_reads_is_counted(all_events: Synthesized) -> None:
    template = json.dumps([all_events.all("AWS::CloudWatch::Alarm"), all_events.all("AWS::CloudWatch::Dashboard")])
    read = set(re.findall(r'"MetricName": "(\w+)", "Namespace": "Parley/dev"', template))  # of alarms
    read |= set(re.findall(r'\["Parley/dev","(\w+)"', template.replace("\\", "")))  # of the dashboard

    assert {"Errors", "FailedPushes", "PruneFailures"} < read
    assert read <= {metric.name for metric in (*LOG_METRICS, *EVENT_METRICS)}


def test_every_alarm_names_its_section_of_the_runbook(all_events: Synthesized) -> None:
    runbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = {name.lower().replace(" ", "-") for name in re.findall(r"^### (.+)$", runbook, re.MULTILINE)}
    named = {it["AlarmDescription"].partition("docs/operations.md#")[2] for it in alarms(all_events)}

    assert named == sections


def test_an_e_mail_address_gets_a_topic_and_is_told_of_the_budget(synthesize: Synthesize) -> None:
    stack = synthesize(alarmEmail="oncall@example.com", monthlyBudget=500)
    topic, _ = stack.one("AWS::SNS::Topic")
    _, subscription = stack.one("AWS::SNS::Subscription")
    _, budget = stack.one("AWS::Budgets::Budget")

    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "oncall@example.com")
    assert all(it["AlarmActions"] == it["OKActions"] == [{"Ref": topic}] for it in alarms(stack))
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:stage$dev"]}
    told = [who["Address"] for it in budget["NotificationsWithSubscribers"] for who in it["Subscribers"]]
    assert told == ["oncall@example.com"] * 2


def test_without_a_budget_there_is_none(default: Synthesized) -> None:
    assert not default.all("AWS::Budgets::Budget")
    assert not default.all("AWS::SNS::Topic")


def test_on_the_emulator_nobody_watches_and_the_lines_are_counted(synthesize: Synthesize, default: Synthesized) -> None:
    stack = synthesize(emulator="http://127.0.0.1:1", throwaway=True, alarmEmail="a@example.com", monthlyBudget=5)

    for watching in ("AWS::Logs::QueryDefinition", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"):
        assert default.all(watching)
        assert not stack.all(watching)
    assert not stack.all("AWS::Budgets::Budget")
    assert len(stack.all("AWS::Logs::MetricFilter")) == len(default.all("AWS::Logs::MetricFilter"))


# What a query reads that Logs Insights adds itself, and its own words, with the fields of log lines between them.
FIELDS = {
    "message", "level", "action", "code", "user", "connection", "request_id", "reason", "error", "aws_error", "event",
    "taken", "gone", "failed", "duration_ms",
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_reads_fields_that_the_log_has(name: str) -> None:
    text = re.sub(r'"[^"]*"', "", " | ".join(QUERIES[name].lines))
    words = set(re.findall(r"@?[a-z_]+[a-z0-9_]*", text))
    own = {"filter", "stats", "count", "as", "by", "sort", "desc", "asc", "limit", "display", "pct", "latest"}
    made = set(re.findall(r" as (\w+)", text)) | {"ispresent", "@timestamp"}

    assert words - own - made <= FIELDS


def test_quiet_functions_raise_no_alarm(default: Synthesized) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(default)} == {"notBreaching"}


def test_alarms_are_told_to_the_topic_if_there_is_one(synthesize: Synthesize, default: Synthesized) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"

    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(synthesize(alarmTopicArn=topic))} == {(topic,)}
    assert not any("AlarmActions" in alarm for alarm in alarms(default))


def test_an_action_of_your_own_is_done_by_every_alarm() -> None:
    app = cdk.App(context=NO_BUNDLING)
    stack = cdk.Stack(app, "Shop")
    chat = Chat(stack, "Chat")
    topic = sns.Topic(stack, "Pager")
    assert chat.dashboard is not None

    chat.add_alarm_action(actions.SnsAction(topic))

    resources = app.synth().get_stack_by_name("Shop").template["Resources"]
    (pager,) = (id for id in resources if id.startswith("Pager"))
    all_alarms = [it["Properties"] for it in resources.values() if it["Type"] == "AWS::CloudWatch::Alarm"]
    assert all_alarms
    assert all(alarm["AlarmActions"] == [{"Ref": pager}] for alarm in all_alarms)
