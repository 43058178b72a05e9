"""The WebSocket API: its routes, its authorizer and its one stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct

from .routes import MESSAGE_ROUTES, Throttle

ACCESS_LOG_FIELDS = {
    "time": "$context.requestTime",
    "event": "$context.eventType",
    "route": "$context.routeKey",
    "status": "$context.status",
    "error": "$context.error.message",
    "integration_error": "$context.integrationErrorMessage",
    "latency_ms": "$context.integrationLatency",
    "user": "$context.authorizer.principalId",
    "connection": "$context.connectionId",
    "request_id": "$context.requestId",
    "ip": "$context.identity.sourceIp",
}
"""What API Gateway logs of a handshake or a frame. No query string, no header and no body: a token may be in them."""


class ChatApi(Construct):
    """The API and its stage. The routes come after the functions, which need the stage's address."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        stage_name: str,
        throttle: Throttle,
        access_log: bool,
    ) -> None:
        super().__init__(scope, id)
        self.api = apigateway.WebSocketApi(
            self, "Api", api_name=name, route_selection_expression="$request.body.action"
        )
        self.stage = apigateway.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=stage_name,
            auto_deploy=True,
            # Billed as some fifty custom metrics; the log has each route's durations and errors.
            detailed_metrics_enabled=False,
            throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst),
        )
        if access_log:
            self._log_access()

    def _log_access(self) -> None:
        log_group = logs.LogGroup(
            self, "AccessLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        arn = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=log_group.log_group_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        stage = cast("apigateway.CfnStage", self.stage.node.default_child)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=arn, format=json.dumps(ACCESS_LOG_FIELDS)
        )

    def connections_arn(self, method: str) -> str:
        """What ManageConnections is granted on: one method on the connections of this stage."""
        return str(self.api.arn_for_execute_api_v2(f"{method}/@connections/*", self.stage.stage_name))

    def add_routes(
        self,
        *,
        authorizer: lambda_.IFunction,
        identity_source: str,
        connection: lambda_.IFunction,
        message: lambda_.IFunction,
        route_responses: bool,
        throttles: Mapping[str, Throttle],
    ) -> None:
        """Routes events to the functions. With `route_responses` a handler's body is sent to the client.

        `throttles` names the routes that are throttled otherwise than the stage.
        """
        connections = WebSocketLambdaIntegration("ConnectionIntegration", connection)
        messages = WebSocketLambdaIntegration("MessageIntegration", message)
        gatekeeper = WebSocketLambdaAuthorizer("Authorizer", authorizer, identity_source=[identity_source])
        routes = [
            self.api.add_route("$connect", integration=connections, authorizer=gatekeeper),
            self.api.add_route("$disconnect", integration=connections),
            *(
                self.api.add_route(route_key, integration=messages, return_response=route_responses)
                for route_key in MESSAGE_ROUTES
            ),
        ]
        self._name_integrations()
        self._throttle(throttles)
        # API Gateway accepts one change to an API at a time, and a stage that deploys by itself adds one a route.
        # Made last, it does not get in their way, and goes live whole.
        self.stage.node.add_dependency(*routes)

    def _throttle(self, throttles: Mapping[str, Throttle]) -> None:
        stage = cast("apigateway.CfnStage", self.stage.node.default_child)
        # A route with settings of its own inherits none of the stage's.
        stage.route_settings = {
            route: {
                "DetailedMetricsEnabled": False,
                "ThrottlingRateLimit": throttle.rate,
                "ThrottlingBurstLimit": throttle.burst,
            }
            for route, throttle in sorted(throttles.items())
        }

    def _name_integrations(self) -> None:
        """The CDK makes an integration below the first route that uses it, so another order would replace it."""
        for construct in self.api.node.find_all():
            if isinstance(construct, apigateway.CfnIntegration):
                construct.override_logical_id(str(cast("Construct", construct.node.scope).node.id))
