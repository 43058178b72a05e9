"""The WebSocket API: what reaches which function, and what is answered."""

from __future__ import annotations

import json
import re

import pytest

from chat import identity
from chat.protocol import ACTIONS
from stacks import websocket_api
from stacks.routes import FREQUENT, MESSAGE_ROUTES, MOST_RATE, ROUTES
from stacks.settings import TokenSource
from tests.stack.conftest import Resource, Synthesize, Synthesized, rendered


def routes(stack: Synthesized) -> dict[str, Resource]:
    return {route["RouteKey"]: route for route in stack.all("AWS::ApiGatewayV2::Route").values()}


def target(stack: Synthesized, route: Resource) -> str:
    """The logical id of the function that the route's integration invokes."""
    integration = rendered(route["Target"]).removeprefix("integrations/${").removesuffix("}")
    uri = rendered(stack.all("AWS::ApiGatewayV2::Integration")[integration]["IntegrationUri"])
    return uri.rpartition("/functions/${")[2].removesuffix(".Arn}/invocations")


def test_routes_are_the_actions_of_the_protocol(default: Synthesized) -> None:
    assert routes(default).keys() == {*ACTIONS, "$connect", "$disconnect", "$default"}


def test_each_route_reaches_its_function(default: Synthesized) -> None:
    message, _ = default.function("message")
    connection, _ = default.function("connection")

    targets = {key: target(default, route) for key, route in routes(default).items()}

    assert targets == {"$connect": connection, "$disconnect": connection} | dict.fromkeys(MESSAGE_ROUTES, message)


def test_routes_share_one_integration_a_function(default: Synthesized) -> None:
    integrations = default.all("AWS::ApiGatewayV2::Integration").values()

    assert len(integrations) == 2
    assert {integration["IntegrationType"] for integration in integrations} == {"AWS_PROXY"}


def test_every_message_route_sends_the_reply_back(default: Synthesized) -> None:
    route_ids = {route["RouteKey"]: id for id, route in default.all("AWS::ApiGatewayV2::Route").items()}
    answered = {rendered(response["RouteId"]) for response in default.all("AWS::ApiGatewayV2::RouteResponse").values()}

    assert answered == {f"${{{route_ids[key]}}}" for key in MESSAGE_ROUTES}
    assert {key for key, route in routes(default).items() if "RouteResponseSelectionExpression" in route} == set(
        MESSAGE_ROUTES
    )


def test_emulator_gets_no_route_response_and_its_own_callback_address(synthesize: Synthesize) -> None:
    stack = synthesize(emulator="http://127.0.0.1:4566")
    api, _ = stack.one("AWS::ApiGatewayV2::Api")

    assert not stack.all("AWS::ApiGatewayV2::RouteResponse")
    for name in ("announcement", "backend", "connection", "message"):
        _, function = stack.function(name)
        url = function["Environment"]["Variables"]["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"]
        assert rendered(url) == f"http://127.0.0.1:4566/_aws/execute-api/${{{api}}}/dev"


@pytest.mark.parametrize("name", ["announcement", "backend", "connection", "message"])
def test_functions_call_back_to_the_stage(default: Synthesized, name: str) -> None:
    api, _ = default.one("AWS::ApiGatewayV2::Api")
    _, function = default.function(name)
    url = rendered(function["Environment"]["Variables"]["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"])

    assert url == f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/dev"


def test_only_connect_is_authorized(default: Synthesized) -> None:
    authorizer, _ = default.one("AWS::ApiGatewayV2::Authorizer")
    authorized = {key: route for key, route in routes(default).items() if route["AuthorizationType"] != "NONE"}

    assert authorized.keys() == {"$connect"}
    assert authorized["$connect"]["AuthorizationType"] == "CUSTOM"
    assert authorized["$connect"]["AuthorizerId"] == {"Ref": authorizer}


@pytest.mark.parametrize(
    ("context", "source"),
    [
        ({}, "route.request.querystring.token"),
        ({"tokenSource": "query"}, "route.request.querystring.token"),
        ({"tokenSource": "header"}, "route.request.header.Authorization"),
        ({"tokenSource": "subprotocol"}, "route.request.header.Sec-WebSocket-Protocol"),
        ({"identity": "open", "throwaway": True}, "route.request.querystring.userId"),
    ],
)
def test_a_handshake_says_who_it_is_in_exactly_one_place(
    synthesize: Synthesize, context: dict[str, object], source: str
) -> None:
    _, authorizer = synthesize(**context).one("AWS::ApiGatewayV2::Authorizer")

    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["IdentitySource"] == [source]


def test_the_authorizer_knows_every_place_of_a_token_that_can_be_chosen() -> None:
    assert {source.value for source in TokenSource} == {source.value for source in identity.TokenSource}


