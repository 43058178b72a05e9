"""The one DynamoDB table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aws_cdk import CfnTag, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from .settings import ChatSettings, EventLevel


class ChatTable(Construct):
    """On demand, `pk` and `sk`, no secondary index; items expire by `ttl`. It has a stream if events come from it.

    With `table_name` in the settings it is an existing table, for instance a restored one, and nothing
    about it is changed.
    """

    def __init__(
        self, scope: Construct, id: str, *, settings: ChatSettings, key: kms.IKey | None, tags: Mapping[str, str]
    ) -> None:
        super().__init__(scope, id)
        self.table: dynamodb.ITableV2 = (
            self._made(settings, key, tags)
            if settings.table_name is None
            else dynamodb.TableV2.from_table_attributes(
                self, "Table", table_name=settings.table_name, table_stream_arn=settings.table_stream_arn
            )
        )

    def _made(self, settings: ChatSettings, key: kms.IKey | None, tags: Mapping[str, str]) -> dynamodb.TableV2:
        table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(
                max_read_request_units=settings.max_read_request_units,
                max_write_request_units=settings.max_write_request_units,
            ),
            time_to_live_attribute="ttl",
            deletion_protection=not settings.throwaway,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=not settings.throwaway,
                recovery_period_in_days=None if settings.throwaway else settings.recovery_days,
            ),
            # Whether a user came or went shows in its sessions before and after.
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES
            if settings.events is EventLevel.MESSAGES
            else None,
            # A stack's tags do not reach a replica, so the table's costs would have no owner.
            tags=[CfnTag(key=key, value=value) for key, value in tags.items()],
            removal_policy=RemovalPolicy.DESTROY if settings.throwaway else RemovalPolicy.RETAIN,
        )
        if key:
            # The CDK sets a replica's key only in a stack whose Region it knows, and this one can go to any.
            resource = cast("dynamodb.CfnGlobalTable", table.node.default_child)
            resource.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
            resource.add_property_override("Replicas.0.SSESpecification", {"KMSMasterKeyId": key.key_arn})
        return table
