"""What reads the table's stream: the mapping to the function, and a queue for the records that are given up."""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .functions import ChatFunction

BATCH = 100
"""Records of one invocation at most: ten calls of the bus."""

GIVEN_UP_AFTER = Duration.hours(12)
"""A stream keeps records for 24 hours, so a record that is given up can still be read for as long as it was tried."""

KEPT = Duration.days(14)

FILTERS = (
    {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "MSG#"}]}}}},
    {"dynamodb": {"Keys": {"sk": {"S": ["SESSIONS"]}}}},
)
"""New messages, and sessions. Lambda skips all other records, at no cost."""

READING = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
"""What Lambda does with a stream under the function's role."""


class TableStream(Construct):
    """Gives the function the table's changes, in order for each partition, until it accepts them or gives up."""

    def __init__(self, scope: Construct, id: str, *, stream_arn: str, function: ChatFunction) -> None:
        super().__init__(scope, id)
        self.lost = sqs.Queue(
            self,
            "Lost",
            retention_period=KEPT,
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
        )
        """Where in the stream the records are that were given up, not what is in them."""
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=stream_arn,
            function_name=function.invoked.function_arn,
            starting_position="TRIM_HORIZON",
            batch_size=BATCH,
            # A record that fails is tried again without those beside it.
            bisect_batch_on_function_error=True,
            maximum_record_age_in_seconds=GIVEN_UP_AFTER.to_seconds(),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self.lost.queue_arn)
            ),
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[
                    lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(pattern)) for pattern in FILTERS
                ]
            ),
        )
        # Lambda checks the role's rights when the mapping is made.
        mapping.node.add_dependency(function.role)
