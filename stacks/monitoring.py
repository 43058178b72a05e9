"""Alarms that need no tuning: what they watch for should not happen at all."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.functions import ChatFunction

PERIOD = Duration.minutes(5)


class Monitoring(Construct):
    """The alarms: to be seen in CloudWatch, and told to the SNS topic if there is one."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        authorizer: ChatFunction,
        connection: ChatFunction,
        message: ChatFunction,
        namespace: str,
        topic_arn: str | None,
    ) -> None:
        super().__init__(scope, id)
        self._namespace = namespace
        self._topic = sns.Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else None
        for chat_function in (authorizer, connection, message):
            name, function = chat_function.node.id, chat_function.function
            self._alarm(
                f"{name}Errors",
                function.metric_errors(period=PERIOD),
                f"The function {name} crashed or timed out: its log says why.",
            )
            self._alarm(
                f"{name}Throttles",
                function.metric_throttles(period=PERIOD),
                f"The function {name} was refused to run: the account's limit of concurrent executions is reached.",
            )
        # These two answer their failures themselves, so Lambda counts no error.
        self._alarm(
            "InternalErrors",
            self._count(message, "InternalErrors", "$.code", "internal"),
            "Frames were answered with the error `internal`: the log of the function Message says why.",
        )
        self._alarm(
            "ConnectionFailures",
            self._count(connection, "ConnectionFailures", "$.level", "ERROR"),
            "Handshakes were refused, or presence was not told: the log of the function Connection says why.",
        )

    def _count(self, function: ChatFunction, name: str, field: str, value: str) -> cloudwatch.Metric:
        """How many lines of the function's log have the value in the field."""
        lines = logs.MetricFilter(
            self,
            f"{name}Filter",
            log_group=function.log_group,
            filter_pattern=logs.FilterPattern.string_value(field, "=", value),
            metric_namespace=self._namespace,
            metric_name=name,
        )
        return lines.metric(statistic="Sum", period=PERIOD)

    def _alarm(self, id: str, metric: cloudwatch.IMetric, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            id,
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
