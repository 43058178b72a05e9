"""The functions' clients leave out most of the SDK's data, and most of what it does about a call: they ask the same
hosts for the same, in the same way, all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.retries import standard
from botocore.session import Session

from chat import sdk
from chat.sdk import client
from local.emulator import clean_environment
from stacks.sdk_description import OPERATIONS
from tests.performance import sdk_requests
from tests.performance.sdk_requests import (
    ANSWERS,
    CALLS,
    GATEWAY,
    Request,
    answers,
    endpoint,
    gateway_requests_of,
    requests,
)

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1"
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
LAMBDA = {
    **dict.fromkeys(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_FUNCTION_NAME"), "x"
    ),
    "_X_AMZN_TRACE_ID": TRACE,
}

NOT_SENT = {"amz-sdk-invocation-id", "amz-sdk-request", "x-amz-api-version"}
"""What the SDK tells AWS of its tries, and a version that DynamoDB also has in the name of its operation."""

VARYING = {"authorization", "user-agent", "x-amz-date"}

CLIENT_NAMES = [f"{service}.{operation}" for service, operations in CALLS.items() for operation in operations]
NAMES = [*CLIENT_NAMES, *(f"@connections.{operation}" for operation in GATEWAY)]


@pytest.fixture(autouse=True)
def on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "PLAIN_SDK"):
        monkeypatch.delenv(name, raising=False)
    # The process has one session, which keeps the credentials that it found for an earlier test.
    monkeypatch.setattr(sdk, "session", sdk.session.__wrapped__)


def asked_by_ours(asset: Path, region: str, plain: str = "") -> dict[str, Request]:
    """What the asset's client sends, with the asset's own SDK."""
    asked: dict[str, Request] = _by_ours(asset, region, plain)[0]
    return asked


@cache
def _by_ours(asset: Path, region: str, plain: str = "") -> Any:
    """What it sends, and what it makes of answers."""
    variables = {**clean_environment(), **LAMBDA, "AWS_DEFAULT_REGION": region, "PLAIN_SDK": plain}
    command = [sys.executable, "-P", sdk_requests.__file__, str(asset), region]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return json.loads(done.stdout)


@cache
def asked_by_the_sdk(region: str) -> dict[str, Request]:
    def client(service: Any, **options: Any) -> Any:
        return Session().create_client(service, region_name=region, **options)

    gateway = partial(client, "apigatewaymanagementapi", endpoint_url=endpoint(region))
    return {**requests(client), **gateway_requests_of(gateway)}


def test_every_call_is_compared() -> None:
    assert {service: tuple(operations) for service, operations in CALLS.items()} == OPERATIONS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("region", REGIONS)
def test_a_call_goes_where_the_sdk_itself_would_send_it(asset: Path, name: str, region: str) -> None:
    ours, theirs = asked_by_ours(asset, region)[name], asked_by_the_sdk(region)[name]
    assert ours["method"] == theirs["method"]
    assert ours["url"] == theirs["url"]
    assert _scope(ours) == _scope(theirs)
    assert f"/{region}/" in _scope(ours)


@pytest.mark.parametrize("name", NAMES)
def test_a_call_says_what_the_sdk_itself_would_say(asset: Path, name: str) -> None:
    ours, theirs = asked_by_ours(asset, REGIONS[0])[name], asked_by_the_sdk(REGIONS[0])[name]
    assert ours["body"] == theirs["body"]
    assert _headers(ours) == {name: value for name, value in _headers(theirs).items() if name not in NOT_SENT}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("plain", ["", "1"])
def test_a_call_passes_on_the_trace_that_loop_detection_needs(asset: Path, name: str, plain: str) -> None:
    assert asked_by_ours(asset, REGIONS[0], plain)[name]["headers"]["x-amzn-trace-id"] == TRACE


@pytest.mark.parametrize("number", range(len(ANSWERS)))
@pytest.mark.parametrize("plain", ["", "1"])
def test_an_answer_is_read_as_the_sdk_itself_would_read_it(asset: Path, number: int, plain: str) -> None:
    _, ours = _by_ours(asset, REGIONS[0], plain)
    (theirs,) = answers(lambda service: Session().create_client(service, REGIONS[0]), [ANSWERS[number]])
    assert ours[number] == json.loads(json.dumps(theirs))


def test_the_sdk_does_not_decide_what_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(standard.RetryHandler, "needs_retry", asked)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGIONS[0])
    assert len(answers(client)) == len(ANSWERS)

    monkeypatch.setattr(sdk, "keep", lambda _: None)
    with pytest.raises(AssertionError):
        answers(client)


def test_a_variable_takes_every_shortcut_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(sdk, "_pass_on_trace", broken)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGIONS[0])
    with pytest.raises(AssertionError):
        requests(client)

    monkeypatch.setenv("PLAIN_SDK", "1")

    theirs = asked_by_the_sdk(REGIONS[0])
    for name, ours in requests(client).items():
        assert (ours["url"], ours["body"]) == (theirs[name]["url"], theirs[name]["body"])


def _headers(request: Request) -> dict[str, str]:
    """Without those that no two calls share."""
    return {name: value for name, value in request["headers"].items() if name not in VARYING}


def _scope(request: Request) -> str:
    """The date, region and service that the signature is for."""
    text: str = request["headers"]["authorization"]
    return text.partition("Credential=")[2].partition(",")[0].partition("/")[2]
