"""The template as a whole."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.settings import SETTINGS
from tests.stack.conftest import Synthesize, Synthesized
from tests.stack.test_settings import KEY

IGNORED = [
    "W3005",  # the CDK makes a function depend on its role, which it also refers to
]
VARIANTS: dict[str, dict[str, object]] = {
    "default": {},
    "open": {"identity": "open", "throwaway": True},
    "throwaway": {"throwaway": True},
    "alarmed": {"alarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms"},
    "e-mailed": {"alarmEmail": "oncall@example.com", "monthlyBudget": 500},
    "access log": {"accessLog": True},
    "traced": {"tracing": True},
    "gradual shift": {"gradualShift": True},
    "domain": {"domainName": "chat.example.com", "hostedZoneId": "Z0123456789ABCDEFGHIJ"},
    "bounded": {
        "reservedConcurrency": 200,
        "routeRates": "send:1000,ping:10",
        "maxReadRequestUnits": 40_000,
        "maxWriteRequestUnits": 9_000,
        "recoveryDays": 7,
    },
    "customer's key": {"kmsKeyArn": KEY},
    "undelivered": {"events": "undelivered"},
    "messages": {"events": "messages", "eventText": True},
    "messages, customer's key, shifting": {"events": "messages", "kmsKeyArn": KEY, "gradualShift": True},
    "web": {"web": True},
    "web, throwaway": {"web": True, "throwaway": True},
}


def without_hashes(template: dict[str, Any]) -> Any:
    """The template, the asset's hash masked: it changes with every line of the functions."""
    return json.loads(re.sub(r"\b[0-9a-f]{64}\b", "HASH", json.dumps(template)))


def test_template_is_the_one_that_was_reviewed(default: Synthesized, snapshot: SnapshotAssertion) -> None:
    assert without_hashes(default.template) == snapshot.use_extension(JSONSnapshotExtension)


def test_page_adds_what_was_reviewed_and_changes_nothing(
    synthesize: Synthesize, default: Synthesized, snapshot: SnapshotAssertion
) -> None:
    with_page = json.loads(json.dumps(synthesize(web=True).template))
    added = {
        part: {id: with_page[part].pop(id) for id in with_page[part].keys() - default.template[part].keys()}
        for part in ("Resources", "Outputs")
    }

    with_page["Metadata"][SETTINGS]["web"] = "false"
    assert with_page == default.template
    assert without_hashes(added) == snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("context", VARIANTS.values(), ids=VARIANTS)
def test_cloudformation_has_nothing_to_object(synthesize: Synthesize, context: dict[str, object]) -> None:
    # It takes seconds to import, and every process of a run reads this file.
    from cfnlint.api import ManualArgs, lint  # noqa: PLC0415

    arguments = ManualArgs(regions=["us-east-1", "eu-central-1"], ignore_checks=IGNORED)

    assert [str(match) for match in lint(json.dumps(synthesize(**context).template), config=arguments)] == []


def test_synth_looks_nothing_up(default: Synthesized) -> None:
    assert default.environment == "aws://unknown-account/unknown-region"
    assert default.lookups == []


def test_default_settings_give_no_warning(default: Synthesized) -> None:
    assert default.warnings == []


@pytest.mark.parametrize(
    ("context", "hint"),
    [
        ({}, "?token=TOKEN"),
        ({"tokenSource": "header"}, "Authorization: Bearer TOKEN"),
        ({"tokenSource": "subprotocol"}, "parley.v1 and bearer.TOKEN"),
        ({"identity": "open", "throwaway": True}, "?userId=USER"),
    ],
)
def test_outputs_say_where_and_how_to_connect(synthesize: Synthesize, context: dict[str, object], hint: str) -> None:
    url = synthesize(**context).template["Outputs"]["Url"]

    assert url["Value"]["Fn::Join"][1][0] == "wss://"
    assert url["Value"]["Fn::Join"][1][-1] == "/dev"
    assert hint in url["Description"]


def test_outputs_say_how_to_get_a_token(default: Synthesized) -> None:
    secret, _ = default.one("AWS::SecretsManager::Secret")
    output = default.template["Outputs"]["TokenSecretArn"]

    assert output["Value"] == {"Fn::GetAtt": [secret, "Id"]}
    assert "make token USER=alice STACK=Parley-dev" in output["Description"]


def test_outputs_name_the_table(default: Synthesized) -> None:
    table, _ = default.one("AWS::DynamoDB::GlobalTable")

    assert default.template["Outputs"]["TableName"]["Value"] == {"Ref": table}
