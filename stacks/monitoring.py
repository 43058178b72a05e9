"""How a deployment is doing: metrics from the logs, alarms, a dashboard, saved queries and a budget."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from .alarms import Alarms
from .dashboard import Dashboard
from .log_metrics import EVENT_METRICS, LOG_METRICS, LogMetric
from .queries import QUERIES
from .settings import ChatSettings, EventLevel
from .target import Target
from .watched import Watched

NOTIFICATIONS = (("ACTUAL", 80), ("FORECASTED", 100))
"""Percentages of the monthly budget at which the address is notified."""


class Monitoring(Construct):
    """Watches the deployment, and notifies the settings' topic or e-mail address."""

    def __init__(self, scope: Construct, id: str, *, watched: Watched, settings: ChatSettings, target: Target) -> None:
        super().__init__(scope, id)
        self._watched = watched
        self._settings = settings
        self.alarms: dict[str, cloudwatch.Alarm] = {}
        self.dashboard: cloudwatch.Dashboard | None = None
        self._has_events = settings.events is not EventLevel.NONE
        for metric in (*LOG_METRICS, *(EVENT_METRICS if self._has_events else ())):
            self._count(metric)
        if target.is_watched:
            self._watch()

    def _watch(self) -> None:
        self.alarms = Alarms(
            self, "Alarms", watched=self._watched, topic=self._topic(), has_events=self._has_events
        ).by_name
        self.dashboard = Dashboard(self, "Dashboard", watched=self._watched).dashboard
        self._save_queries()
        if self._settings.monthly_budget is not None:
            self._budget(self._settings.monthly_budget)

    def _count(self, metric: LogMetric) -> None:
        for function in metric.functions:
            if function not in self._watched.log_groups:
                continue
            logs.MetricFilter(
                self,
                f"{metric.name}{function}Filter",
                log_group=self._watched.log_groups[function],
                filter_pattern=logs.FilterPattern.literal(metric.pattern),
                metric_namespace=self._watched.namespace,
                metric_name=metric.name,
                metric_value=metric.value,
                dimensions={metric.dimension.name: metric.dimension.field} if metric.dimension else None,
            )

    def _topic(self) -> sns.ITopic | None:
        if self._settings.alarm_topic_arn:
            return sns.Topic.from_topic_arn(self, "Topic", self._settings.alarm_topic_arn)
        if self._settings.alarm_email is None:
            return None
        topic = sns.Topic(self, "AlarmTopic", display_name=f"{Stack.of(self).stack_name} alarms", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(self._settings.alarm_email))
        return topic

    def _save_queries(self) -> None:
        for name, query in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                f"{name.capitalize()}Query",
                name=f"{Stack.of(self).stack_name}/{name}",
                query_string="\n| ".join(query.lines),
                log_group_names=[log.log_group_name for log in self._watched.logs_of(query.functions)],
            )

    def _budget(self, dollars: int) -> None:
        """Covers what has this stage's tag, so it counts only once `stage` is activated as a cost allocation tag."""
        notifications = [
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    comparison_operator="GREATER_THAN", notification_type=type, threshold=percent
                ),
                subscribers=[
                    budgets.CfnBudget.SubscriberProperty(
                        subscription_type="EMAIL", address=str(self._settings.alarm_email)
                    )
                ],
            )
            for type, percent in NOTIFICATIONS
        ]
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:stage${self._settings.stage}"]},
            ),
            notifications_with_subscribers=notifications,
        )
