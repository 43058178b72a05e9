"""Tells people who are away of what they have not read: a construct for the app that has the chat.

    chat = Chat(stack, "Chat", settings=ChatSettings(stage="prod", events="undelivered"))
    Notifications(stack, "Notifications", chat=chat, topic=topic)

A message that no device took waits in a queue. If it is still unread then, the topic gets a notification: one for all
that is unread in a conversation, until it is read. What is subscribed to the topic mails or pushes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

FUNCTION = Path(__file__).parent / "function"

TIMEOUT = Duration.seconds(30)
TRIES = 5
"""Of a notification, some three minutes apart, before it is put aside."""


class Chat(Protocol):
    """What is used of the chat's construct."""

    @property
    def bus(self) -> events.IEventBus | None: ...

    @property
    def backend_function(self) -> lambda_.IFunction: ...

    def grant_backend(self, grantee: iam.IGrantable) -> iam.Grant: ...


class Notifications(Construct):
    """A rule, a queue that delays, and the function that looks and notifies. `delay` is at most 15 minutes.

    The chat must have events. What could not be notified is kept in `failed` for two weeks, and sets off `alarm`: give
    it an action.
    """

    def __init__(
        self, scope: Construct, id: str, *, chat: Chat, topic: sns.ITopic, delay: Duration | None = None
    ) -> None:
        super().__init__(scope, id)
        if chat.bus is None:
            raise ValueError("the chat has no events: give it the setting events=undelivered, or events=messages")
        self.failed = sqs.Queue(self, "Failed", retention_period=Duration.days(14), enforce_ssl=True)
        self.alarm = cloudwatch.Alarm(
            self,
            "FailedAlarm",
            metric=self.failed.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description="Somebody was not notified: read the function's log, mend it, and redrive the queue.",
        )
        self._waiting = sqs.Queue(
            self,
            "Waiting",
            delivery_delay=delay or Duration.minutes(2),
            visibility_timeout=Duration.seconds(6 * TIMEOUT.to_seconds()),  # as Lambda advises
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.failed, max_receive_count=TRIES),
            enforce_ssl=True,
        )
        self._notified = dynamodb.TableV2(
            self,
            "Notified",
            partition_key=dynamodb.Attribute(name="user", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="peer", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="ttl",
            removal_policy=RemovalPolicy.DESTROY,  # nothing is lost but that somebody may be told twice
        )
        self.function = self._make_function(chat, topic)
        self._route(chat.bus)

    def _make_function(self, chat: Chat, topic: sns.ITopic) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        function = lambda_.Function(
            self,
            "Function",
            description="Notifies whoever has not read a message yet",
            runtime=lambda_.Runtime.PYTHON_3_13,  # which has boto3
            architecture=lambda_.Architecture.ARM_64,
            handler="notify.handler",
            code=lambda_.Code.from_asset(str(FUNCTION), exclude=["__pycache__"]),
            role=role,
            timeout=TIMEOUT,
            log_group=log_group,
            environment={
                "BACKEND": chat.backend_function.function_arn,
                "NOTIFIED_TABLE": self._notified.table_name,
                "TOPIC_ARN": topic.topic_arn,
            },
        )
        chat.grant_backend(role)
        grants = {
            topic.topic_arn: ["sns:Publish"],
            self._notified.table_arn: ["dynamodb:UpdateItem"],
            self._waiting.queue_arn: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        }
        for resource, actions in grants.items():
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=self._waiting.queue_arn,
            function_name=function.function_arn,
            function_response_types=["ReportBatchItemFailures"],
        )
        mapping.node.add_dependency(role)
        return function

    def _route(self, bus: events.IEventBus) -> None:
        """Has the bus put what nobody took into the queue, and what the queue does not take aside."""
        rule = events.CfnRule(
            self,
            "Rule",
            event_bus_name=bus.event_bus_name,
            event_pattern={
                "source": ["parley"],
                "detail-type": ["message.undelivered"],
                "detail": {"version": [1]},
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Waiting",
                    arn=self._waiting.queue_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.failed.queue_arn),
                )
            ],
        )
        for queue in (self._waiting, self.failed):
            queue.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("events.amazonaws.com")],
                    actions=["sqs:SendMessage"],
                    resources=[queue.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
                )
            )
