"""Whatever the stack stores, and what encrypts it: docs/deploying.md#a-key-of-your-own has the same list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.pages import prose
from tests.stack.conftest import Synthesize, Synthesized
from tests.stack.test_settings import KEY

EVERYTHING: dict[str, object] = {
    "events": "messages", "eventText": True, "web": True, "alarmEmail": "oncall@example.com", "monthlyBudget": 100,
    "accessLog": True, "tracing": True, "gradualShift": True,
    "domainName": "chat.example.com", "hostedZoneId": "Z0123456789ABCDEFGHIJ",
}  # fmt: skip

OF_THE_SERVICE: dict[str, Any] = {}
"""No property: the service encrypts with a key of its own, or, as SNS does, not at all."""

STORES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "AWS::DynamoDB::GlobalTable": (
        "table, its stream and its backups",
        OF_THE_SERVICE,
        {"SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"}, "KMSMasterKeyId": KEY},
    ),
    "AWS::SecretsManager::Secret": ("token secret", OF_THE_SERVICE, {"KmsKeyId": KEY}),
    "AWS::Events::EventBus": ("event bus", OF_THE_SERVICE, OF_THE_SERVICE),
    "AWS::SQS::Queue": (
        "queues `DeparturesWaiting`, `DeparturesLost` and `TableStreamLost`",
        {"SqsManagedSseEnabled": True},
        {"SqsManagedSseEnabled": True},
    ),
    "AWS::Logs::LogGroup": ("logs", OF_THE_SERVICE, OF_THE_SERVICE),
    "AWS::S3::Bucket": ("web page's bucket", OF_THE_SERVICE, OF_THE_SERVICE),
    "AWS::SNS::Topic": ("topic of `alarmEmail`", OF_THE_SERVICE, OF_THE_SERVICE),
}
"""Types that store data: their row in the document, and what encrypts them without and with a customer's key."""

NO_STORES = frozenset({
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::RouteResponse", "AWS::ApiGatewayV2::Stage", "AWS::Budgets::Budget",
    "AWS::CertificateManager::Certificate", "AWS::CloudFront::Distribution", "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::ResponseHeadersPolicy", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy",
    "AWS::IAM::Role", "AWS::Lambda::Alias", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission", "AWS::Lambda::Version",
    "AWS::Logs::MetricFilter", "AWS::Logs::QueryDefinition", "AWS::Route53::RecordSet", "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "Custom::CDKBucketDeployment",
})  # fmt: skip
"""Types that hold configuration and code, and nothing that comes from users."""

ENCRYPTING = ("BucketEncryption", "KmsKeyId", "KmsKeyIdentifier", "KmsMasterKeyId", "SSESpecification",
              "SqsManagedSseEnabled")  # fmt: skip


def encryption(type: str, properties: dict[str, Any]) -> dict[str, Any]:
    """What a resource's properties say of how it is encrypted."""
    found = {name: properties[name] for name in ENCRYPTING if name in properties}
    if type == "AWS::DynamoDB::GlobalTable":
        (replica,) = properties["Replicas"]
        found |= replica.get("SSESpecification", {})
    return found


@pytest.mark.parametrize("key", [None, KEY])
def test_each_store_of_data_is_encrypted_as_the_list_says(synthesize: Synthesize, key: str | None) -> None:
    stack = synthesize(**EVERYTHING, **({"kmsKeyArn": key} if key else {}))

    for type, (_, without, with_key) in STORES.items():
        stores = stack.all(type)
        assert stores, f"nothing of {type}: take it out of the list"
        for id, properties in stores.items():
            assert encryption(type, properties) == (with_key if key else without), id


def test_each_type_of_resource_is_said_to_store_data_or_not(synthesize: Synthesize) -> None:
    types = {resource["Type"] for resource in synthesize(**EVERYTHING, kmsKeyArn=KEY).template["Resources"].values()}

    assert types - STORES.keys() - NO_STORES == set(), "say in STORES and in docs/deploying.md how it is encrypted"


def test_the_stack_makes_no_key(default: Synthesized, synthesize: Synthesize) -> None:
    for stack in (default, synthesize(**EVERYTHING, kmsKeyArn=KEY)):
        assert not stack.all("AWS::KMS::Key")


def test_the_document_has_a_row_for_each_store() -> None:
    section = prose("docs/deploying.md").split("### A key of your own")[1].split("\n###")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")][2:]
    said = {row[0].strip(): row[-1].strip() == "your key" for row in rows}

    assert said == {name: KEY in with_key.values() for name, _, with_key in STORES.values()}
