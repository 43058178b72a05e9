"""The functions' clients leave out most of the SDK's data, and most of what it does about a call: they ask the same
hosts for the same, in the same way, all the same."""

from __future__ import annotations

from typing import Any, NoReturn, get_args

import pytest
from botocore.session import Session

from chat import sdk
from chat.sdk import Service, client

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1"
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "apigatewaymanagementapi": ("post_to_connection", {"ConnectionId": "x", "Data": b"x"}),
    "dynamodb": ("get_item", {"TableName": "x", "Key": {"pk": {"S": "x"}}}),
    "lambda": ("invoke", {"FunctionName": "x", "Payload": b"x"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "x"}),
}


NOT_SENT = {"amz-sdk-invocation-id", "amz-sdk-request", "x-amz-api-version"}
"""What the SDK tells AWS of its tries, and a version that DynamoDB also has in the name of its operation."""

VARYING = {"authorization", "user-agent", "x-amz-date"}


class Sent(Exception):
    """Stands in for the network."""


@pytest.mark.parametrize("service", get_args(Service))
@pytest.mark.parametrize("region", REGIONS)
def test_a_call_goes_where_the_sdk_itself_would_send_it(
    service: Service, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run_on_lambda(monkeypatch, region)
    ours, theirs = _request(client(service), service), _request(Session().create_client(service), service)
    assert ours.method == theirs.method
    assert ours.url == theirs.url
    assert _scope(ours) == _scope(theirs)
    assert f"/{region}/" in _scope(ours)


@pytest.mark.parametrize("service", get_args(Service))
def test_a_call_says_what_the_sdk_itself_would_say(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _run_on_lambda(monkeypatch, REGIONS[0])
    ours, theirs = _request(client(service), service), _request(Session().create_client(service), service)
    assert ours.body == theirs.body
    assert _headers(ours) == {name: value for name, value in _headers(theirs).items() if name not in NOT_SENT}


@pytest.mark.parametrize("service", get_args(Service))
@pytest.mark.parametrize("plain", ["", "1"])
def test_a_call_passes_on_the_trace_that_loop_detection_needs(
    service: Service, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run_on_lambda(monkeypatch, REGIONS[0])
    monkeypatch.setenv("PLAIN_SDK", plain)
    assert _headers(_request(client(service), service))["x-amzn-trace-id"] == TRACE


@pytest.mark.parametrize("service", get_args(Service))
def test_a_variable_takes_every_shortcut_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _run_on_lambda(monkeypatch, REGIONS[0])

    def broken(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(sdk, "_pass_on_trace", broken)
    with pytest.raises(AssertionError):
        _request(client(service), service)

    monkeypatch.setenv("PLAIN_SDK", "1")

    ours, theirs = _request(client(service), service), _request(Session().create_client(service), service)
    assert (ours.url, ours.body) == (theirs.url, theirs.body)


def _run_on_lambda(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("PLAIN_SDK", raising=False)
    # The process has one session, which keeps the credentials that it found for an earlier test.
    monkeypatch.setattr(sdk, "_session", sdk._session.__wrapped__)


def _headers(request: Any) -> dict[str, str]:
    """By lower-case name; without those that no two calls share."""
    items = ((name.lower(), value) for name, value in request.headers.items())
    return {name: _text(value) for name, value in items if name not in VARYING}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _request(client: Any, service: Service) -> Any:
    requests = []

    def stop(request: Any, **_: object) -> NoReturn:
        requests.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    operation, arguments = OPERATIONS[service]
    with pytest.raises(Sent):
        getattr(client, operation)(**arguments)
    return requests[0]


def _scope(request: Any) -> str:
    """The date, region and service that the signature is for."""
    text = _text(request.headers["Authorization"])
    return text.partition("Credential=")[2].partition(",")[0].partition("/")[2]