def throttled(stack: Synthesized) -> dict[str, tuple[int, int]]:
    """The rate and the burst of each route, as API Gateway takes them: a route's own, or else the stage's."""
    _, stage = stack.one("AWS::ApiGatewayV2::Stage")
    settings = {route: stage["RouteSettings"].get(route, stage["DefaultRouteSettings"]) for route in routes(stack)}
    return {route: (one["ThrottlingRateLimit"], one["ThrottlingBurstLimit"]) for route, one in settings.items()}


def test_stage_pays_for_no_metric_of_a_route(default: Synthesized) -> None:
    _, stage = default.one("AWS::ApiGatewayV2::Stage")

    # With LoggingLevel or DataTraceEnabled among them, tokens and texts would be in the log.
    for settings in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
        assert settings.keys() == {"DetailedMetricsEnabled", "ThrottlingRateLimit", "ThrottlingBurstLimit"}
        assert settings["DetailedMetricsEnabled"] is False
    assert "AccessLogSettings" not in stage


def test_what_clients_do_all_the_time_has_the_stages_throttle_a_sync_three_times_that_and_the_rest_a_tenth(
    synthesize: Synthesize, default: Synthesized
) -> None:
    usual = {route: (500, 1_000) if route in FREQUENT else (50, 100) for route in routes(default)}
    assert throttled(default) == usual | {"sync": (1_500, 3_000)}
    slow = throttled(synthesize(throttlingRate="5", throttlingBurst="7"))
    assert slow == {route: (5, 7) if route in FREQUENT else (1, 1) for route in routes(default)} | {"sync": (15, 21)}
    assert throttled(synthesize(throttlingRate="10000"))["sync"][0] == MOST_RATE


def test_a_route_has_the_rate_that_it_is_given(synthesize: Synthesize, default: Synthesized) -> None:
    found = throttled(synthesize(routeRates="send:2000,ping:500,$connect:50"))

    assert found == throttled(default) | {"send": (2_000, 4_000), "ping": (500, 1_000), "$connect": (50, 100)}
    assert throttled(synthesize(routeRates="send:10000"))["send"] == (10_000, 5_000)


def test_a_rate_can_be_given_to_the_routes_that_there_are(default: Synthesized) -> None:
    assert set(ROUTES) == routes(default).keys()
    assert set(ROUTES) > FREQUENT


def test_stage_goes_live_after_all_its_routes(default: Synthesized) -> None:
    id, stage = default.one("AWS::ApiGatewayV2::Stage")
    routes_and_responses = {
        *default.all("AWS::ApiGatewayV2::Route"),
        *default.all("AWS::ApiGatewayV2::RouteResponse"),
    }

    assert stage["AutoDeploy"] is True
    assert routes_and_responses <= set(default.template["Resources"][id]["DependsOn"])


def test_access_log_holds_nothing_that_a_token_may_be_in(synthesize: Synthesize) -> None:
    stack = synthesize(accessLog=True)
    _, stage = stack.one("AWS::ApiGatewayV2::Stage")
    fields = json.loads(stage["AccessLogSettings"]["Format"])

    assert {"status", "route", "error", "user", "connection", "ip"} <= fields.keys()
    assert all(value.startswith("$context.") for value in fields.values())
    assert not [value for value in fields.values() if re.search("header|query|body|path|uri|protocol", value, re.I)]


def test_access_log_goes_to_a_group_of_the_stack_that_is_kept_for_a_month(synthesize: Synthesize) -> None:
    stack = synthesize(accessLog=True)
    _, stage = stack.one("AWS::ApiGatewayV2::Stage")
    arn = rendered(stage["AccessLogSettings"]["DestinationArn"])
    (group,) = set(re.findall(r"log-group:\$\{(\w+)\}$", arn))

    assert stack.all("AWS::Logs::LogGroup")[group]["RetentionInDays"] == 30
    # It is the account's, in each Region one: a stack that is deleted would take it from all others.
    assert not stack.all("AWS::ApiGateway::Account")


def test_routes_in_another_order_are_the_same_resources(
    synthesize: Synthesize, default: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_api, "MESSAGE_ROUTES", MESSAGE_ROUTES[::-1])
    made_anew: Synthesize = synthesize.__wrapped__  # type: ignore[attr-defined]
    reordered = made_anew()

    def resources(stack: Synthesized) -> dict[str, Resource]:
        order = {"DependsOn": None}  # in which they are made, and nothing that a resource has
        return {id: resource | order for id, resource in stack.template["Resources"].items()}

    assert resources(reordered) == resources(default)
    assert {"MessageIntegration", "ConnectionIntegration"} == default.all("AWS::ApiGatewayV2::Integration").keys()
