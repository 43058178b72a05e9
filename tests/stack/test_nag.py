"""The stack held to the rules that AWS publishes for its own solutions (cdk-nag), and why it differs where it does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks

from stacks.chat_stack import ChatStack
from stacks.settings import ChatSettings
from tests.stack.conftest import CONTEXT, NO_BUNDLING
from tests.stack.test_domain import DOMAIN
from tests.stack.test_settings import KEY

CONTEXTS: list[dict[str, object]] = [
    {},
    {"web": True, "alarmEmail": "oncall@example.com", "monthlyBudget": 100},
    {"accessLog": True, "tracing": True, "gradualShift": True, **DOMAIN},
    {"events": "messages", "gradualShift": True},
    {"kmsKeyArn": KEY, "reservedConcurrency": 200, "maxReadRequestUnits": 40_000, "maxWriteRequestUnits": 9_000},
]

SHIFTS = "with gradualShift; AWS keeps the policy of what CodeDeploy does to functions, and it reaches no data"
REASONS = {
    "APIG1 Chat/Stage": "off by default, since it requires a role of the account; each function logs a line an event",
    "APIG4 Chat/Api": "API Gateway authorizes $connect alone, and every other route is of an authorized connection",
    "IAM5 Message/Role": "the connections of this one stage, whose ids are not known before",
    "IAM5 Announcement/Role": "the connections of this one stage, whose ids are not known before",
    "IAM5 Backend/Role": "the connections of this one stage, whose ids are not known before",
    "IAM5 Connection/Role": "the connections of this one stage, whose ids are not known before",
    "IAM5 Web/DeploymentRole": "the CDK's copier reads this stack's assets and writes this page's bucket",
    "IAM5 Authorizer/Role": "with tracing; the actions of X-Ray take no resource",
    "IAM4 Shift/Announcement": SHIFTS,
    "IAM4 Shift/Authorizer": SHIFTS,
    "IAM4 Shift/Backend": SHIFTS,
    "IAM4 Shift/Connection": SHIFTS,
    "IAM4 Shift/Message": SHIFTS,
    "IAM4 Shift/Stream": SHIFTS,
    "L1 Announcement/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "L1 Authorizer/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "L1 Backend/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "L1 Connection/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "L1 Message/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "L1 Stream/Function": "Python 3.13 is the newest version that the project is tested with everywhere",
    "SQS3 TableStream/Lost": "it is where what was given up goes",
    "L1 CDKBucketDeployment": "the CDK chooses the runtime of its own function",
    "SMG4 TokenSecret": "a rotation has to keep the old key until its tokens have ended: `make rotate-key`",
    "S1 Web/Bucket": "it holds one public page, and only CloudFront reads it",
    "CFR1 Web/Distribution": "a warning: the page is for everybody",
    "CFR2 Web/Distribution": "a warning: the page is static, and a firewall costs more a month than the whole stack",
    "CFR3 Web/Distribution": "its log would hold people's addresses, and nothing reads it",
    "CFR4 Web/Distribution": "CloudFront's own domain has no minimum TLS version to set",
}
"""Why the stack differs: a rule and the part that it was found in."""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every finding of every context, as the keys of REASONS name them."""
    return {found for context in CONTEXTS for found in _findings(tmp_path_factory.mktemp("cdk.out"), context)}


def _findings(output: Path, context: dict[str, object]) -> set[str]:
    app = cdk.App(outdir=str(output), context={**CONTEXT, **NO_BUNDLING, **context})
    settings = ChatSettings.from_context(app.node.get_all_context())
    ChatStack(app, settings.stack_name, settings=settings)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    (report,) = json.loads((output / "validation-report.json").read_text())["pluginReports"]
    return {named(violation["ruleName"], where) for violation in report["violations"] for where in paths(violation)}


def paths(violation: Any) -> list[str]:
    return [construct["constructPath"] for construct in violation["violatingConstructs"]]


def named(rule: str, path: str) -> str:
    """`AwsSolutions-IAM5[Resource::…]` at `Parley-dev/Message/Role/DefaultPolicy/Resource` as `IAM5 Message/Role`."""
    code = re.sub(r"^AwsSolutions-|\[.*$", "", rule)
    parts = [part for part in path.removesuffix("/Resource").split("/")[1:] if part != "Default"]
    part = "CDKBucketDeployment" if "CDKBucketDeployment" in path else "/".join(parts[:2])
    return f"{code} {part}"


def test_every_finding_has_a_reason(findings: set[str]) -> None:
    assert findings <= REASONS.keys()


def test_every_reason_is_of_a_finding(findings: set[str]) -> None:
    assert findings >= REASONS.keys()
