"""The stage prod of stages.toml on the emulator, with IAM enforced, deployed as `make deploy STAGE=prod` does.

The emulator's CloudFormation knows no alarms, dashboards, saved queries and budgets, so these are left out; and it
protects no table. The snapshots of the template hold both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deployment import Endpoint, deploy, local_client, local_secret, token
from local.emulator import PROJECT, REGION, Emulator, emulator
from tests.raw_connection import raw_connection


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Endpoint]]:
    with emulator(tmp_path_factory.mktemp("prod")) as running:
        yield running, deploy(running, stage="prod")


def test_a_conversation_holds(prod: tuple[Emulator, Endpoint]) -> None:
    _, endpoint = prod
    _talk(endpoint)


def _talk(endpoint: Endpoint) -> None:
    secret = local_secret(endpoint)
    with (
        raw_connection(f"{endpoint.url}?token={token(secret, 'alice')}") as alice,
        raw_connection(f"{endpoint.url}?token={token(secret, 'bob')}") as bob,
    ):
        assert alice.ask("send", to="bob", text="hi")["seq"] == 1
        assert bob.receive(type="message")["text"] == "hi"
        assert bob.ask("send", to="alice", text="hello")["delivered"] == 1
        assert alice.receive(type="message")["seq"] == 2
        assert bob.ask("receipt", peer="alice", kind="read", seq=1)["type"] == "ack"
        assert [chat["seq"] for chat in alice.ask("sync")["chats"]] == [2]


def test_a_deploy_that_would_shut_clients_out_is_refused(prod: tuple[Emulator, Endpoint], tmp_path: Path) -> None:
    running, _ = prod
    words = ["deploy", "--stage", "prod", "--", f"emulator={running.endpoint} tokenSource=header"]
    path = f"{PROJECT / 'node_modules' / '.bin'}:{running.environment['PATH']}"
    ended = subprocess.run(
        [sys.executable, "-m", "local.cdk", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=running.environment | {"PATH": path},
        stdin=subprocess.DEVNULL,
    )
    assert "tokenSource changes from query to header: clients that put their token elsewhere are refused with 401." in (
        ended.stdout
    )
    assert "  retentionDays    365" in ended.stdout
    assert (ended.returncode, "give CONFIRM=yes" in ended.stderr) == (1, True)


def test_bounds_and_a_customers_key_are_deployed_too(tmp_path: Path) -> None:
    # Deployed anew: the emulator replaces a table at each change of it. It ignores the concurrency, the secret's key,
    # and what is said of a replica: the table's key, its read units, for how long it can be recovered. The template's
    # snapshots hold these.
    with emulator(tmp_path) as running:
        nothing_yet = Endpoint("", "", "prod", "", running.endpoint, REGION).with_keys_of(running)
        key = local_client("kms", nothing_yet).create_key()["KeyMetadata"]["Arn"]
        bounds = ["reservedConcurrency=7", "maxReadRequestUnits=40000", "maxWriteRequestUnits=9000", "recoveryDays=7"]
        endpoint = deploy(running, *bounds, "routeRates=send:1000", f"kmsKeyArn={key}", stage="prod")

        apis = local_client("apigatewayv2", endpoint)
        (api,) = apis.get_apis()["Items"]
        throttles = apis.get_stage(ApiId=api["ApiId"], StageName="prod")["RouteSettings"]
        assert {"send", "ping"} <= throttles.keys()
        _talk(endpoint)
