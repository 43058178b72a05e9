"""The web page's client against the behaviours, in Node.js."""

from __future__ import annotations

import pytest

from tests.clients.behaviours import Case, load
from tests.clients.drivers import node

CASES = load("javascript")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str | None]:
    return node.outcomes(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_behaviour(case: Case, outcomes: dict[str, str | None]) -> None:
    assert outcomes[case.name] is None, outcomes[case.name]
