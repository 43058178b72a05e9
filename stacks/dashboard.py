"""The dashboard, read from top to bottom: is it up, is it fast, is anything lost, who is limited, what does it cost."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .queries import QUERIES
from .watched import PERIOD, Watched

PRICES = Path(__file__).with_name("prices.json")

WIDTH = 24  # of a dashboard, in CloudWatch's units


class Dashboard(Construct):
    """One dashboard for the stack."""

    def __init__(self, scope: Construct, id: str, *, watched: Watched) -> None:
        super().__init__(scope, id)
        self._watched = watched
        stack = Stack.of(self)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"{stack.stack_name}-{stack.region}",
            default_interval=Duration.hours(3),
            widgets=[self._is_up(), self._is_fast(), self._loses(), self._is_limited(), self._costs()],
        )

    def _is_up(self) -> list[cloudwatch.IWidget]:
        watched = self._watched
        return _row(
            _graph("Is it up? Handshakes", watched.logged("HandshakesAllowed"), watched.logged("HandshakesRefused")),
            _graph("Messages", watched.logged("Messages"), watched.logged("Deliveries")),
            _graph(
                "Failures on our side",
                *(function.metric_errors(period=PERIOD) for function in watched.functions.values()),
                watched.logged("Errors", Code="internal"),
                watched.logged("ConnectionFailures"),
                watched.api("IntegrationError"),
                watched.api("ExecutionError"),
            ),
        )

    def _is_fast(self) -> list[cloudwatch.IWidget]:
        duration = self._watched.functions["Message"].metric_duration
        percentiles = (duration(period=PERIOD, statistic=name, label=name) for name in ("p50", "p95", "p99"))
        return _row(
            _graph("Is it fast? Milliseconds", *percentiles),
            self._table("Milliseconds by action", "routes"),
        )

    def _loses(self) -> list[cloudwatch.IWidget]:
        names = ("FailedPushes", "GoneConnections", "AnnouncementFailures", "PruneFailures", "Duplicates")
        return _row(
            _graph("Is anything lost? Pushes", *map(self._watched.logged, names)),
            self._table("What failed", "errors"),
        )

    def _is_limited(self) -> list[cloudwatch.IWidget]:
        watched = self._watched
        throttles = (function.metric_throttles(period=PERIOD) for function in watched.functions.values())
        return _row(
            _graph(
                "Who is limited? Throttles",
                *throttles,
                watched.table("ReadThrottleEvents"),
                watched.table("WriteThrottleEvents"),
                watched.api("ClientError"),
                watched.logged("ConnectionLimits"),
                watched.logged("AppendConflicts"),
            ),
            self._table("Errors and who got them", "limited"),
            self._table("Handshakes refused, by reason", "refused"),
        )

    def _costs(self) -> list[cloudwatch.IWidget]:
        return _row(
            cloudwatch.SingleValueWidget(
                title="What does it cost? Dollars at list price, without connection minutes and storage",
                metrics=[self._dollars()],
                set_period_to_time_range=True,
                width=WIDTH // 3,
            ),
            _graph("Dollars per five minutes", self._dollars()),
        )

    def _dollars(self) -> cloudwatch.MathExpression:
        price = json.loads(PRICES.read_text(encoding="utf-8"))["list_prices_in_dollars"]
        metrics: dict[str, cloudwatch.IMetric] = {
            "frames": self._watched.api("MessageCount"),
            "reads": self._watched.table("ConsumedReadCapacityUnits"),
            "writes": self._watched.table("ConsumedWriteCapacityUnits"),
        }
        terms = [
            f"FILL(frames, 0) * {_decimal(price['websocket_message_32_kb'])}",
            f"FILL(reads, 0) * {_decimal(price['read_unit'])}",
            f"FILL(writes, 0) * {_decimal(price['write_unit'])}",
        ]
        gigabyte_ms = price["lambda_gb_second_arm64"] * self._watched.memory_mb / 1_024 / 1_000
        for name, function in self._watched.functions.items():
            calls, ms, log = (f"{name.lower()}_{what}" for what in ("calls", "ms", "bytes"))
            metrics[calls] = function.metric_invocations(period=PERIOD)
            metrics[ms] = function.metric_duration(period=PERIOD, statistic="Sum")
            metrics[log] = self._watched.log_bytes(name)
            terms.append(
                f"FILL({calls}, 0) * {_decimal(price['lambda_request'])} + FILL({ms}, 0) * {_decimal(gigabyte_ms)}"
            )
            terms.append(f"FILL({log}, 0) * {_decimal(price['log_gb'] / 1e9)}")
        return cloudwatch.MathExpression(
            expression=" + ".join(terms), using_metrics=metrics, period=PERIOD, label="dollars"
        )

    def _table(self, title: str, query: str) -> cloudwatch.IWidget:
        """The results of a saved query."""
        asked = QUERIES[query]
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[log.log_group_name for log in self._watched.logs_of(asked.functions)],
            query_lines=list(asked.lines),
            view=cloudwatch.LogQueryVisualizationType.TABLE,
            width=WIDTH // 3,
        )


def _decimal(dollars: float) -> str:
    """Without an exponent, which CloudWatch's expressions do not know."""
    return f"{dollars:.15f}".rstrip("0")


def _row(*widgets: cloudwatch.ConcreteWidget) -> list[cloudwatch.IWidget]:
    return [cloudwatch.Column(widget) for widget in widgets]


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=WIDTH // 3)
