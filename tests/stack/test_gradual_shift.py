"""`gradualShift`: whatever invokes a function invokes its alias, and an alarm takes a new version back."""

from __future__ import annotations

import json

import pytest

from stacks.gradual_shift import ROLLBACK_ALARMS
from tests.stack.conftest import Synthesize, Synthesized, rendered
from tests.stack.test_permissions import allowed

NAMES = ("Announcement", "Authorizer", "Backend", "Connection", "Message", "Stream")
NOT_BY_API = ("Announcement", "Backend", "Stream")


@pytest.fixture(scope="module")
def shifting(synthesize: Synthesize) -> Synthesized:
    return synthesize(gradualShift=True, events="messages")


def alias(stack: Synthesized, name: str) -> str:
    """The logical id of the function's alias."""
    function, _ = stack.function(name.lower())
    ((id, made),) = (
        (id, it) for id, it in stack.all("AWS::Lambda::Alias").items() if it["FunctionName"] == {"Ref": function}
    )
    assert made["Name"] == "live"
    return id


def test_without_it_there_are_no_versions(default: Synthesized) -> None:
    types = {resource["Type"] for resource in default.template["Resources"].values()}
    assert not [type for type in types if type.startswith(("AWS::CodeDeploy", "AWS::Lambda::Alias", "AWS::Lambda::V"))]


def test_api_gateway_invokes_the_aliases(shifting: Synthesized) -> None:
    uris = [rendered(it["IntegrationUri"]) for it in shifting.all("AWS::ApiGatewayV2::Integration").values()]
    uris += [rendered(it["AuthorizerUri"]) for it in shifting.all("AWS::ApiGatewayV2::Authorizer").values()]
    invoked = {uri.rpartition("/functions/${")[2].removesuffix("}/invocations") for uri in uris}
    allowed_for = {json.dumps(it["FunctionName"]) for it in shifting.all("AWS::Lambda::Permission").values()}

    by_api = {alias(shifting, name) for name in NAMES if name not in NOT_BY_API}
    assert invoked == by_api
    assert allowed_for == {json.dumps({"Ref": id}) for id in by_api}


def test_announcements_go_to_the_alias_which_may_be_invoked_and_tries_once(shifting: Synthesized) -> None:
    announcement = alias(shifting, "Announcement")
    _, connection = shifting.function("connection")
    (config,) = (
        it
        for it in shifting.all("AWS::Lambda::EventInvokeConfig").values()
        if announcement in json.dumps(it["Qualifier"])
    )

    assert announcement in json.dumps(connection["Environment"]["Variables"]["ANNOUNCEMENT_FUNCTION"])
    assert ("lambda:InvokeFunction", f"${{{announcement}}}") in allowed(shifting, "connection")
    assert config["MaximumRetryAttempts"] == 0


def test_the_tables_stream_goes_to_the_alias(shifting: Synthesized) -> None:
    (mapping,) = (
        mapping
        for mapping in shifting.all("AWS::Lambda::EventSourceMapping").values()
        if "StreamArn" in rendered(mapping["EventSourceArn"])
    )

    assert mapping["FunctionName"] == {"Ref": alias(shifting, "Stream")}


@pytest.mark.parametrize("name", NAMES)
def test_an_alarm_takes_a_new_version_back(shifting: Synthesized, name: str) -> None:
    groups = shifting.all("AWS::CodeDeploy::DeploymentGroup")
    resource = shifting.template["Resources"][alias(shifting, name)]
    group = groups[resource["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]]
    watched = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}

    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent10Minutes"
    assert group["AlarmConfiguration"]["Enabled"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert {id.removeprefix("MonitoringAlarms")[:-8] for id in watched} == set(ROLLBACK_ALARMS[name])  # type: ignore[index]


def test_the_emulator_gets_functions_without_versions(synthesize: Synthesize) -> None:
    stack = synthesize(gradualShift=True, throwaway=True, emulator="http://127.0.0.1:4566")
    assert not stack.all("AWS::Lambda::Alias") | stack.all("AWS::CodeDeploy::DeploymentGroup")
