"""A browser, and the page of a real deployment on the emulator, over a line that can be cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from local import web
from local.deployment import STATE, Endpoint
from local.emulator import Emulator
from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.line import Line, line_to
from tests.browser.person import Person
from tests.hang import HANG_SECONDS

SCREENSHOTS = STATE / "screenshots"
DESKTOP = {"width": 1180, "height": 760}
TIMEOUT_MS = HANG_SECONDS * 1_000

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it. Without one, the tests are skipped; in CI they fail."""
    found = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def line(browser: Browser, endpoint: Endpoint) -> Iterator[Line]:
    """Asked for after the browser: without one, nothing needs to be deployed."""
    with line_to(_port(endpoint)) as line:
        yield line


def _port(endpoint: Endpoint) -> int:
    return int(endpoint.endpoint_url.rpartition(":")[2])


def on_line(endpoint: Endpoint, line: Line) -> Endpoint:
    """The same deployment, by way of the line."""
    return replace(endpoint, url=endpoint.url.replace(f":{_port(endpoint)}/", f":{line.port}/"))


@pytest.fixture
def address(running: Emulator, endpoint: Endpoint, line: Line, secret: str) -> Iterator[str]:
    """Where the page is."""
    with web.serve(on_line(endpoint, line), secret) as url:
        running.admit(url)
        yield url


class OpenPage(Protocol):
    def __call__(self, user: str, peer: str | None = None, *, context: BrowserContext | None = None) -> Person: ...


class NewContext(Protocol):
    def __call__(self, **options: Any) -> BrowserContext: ...


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """A browser profile of its own; all of them are closed after the test."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        return context

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(new_context: NewContext, address: str) -> Iterator[OpenPage]:
    """Opens the page as a user. A script error or a breach of the content policy in any of them fails the test."""
    errors: list[str] = []

    def opened(user: str, peer: str | None = None, *, context: BrowserContext | None = None) -> Person:
        page = (context or new_context()).new_page()
        watch(page, errors)
        page.goto(address_of(address, user, peer))
        person = Person(page, user)
        person.sign_in()
        person.expect_connected()
        return person

    yield opened
    assert errors == []


def address_of(address: str, user: str, peer: str | None = None) -> str:
    return address + "#/" + "/".join(quote(name, safe="") for name in (user, peer) if name is not None)


def watch(page: Page, errors: list[str]) -> None:
    """Collects what goes wrong in a page. That a cut line was cut is not wrong."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "net::ERR_" not in message.text and "WebSocket connection" not in message.text:
            errors.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))


class Shoot(Protocol):
    def __call__(self, person: Person, name: str = "") -> None: ...


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Shoot:
    """Takes a picture of a page, for people to look at: .local/screenshots. Two of them are in the README."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")

    def shot(person: Person, name: str = "") -> None:
        person.page.screenshot(path=Path(SCREENSHOTS, f"{test}{'-' if name else ''}{name}.png"))

    return shot
