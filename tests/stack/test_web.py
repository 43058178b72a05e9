"""The page in the stack: off unless asked for, private, and guarded as it is on this machine."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import web
from local.deployment import Endpoint
from stacks import web_hosting
from tests.hang import HANG_SECONDS
from tests.stack.conftest import Resource, Synthesize, Synthesized, rendered

ENDPOINT = Endpoint("ws://127.0.0.1:4566/api/local", "", "local", "table", "", "us-east-1")


@pytest.fixture(scope="module")
def hosted(synthesize: Synthesize) -> Synthesized:
    return synthesize(web=True)


def socket_url(stack: Synthesized) -> str:
    return rendered(stack.template["Outputs"]["Url"]["Value"])


def distribution(stack: Synthesized) -> Any:
    return stack.one("AWS::CloudFront::Distribution")[1]["DistributionConfig"]


def headers(stack: Synthesized) -> dict[str, str]:
    """What CloudFront adds to every answer."""
    _, policy = stack.one("AWS::CloudFront::ResponseHeadersPolicy")
    config = policy["ResponseHeadersPolicyConfig"]
    security, others = config["SecurityHeadersConfig"], config["CustomHeadersConfig"]["Items"]
    assert all(part["Override"] for part in (*security.values(), *others))
    return {
        "Content-Security-Policy": rendered(security["ContentSecurityPolicy"]["ContentSecurityPolicy"]),
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={security['StrictTransportSecurity']['AccessControlMaxAgeSec']}",
        "X-Content-Type-Options": "nosniff" if "ContentTypeOptions" in security else "",
        **{item["Header"]: item["Value"] for item in others},
    }


def directives(policy: str) -> dict[str, str]:
    return dict(directive.split(" ", 1) for directive in policy.split("; "))


def deployed_config(stack: Synthesized) -> Any:
    """What a deploy writes into config.json."""
    _, deployment = stack.one("Custom::CDKBucketDeployment")
    asset = deployment["SourceObjectKeys"][-1].removesuffix(".zip")
    text = (stack.output / f"asset.{asset}" / web_hosting.CONFIG).read_text()
    for marker, value in deployment["SourceMarkers"][-1].items():
        text = text.replace(marker, rendered(value))
    return json.loads(text)


def test_there_is_no_page_unless_it_is_asked_for(default: Synthesized) -> None:
    types = {resource["Type"] for resource in default.template["Resources"].values()}

    assert not [type for type in types if type.startswith(("AWS::S3::", "AWS::CloudFront::", "Custom::"))]
    assert "WebUrl" not in default.template["Outputs"]


def test_output_says_where_the_page_is(hosted: Synthesized) -> None:
    id, _ = hosted.one("AWS::CloudFront::Distribution")

    assert rendered(hosted.template["Outputs"]["WebUrl"]["Value"]) == f"https://${{{id}.DomainName}}/"


def test_only_the_distribution_reads_the_bucket_and_only_over_tls(hosted: Synthesized) -> None:
    bucket_id, bucket = hosted.one("AWS::S3::Bucket")
    distribution_id, _ = hosted.one("AWS::CloudFront::Distribution")
    _, policy = hosted.one("AWS::S3::BucketPolicy")
    deny, allow = policy["PolicyDocument"]["Statement"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert (deny["Effect"], deny["Action"]) == ("Deny", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (allow["Effect"], allow["Action"]) == ("Allow", "s3:GetObject")
    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert rendered(allow["Resource"]) == f"${{{bucket_id}.Arn}}/*"
    ((_, source),) = allow["Condition"]["StringEquals"].items()
    assert rendered(source).endswith(f":distribution/${{{distribution_id}}}")


def test_requests_to_the_bucket_are_signed(hosted: Synthesized) -> None:
    id, control = hosted.one("AWS::CloudFront::OriginAccessControl")
    (origin,) = distribution(hosted)["Origins"]

    assert origin["OriginAccessControlId"] == {"Fn::GetAtt": [id, "Id"]}
    assert control["OriginAccessControlConfig"]["SigningBehavior"] == "always"


def test_names_that_are_the_accounts_differ_between_regions(hosted: Synthesized) -> None:
    _, control = hosted.one("AWS::CloudFront::OriginAccessControl")
    _, policy = hosted.one("AWS::CloudFront::ResponseHeadersPolicy")

    for config in (control["OriginAccessControlConfig"], policy["ResponseHeadersPolicyConfig"]):
        assert rendered(config["Name"]) == "Parley-dev-${AWS::Region}"


def test_page_comes_by_https_only_and_begins_at_its_index(hosted: Synthesized) -> None:
    config = distribution(hosted)
    behavior: Resource = config["DefaultCacheBehavior"]

    assert behavior["ViewerProtocolPolicy"] == "redirect-to-https"
    assert behavior["ResponseHeadersPolicyId"] == {"Ref": hosted.one("AWS::CloudFront::ResponseHeadersPolicy")[0]}
    assert config["DefaultRootObject"] == "index.html"
    assert (config["HttpVersion"], config["PriceClass"]) == ("http2and3", "PriceClass_100")


def test_page_is_guarded_in_the_stack_as_on_this_machine(hosted: Synthesized) -> None:
    with web.serve(ENDPOINT, "unused") as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=HANG_SECONDS)
        connection.request("GET", "/")
        answer = connection.getresponse()
        here = {name: str(answer.headers[name]) for name in web_hosting.headers("")}
        connection.close()
    there = headers(hosted)

    assert there.pop("Strict-Transport-Security") == "max-age=31536000"
    policies = [directives(each.pop("Content-Security-Policy")) for each in (here, there)]
    assert [policy.pop("connect-src") for policy in policies] == [
        f"'self' {ENDPOINT.url}",
        f"'self' {socket_url(hosted)}",
    ]
    assert policies[0] == policies[1]
    assert here == there


def test_page_itself_repeats_the_policy_of_its_headers() -> None:
    html = (web_hosting.PAGE / "index.html").read_text()
    (repeated,) = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', html)
    policy = directives(web_hosting.headers("ws: wss:")["Content-Security-Policy"])

    del policy["frame-ancestors"]  # browsers take it from a header only
    assert directives(repeated) == policy


@pytest.mark.parametrize(("identity", "place"), [("token", "query"), ("token", "subprotocol"), ("open", "query")])
def test_page_is_told_where_to_connect_and_how_to_sign_in(synthesize: Synthesize, identity: str, place: str) -> None:
    stack = synthesize(web=True, identity=identity, throwaway=True, tokenSource=place)

    assert socket_url(stack).startswith("wss://")
    assert deployed_config(stack) == {"url": socket_url(stack), "sign_in": identity, "token_in": place}


def test_deploy_writes_the_files_of_the_page_and_takes_away_others(hosted: Synthesized) -> None:
    _, deployment = hosted.one("Custom::CDKBucketDeployment")
    files: dict[str, bytes] = {}
    for key in deployment["SourceObjectKeys"][:-1]:  # the last one is the configuration
        folder = hosted.output / f"asset.{key.removesuffix('.zip')}"
        found = [path for path in folder.rglob("*") if path.is_file()]
        files |= {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

    assert files == {path: file.read_bytes() for path, file in web_hosting.files().items()}
    assert "parley/chat-client.js" in files
    assert deployment["Prune"] is True


def test_browsers_ask_whether_the_page_has_changed(hosted: Synthesized) -> None:
    _, deployment = hosted.one("Custom::CDKBucketDeployment")

    assert deployment["SystemMetadata"] == {"cache-control": "no-cache"}


@pytest.mark.parametrize(("throwaway", "kept"), [(False, True), (True, False)])
def test_bucket_goes_with_a_stage_that_is_thrown_away(synthesize: Synthesize, throwaway: bool, kept: bool) -> None:
    stack = synthesize(web=True, throwaway=throwaway)
    id, _ = stack.one("AWS::S3::Bucket")
    resource = stack.template["Resources"][id]

    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == ("Retain" if kept else "Delete")
    # CloudFormation deletes no bucket that holds something.
    assert bool(stack.all("Custom::S3AutoDeleteObjects")) is throwaway


def test_emulator_gets_the_bucket_and_the_distribution_and_copies_nothing(synthesize: Synthesize) -> None:
    stack = synthesize(web=True, throwaway=True, emulator="http://127.0.0.1:4566")
    api, _ = stack.one("AWS::ApiGatewayV2::Api")

    assert len(stack.all("AWS::Lambda::Function")) == 5
    assert not stack.all("Custom::CDKBucketDeployment") | stack.all("Custom::S3AutoDeleteObjects")
    policy = directives(headers(stack)["Content-Security-Policy"])
    assert policy["connect-src"] == f"'self' ws://127.0.0.1:4566/_aws/execute-api/${{{api}}}/dev"
