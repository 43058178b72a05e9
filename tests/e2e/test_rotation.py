"""A rotation of the signing key, on the deployed stack: nobody is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import websockets.exceptions

from local.deployment import STACK, Endpoint, local_client, local_secret, outputs_of, token
from local.everybody import kick_everybody
from local.progress import StepFailed
from local.rotation import rotate
from local.users import on_this_machine
from tests.deployed import Deployed
from tests.raw_connection import raw_connection


@pytest.fixture
def endpoint(deployed: Deployed, tmp_path: Path) -> Iterator[Endpoint]:
    """A deployment of this test's own: others go on with the key that they know."""
    with deployed.copied(tmp_path / "rotating") as (_, endpoint):
        yield endpoint


def test_tokens_of_both_keys_are_accepted_after_a_rotation_and_the_old_one_can_be_retired(endpoint: Endpoint) -> None:
    clients = (local_client("cloudformation", endpoint), local_client("secretsmanager", endpoint))
    old = local_secret(endpoint)
    connect(endpoint, old)

    said = rotate(*clients, STACK, retire=False)

    new = local_secret(endpoint)
    assert new != old
    assert "UTC" in said
    assert new not in said
    connect(endpoint, new)
    connect(endpoint, old)

    with pytest.raises(StepFailed, match=r"valid until .* UTC, and another rotation would end it now"):
        rotate(*clients, STACK, retire=False)
    assert local_secret(endpoint) == new
    connect(endpoint, old)

    assert "within a minute" in rotate(*clients, STACK, retire=True)

    arn = outputs_of(clients[0], STACK)["TokenSecretArn"]
    stages = clients[1].list_secret_version_ids(SecretId=arn)["Versions"]
    assert not [version for version in stages if "AWSPREVIOUS" in version.get("VersionStages", [])]
    rotate(*clients, STACK, retire=False)


def test_what_a_key_has_let_in_ends_with_it(endpoint: Endpoint) -> None:
    table = outputs_of(local_client("cloudformation", endpoint), STACK)["TableName"]
    backend, dynamodb = on_this_machine(endpoint), local_client("dynamodb", endpoint)
    secret = local_secret(endpoint)
    with ExitStack() as stack:
        urls = [f"{endpoint.url}?token={token(secret, user)}" for user in ("alice", "alice", "bob")]
        connections = [stack.enter_context(raw_connection(url)) for url in urls]
        for connection in connections:
            connection.ask("ping")

        assert kick_everybody(dynamodb, table, backend) == len(connections)

        for connection in connections:
            assert connection.receive(type="close")["code"] == "kicked"
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                connection.ask("ping")
    connect(endpoint, secret)


def connect(endpoint: Endpoint, secret: str) -> None:
    """Connects with a token of the key, and is answered."""
    with raw_connection(f"{endpoint.url}?token={token(secret, 'rotating')}") as connection:
        assert connection.ask(action="ping")["type"] == "pong"
