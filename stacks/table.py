"""The one DynamoDB table."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CfnTag, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


class ChatTable(Construct):
    """On demand, `pk` and `sk`, no secondary index; messages expire by `ttl`.

    With `name` it is a table that exists already, one that was restored for instance, and nothing of it is changed.
    """

    def __init__(
        self, scope: Construct, id: str, *, name: str | None, throwaway: bool, tags: Mapping[str, str]
    ) -> None:
        super().__init__(scope, id)
        self.table: dynamodb.ITableV2 = (
            self._made(throwaway=throwaway, tags=tags)
            if name is None
            else dynamodb.TableV2.from_table_name(self, "Table", name)
        )

    def _made(self, *, throwaway: bool, tags: Mapping[str, str]) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="ttl",
            deletion_protection=not throwaway,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=not throwaway
            ),
            # A stack's tags do not reach a replica, and the table's costs would belong to nobody.
            tags=[CfnTag(key=key, value=value) for key, value in tags.items()],
            removal_policy=RemovalPolicy.DESTROY if throwaway else RemovalPolicy.RETAIN,
        )
