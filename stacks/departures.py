"""Where a departure waits until it is told: a queue with a delay, and what hands its messages to the function."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .functions import TIMEOUT, ChatFunction

TRIES = 5
"""How often a message is handed out before it is put aside: as Lambda advises, since a throttle counts, too."""

KEPT, LOST_KEPT = Duration.hours(1), Duration.days(14)
"""A departure is no news for longer: who looks has asked by then."""

RECEIVING = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
"""What Lambda does with a queue in the name of the function's role."""


class Departures(Construct):
    """Hands each message to the function once its delay is over, which its sender chooses."""

    def __init__(self, scope: Construct, id: str, *, function: ChatFunction, enforce_ssl: bool) -> None:
        super().__init__(scope, id)
        self._enforce_ssl = enforce_ssl
        self.lost = self._queue("Lost", retention_period=LOST_KEPT)
        self.queue = self._queue(
            "Waiting",
            retention_period=KEPT,
            visibility_timeout=Duration.seconds(6 * TIMEOUT.to_seconds()),  # as Lambda advises
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.lost, max_receive_count=TRIES),
        )
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=self.queue.queue_arn,
            # Not the alias, behind which a version may still run that knows no queue, and fails at its messages.
            function_name=function.function.function_arn,
            batch_size=1,  # each has the time of an event of its own (chat/budget.py)
            function_response_types=["ReportBatchItemFailures"],
        )
        # Lambda tries the role's rights when the mapping is made.
        mapping.node.add_dependency(function.role)

    def _queue(self, id: str, **rest: object) -> sqs.Queue:
        return sqs.Queue(self, id, enforce_ssl=self._enforce_ssl, encryption=sqs.QueueEncryption.SQS_MANAGED, **rest)
