"""The import budget: what a cold start may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.functions import compile_sdk
from tests.performance.imports import Done, run

HANDLERS = ("message", "connection", "authorizer", "backend")
BOTO3 = "import boto3; boto3.client('dynamodb'); boto3.client('apigatewaymanagementapi')"
HEAVY = frozenset({"asyncio", "aws_lambda_powertools", "boto3", "cryptography", "pydantic", "requests", "s3transfer"})
MOST_MODULES = 350  # of which Python and the SDK make about 310; a package that is not listed above shows here
MOST_COLLECTIONS = 25  # there are over 80 in an import that leaves the collector as it is
MOST_OF_BOTO3S_CALLS = 0.79  # it is 0.77, and of the CPU 0.62, since the collector is turned down
MOST_OF_BOTO3S_BYTES = 0.83  # it is 0.81; most of both is the SDK's session, which boto3 has too


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty asset, beside which the SDK of the environment is found, compiled as the Lambda runtime's is."""
    compile_sdk()
    return tmp_path_factory.mktemp("nothing")


@pytest.fixture(scope="module", params=HANDLERS)
def cold(request: pytest.FixtureRequest, asset: Path) -> tuple[str, Done]:
    return request.param, run(f"import {request.param}", asset, alone=True)


def test_no_heavy_package_is_imported(cold: tuple[str, Done]) -> None:
    handler, done = cold
    assert not HEAVY & {module.partition(".")[0] for module in done.modules}, handler
    assert len(done.modules) <= MOST_MODULES, handler


def test_only_the_authorizer_imports_what_reads_tokens(cold: tuple[str, Done]) -> None:
    handler, done = cold
    assert ("jwt" in done.modules) == (handler == "authorizer")


def test_only_the_backends_handler_imports_what_backends_ask_for(cold: tuple[str, Done]) -> None:
    handler, done = cold
    theirs = {"chat.backend_protocol", "chat.backend_routes", "chat.erasing", "chat.kicking"}
    assert theirs & set(done.modules) == (theirs if handler == "backend" else set())


def test_the_sdk_reads_nothing_about_services_that_are_not_used(cold: tuple[str, Done]) -> None:
    _, done = cold
    assert done.listed < 60  # one for each service that the SDK knows is over 400


def test_the_garbage_collector_is_turned_down_before_the_sdk_is_imported(cold: tuple[str, Done]) -> None:
    handler, done = cold
    assert done.collections < MOST_COLLECTIONS, handler


def test_without_events_nothing_of_them_is_imported_or_read(cold: tuple[str, Done]) -> None:
    _, done = cold
    assert not {"chat.bus", "chat.stream"} & set(done.modules)
    assert not [path for path in done.opened if "/data/events/" in path]


def test_the_sdk_of_the_asset_is_the_one_that_runs(asset: Path) -> None:
    opened = [Path(path) for path in run("import message", asset, alone=True).opened if "/botocore/" in path]
    assert opened
    assert all(path.is_relative_to(asset) for path in opened)


def test_boto3_would_break_the_budget(nothing: Path) -> None:
    done = run(BOTO3, nothing)
    assert HEAVY & set(done.modules)
    assert done.listed > 400


def test_the_message_handler_does_less_at_its_start_than_boto3_with_its_clients(asset: Path, nothing: Path) -> None:
    """What its CPU comes from, counted: the bench measures the CPU itself, which another process can delay."""
    ours, boto3 = run("import message", asset, profiled=True), run(BOTO3, nothing, profiled=True)
    assert ours.calls < MOST_OF_BOTO3S_CALLS * boto3.calls
    assert ours.read < MOST_OF_BOTO3S_BYTES * boto3.read
