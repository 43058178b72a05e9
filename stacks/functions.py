"""The functions over one asset, each with a role of its own that may at first only write its log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, Duration, ILocalBundling, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from .bundle import LOCK, SOURCE, bundle

Conditions = Mapping[str, Mapping[str, str | list[str]]]

RUNTIME = lambda_.Runtime.PYTHON_3_13

TIMEOUT = Duration.seconds(10)
"""More than an event's own budget (chat/budget.py), less than the 29 s that API Gateway would wait."""


@jsii.implements(ILocalBundling)
class Bundling:
    """Makes the asset in the process that runs synth, so that `cdk deploy` needs no Docker."""

    def __init__(self, lock: str) -> None:
        self._lock = lock

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        bundle(Path(output_dir), lock=self._lock)
        return True


class ChatFunction(Construct):
    """One handler of the asset."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        description: str,
        handler: str,
        code: lambda_.Code,
        environment: Mapping[str, str],
        memory_mb: int,
        tracing: bool,
        has_alias: bool,
        reserved_concurrency: int | None = None,
        timeout: Duration = TIMEOUT,
    ) -> None:
        super().__init__(scope, id)
        self.log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        # A role of our own: the one the CDK makes may write to every log group of the account.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=RUNTIME,
            # The runtime is updated by a deploy only, like the SDK in the asset.
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler,
            code=code,
            role=self.role,
            environment=environment,
            timeout=timeout,
            reserved_concurrent_executions=reserved_concurrency,
            memory_size=memory_mb,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda's own start and end lines are two thirds of the log's bytes, and our line has the duration.
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE if tracing else None,
        )
        self._alias = (
            lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version) if has_alias else None
        )

    def grant(self, actions: list[str], resource: str, conditions: Conditions | None = None) -> None:
        """Lets the function take the actions on the resource."""
        self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions))

    @property
    def invoked(self) -> lambda_.IFunction:
        """Where events go: to the alias, behind which traffic is shifted, or to the function itself."""
        return self._alias or self.function

    @property
    def alias(self) -> lambda_.Alias:
        """Raises ValueError if the function has none."""
        if self._alias is None:
            raise ValueError(f"{self.node.path} has no alias")
        return self._alias


def asset(lock: str = LOCK) -> lambda_.Code:
    """The Lambda asset, with what the lock names. Its hash is that of its content, so each synth bundles it."""
    return lambda_.Code.from_asset(
        str(SOURCE),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=Bundling(lock)),
    )
