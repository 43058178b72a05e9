"""The import budget: what a cold start may not do."""

from __future__ import annotations

import statistics

import pytest

from tests.performance.imports import Done, run

HANDLERS = ("message", "connection", "authorizer")
BOTO3 = "import boto3; boto3.client('dynamodb'); boto3.client('apigatewaymanagementapi')"
HEAVY = frozenset({"asyncio", "aws_lambda_powertools", "boto3", "cryptography", "pydantic", "requests", "s3transfer"})
MOST_MODULES = 380  # of which Python and the SDK make about 340; a package that is not listed above shows here


@pytest.fixture(scope="module", params=HANDLERS)
def cold(request: pytest.FixtureRequest) -> tuple[str, Done]:
    return request.param, run(f"import {request.param}")


def test_no_heavy_package_is_imported(cold: tuple[str, Done]) -> None:
    handler, done = cold
    assert not HEAVY & {module.partition(".")[0] for module in done.modules}, handler
    assert len(done.modules) <= MOST_MODULES, handler


def test_only_the_authorizer_imports_what_reads_tokens(cold: tuple[str, Done]) -> None:
    handler, done = cold
    assert ("jwt" in done.modules) == (handler == "authorizer")


def test_the_sdk_reads_nothing_about_services_that_are_not_used(cold: tuple[str, Done]) -> None:
    _, done = cold
    assert "endpoints.json" not in done.files()
    assert done.listed < 60  # one for each service that the SDK knows is over 400


def test_boto3_would_break_the_budget() -> None:
    done = run(BOTO3)
    assert HEAVY & set(done.modules)
    assert "endpoints.json" in done.files()
    assert done.listed > 400


def test_the_message_handler_starts_in_less_than_boto3_with_its_clients() -> None:
    ours, plain = [], []
    for _ in range(5):
        ours.append(run("import message", audited=False).milliseconds)
        plain.append(run(BOTO3, audited=False).milliseconds)
    assert statistics.median(ours) < 0.85 * statistics.median(plain)
