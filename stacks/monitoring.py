"""Alarms that need no tuning: what they watch for should not happen at all."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.functions import ChatFunction
from stacks.log_metrics import LOG_METRICS, LogMetric

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
        functions = {function.node.id: function for function in (authorizer, connection, message)}
        for metric in LOG_METRICS:
            self._count(functions[metric.function], metric)
        # These two answer their failures themselves, so Lambda counts no error.
        self._alarm(
            "InternalErrors",
            self._counted("Errors", Code="internal"),
            "Frames were answered with the error `internal`: the log of the function Message says why.",
        )
        self._alarm(
            "ConnectionFailures",
            self._counted("ConnectionFailures"),
            "Handshakes were refused, or presence was not told: the log of the function Connection says why.",
        )

    def _count(self, function: ChatFunction, metric: LogMetric) -> None:
        logs.MetricFilter(
            self,
            f"{metric.name}Filter",
            log_group=function.log_group,
            filter_pattern=logs.FilterPattern.literal(metric.pattern),
            metric_namespace=self._namespace,
            metric_name=metric.name,
            metric_value=metric.value,
            dimensions={metric.dimension.name: metric.dimension.field} if metric.dimension else None,
        )

    def _counted(self, name: str, **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map=dimensions,
            statistic="Sum",
            period=PERIOD,
        )

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
