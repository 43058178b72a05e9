"""The metrics of one deployment: AWS's own, and those counted from the logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from .departures import Departures
from .functions import ChatFunction
from .log_metrics import FunctionName
from .websocket_api import ChatApi

PERIOD = Duration.minutes(5)


class Watched:
    """What can be watched, by its name in CloudWatch."""

    def __init__(
        self,
        *,
        api: ChatApi,
        table: dynamodb.ITableV2,
        functions: Mapping[FunctionName, ChatFunction],
        memory_mb: int,
        namespace: str,
        lost_events: sqs.IQueue | None = None,
        departures: Departures | None = None,
    ) -> None:
        self.functions: dict[FunctionName, lambda_.Function] = {name: it.function for name, it in functions.items()}
        self.log_groups: dict[FunctionName, logs.LogGroup] = {name: it.log_group for name, it in functions.items()}
        self.memory_mb = memory_mb
        self.namespace = namespace
        self.lost_events = lost_events
        self.departures = departures
        self._api = {"ApiId": api.api.api_id, "Stage": api.stage.stage_name}
        self._table = {"TableName": table.table_name}

    def logged(self, name: str, **dimensions: str) -> cloudwatch.Metric:
        """A metric of stacks/log_metrics.py."""
        return self._sum(self.namespace, name, dimensions)

    def api(self, name: str) -> cloudwatch.Metric:
        """A metric of API Gateway for the stage."""
        return self._sum("AWS/ApiGateway", name, self._api)

    def table(self, name: str) -> cloudwatch.Metric:
        """A metric of DynamoDB for the table."""
        return self._sum("AWS/DynamoDB", name, self._table)

    def logs_of(self, functions: Iterable[FunctionName]) -> list[logs.LogGroup]:
        """The logs of those of the functions that are deployed."""
        return [self.log_groups[name] for name in functions if name in self.log_groups]

    def log_bytes(self, function: FunctionName) -> cloudwatch.Metric:
        """The bytes that the function writes into its log."""
        group = {"LogGroupName": self.log_groups[function].log_group_name}
        return self._sum("AWS/Logs", "IncomingBytes", group)

    def _sum(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic="Sum", period=PERIOD
        )
