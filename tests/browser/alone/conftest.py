"""The page without a deployment: its server is real, and what it connects to is inside the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from local import web
from local.deployment import Endpoint
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import NewContext, OpenPage
from tests.browser.person import Person

ENDPOINT = Endpoint("ws://127.0.0.1:1/_aws/execute-api/local", "", "local", "table", "", "us-east-1")
SECRET = "a secret of at least thirty-two characters"


@pytest.fixture
def address() -> Iterator[str]:
    """Where the page is."""
    with web.serve(ENDPOINT, SECRET) as url:
        yield url


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


class OpenAlone(Protocol):
    def __call__(self, peer: str | None = None, **options: Any) -> Person: ...


@pytest.fixture
def open_alone(new_context: NewContext, open_page: OpenPage, server: FakeServer) -> OpenAlone:
    """Opens the page as the server's user, in a profile of its own with these options."""

    def opened(peer: str | None = None, **options: Any) -> Person:
        context = new_context(**options)
        server.stand_in(context)
        return open_page(server.user, peer, context=context)

    return opened
