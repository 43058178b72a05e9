"""The functions' clients leave out most of the SDK's data: they ask the same hosts, in the same way, all the same."""

from __future__ import annotations

from typing import Any, NoReturn, get_args

import pytest
from botocore.session import Session

from chat.clients import Service, client

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "apigatewaymanagementapi": ("post_to_connection", {"ConnectionId": "x", "Data": b"x"}),
    "dynamodb": ("get_item", {"TableName": "x", "Key": {"pk": {"S": "x"}}}),
    "lambda": ("invoke", {"FunctionName": "x", "Payload": b"x"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "x"}),
}


class Sent(Exception):
    """Stands in for the network."""


@pytest.mark.parametrize("service", get_args(Service))
@pytest.mark.parametrize("region", REGIONS)
def test_a_call_goes_where_the_sdk_itself_would_send_it(
    service: Service, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, region if "REGION" in name else "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    ours, sdk = _request(client(service), service), _request(Session().create_client(service), service)
    assert ours.method == sdk.method
    assert ours.url == sdk.url
    assert _scope(ours) == _scope(sdk)
    assert f"/{region}/" in _scope(ours)


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
    """The date, region and service that the signature is for; whose it is may be left from another test."""
    header = request.headers["Authorization"]
    text = header.decode() if isinstance(header, bytes) else header
    return str(text.partition("Credential=")[2].partition(",")[0].partition("/")[2])
