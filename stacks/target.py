"""What AWS and the emulator on a developer's machine need differently; nothing else here knows about the emulator."""

from __future__ import annotations

from typing import Protocol, cast

from aws_cdk import CliCredentialsStackSynthesizer, IStackSynthesizer
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.aws_apigatewayv2 import WebSocketStage


class Target(Protocol):
    """Where the stack is deployed to."""

    @property
    def synthesizer(self) -> IStackSynthesizer | None:
        """None for the CDK's own."""

    @property
    def has_route_responses(self) -> bool:
        """Whether a route must be given a response for the handler's answer to reach the client."""

    @property
    def has_custom_resources(self) -> bool:
        """Whether the CDK's own functions, which copy into buckets and empty them, can run there."""

    @property
    def is_watched(self) -> bool:
        """Whether it has alarms, a dashboard, saved queries, bills, an access log and traces."""

    @property
    def has_deployments(self) -> bool:
        """Whether traffic can be shifted between versions of a function, and APIs can have custom domains."""

    @property
    def has_tls(self) -> bool:
        """Whether services are called over TLS."""

    def socket_url(self, stage: WebSocketStage) -> str:
        """Where clients connect."""

    def connections_url(self, stage: WebSocketStage) -> str:
        """The address of `@connections`."""


class Aws:
    """An account of AWS."""

    synthesizer = None
    has_route_responses = True
    has_custom_resources = True
    is_watched = True
    has_deployments = True
    has_tls = True

    def socket_url(self, stage: WebSocketStage) -> str:
        url: str = stage.url
        return url

    def connections_url(self, stage: WebSocketStage) -> str:
        url: str = stage.callback_url
        return url


class Emulator:
    """An emulator at a loopback address."""

    has_route_responses = False  # its CloudFormation does not know them; its data plane always answers the sender
    has_custom_resources = False
    is_watched = False  # its CloudFormation knows no alarm with an expression, no saved query and no budget
    has_deployments = False
    has_tls = False  # and it heeds a policy that refuses what comes without

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    @property
    def synthesizer(self) -> IStackSynthesizer:
        # It refuses the bootstrap roles the asset bucket, so a local deploy uses the caller's credentials.
        return CliCredentialsStackSynthesizer()

    def socket_url(self, stage: WebSocketStage) -> str:
        return self.connections_url(stage).replace("http", "ws", 1)

    def connections_url(self, stage: WebSocketStage) -> str:
        return f"{self._endpoint}/_aws/execute-api/{stage.api.api_id}/{stage.stage_name}"


def target(emulator: str | None) -> Target:
    """AWS, or the emulator at this endpoint."""
    return Aws() if emulator is None else Emulator(emulator)


def secret_arn(secret: secretsmanager.Secret) -> str:
    """The secret's ARN, for both: its documented attribute Id is the ARN too, and unlike Ref so on the emulator."""
    arn: str = cast("secretsmanager.CfnSecret", secret.node.default_child).attr_id
    return arn
