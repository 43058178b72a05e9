"""The stack, deployed once to an emulator with IAM enforced; users of their own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from local.deployment import STATE, Endpoint, deploy, local_secret, token
from local.emulator import Emulator, emulator
from tests.e2e.device import Device, device

_numbers = itertools.count(1)


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


@pytest.fixture
def alice() -> str:
    return f"alice-{next(_numbers)}"


@pytest.fixture
def bob() -> str:
    return f"bob-{next(_numbers)}"


class Connect(Protocol):
    def __call__(self, user: str) -> Device: ...


@pytest.fixture
def connect(endpoint: Endpoint, secret: str) -> Iterator[Connect]:
    """Connects a device of a user; all of them are closed after the test."""
    with ExitStack() as stack:

        def connected(user: str) -> Device:
            return stack.enter_context(device(f"{endpoint.url}?token={token(secret, user)}"))

        yield connected
