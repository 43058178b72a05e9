"""`domainName`: a certificate, a name that leads to the stage, and its address in DNS."""

from __future__ import annotations

import pytest

from tests.stack.conftest import Synthesize, Synthesized, rendered
from tests.stack.test_web import directives, headers

DOMAIN: dict[str, object] = {"domainName": "chat.example.com", "hostedZoneId": "Z0123456789ABCDEFGHIJ"}


@pytest.fixture(scope="module")
def named(synthesize: Synthesize) -> Synthesized:
    return synthesize(**DOMAIN)


def test_the_certificate_is_of_the_name_and_dns_proves_it(named: Synthesized) -> None:
    id, certificate = named.one("AWS::CertificateManager::Certificate")
    _, domain = named.one("AWS::ApiGatewayV2::DomainName")
    (option,) = certificate["DomainValidationOptions"]

    assert (certificate["DomainName"], certificate["ValidationMethod"]) == ("chat.example.com", "DNS")
    assert option["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"
    assert domain["DomainName"] == "chat.example.com"
    (configuration,) = domain["DomainNameConfigurations"]
    assert configuration["CertificateArn"] == {"Ref": id}
    assert configuration["EndpointType"] == "REGIONAL"


def test_the_name_leads_to_the_stage_without_its_name_in_the_path(named: Synthesized) -> None:
    id, mapping = named.one("AWS::ApiGatewayV2::ApiMapping")
    stage, _ = named.one("AWS::ApiGatewayV2::Stage")

    assert mapping["Stage"] == "dev"
    assert stage in named.template["Resources"][id]["DependsOn"]
    assert "ApiMappingKey" not in mapping
    assert rendered(named.template["Outputs"]["Url"]["Value"]) == "wss://chat.example.com"


def test_dns_has_its_address(named: Synthesized) -> None:
    domain, _ = named.one("AWS::ApiGatewayV2::DomainName")
    _, record = named.one("AWS::Route53::RecordSet")

    assert (record["Name"], record["Type"]) == ("chat.example.com.", "A")
    assert record["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"
    assert rendered(record["AliasTarget"]["DNSName"]) == f"${{{domain}.RegionalDomainName}}"


def test_pushes_go_where_they_went(named: Synthesized, default: Synthesized) -> None:
    name = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
    variables = [stack.function("message")[1]["Environment"]["Variables"] for stack in (named, default)]
    assert variables[0][name] == variables[1][name]


def test_the_page_connects_to_the_name(synthesize: Synthesize) -> None:
    policy = directives(headers(synthesize(web=True, **DOMAIN))["Content-Security-Policy"])
    assert policy["connect-src"] == "'self' wss://chat.example.com"


def test_the_emulator_gets_no_domain(synthesize: Synthesize) -> None:
    stack = synthesize(**DOMAIN, throwaway=True, emulator="http://127.0.0.1:4566")
    assert not stack.all("AWS::ApiGatewayV2::DomainName") | stack.all("AWS::Route53::RecordSet")
