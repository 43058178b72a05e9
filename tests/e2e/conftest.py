"""The stack, deployed once to an emulator with IAM enforced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.deployment import STATE, Endpoint, deploy, local_secret
from local.emulator import Emulator, emulator


@pytest.fixture(scope="session")
def running() -> Iterator[Emulator]:
    with emulator(STATE / "e2e") as started:
        yield started


@pytest.fixture(scope="session")
def endpoint(running: Emulator) -> Endpoint:
    return deploy(running)


@pytest.fixture(scope="session")
def secret(endpoint: Endpoint) -> str:
    return local_secret(endpoint)
