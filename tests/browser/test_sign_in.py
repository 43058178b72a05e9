"""The page of a deployment that mints no tokens: whoever uses it brings one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Protocol

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from chat.identity import LEEWAY_SECONDS
from local.deployment import Endpoint, token
from stacks import web_hosting
from stacks.web_hosting import SignIn
from tests.browser.conftest import NewContext, Shoot, address_of, on_line, watch
from tests.browser.line import Line
from tests.browser.person import STORED, Person
from tests.conftest import Connect

SHORT_LIVES = (2, 10, 60)
"""Seconds that a token counts. Where a machine is too busy to sign in within the first, the next one is tried."""
OTHER_SECRET = "the secret of another deployment, of thirty-two characters or more"


@pytest.fixture
def context(new_context: NewContext, endpoint: Endpoint, line: Line) -> BrowserContext:
    """A browser that is told what the page of a deployment on AWS is told."""
    config = json.dumps(web_hosting.config(on_line(endpoint, line).url, SignIn.TOKEN))

    def answer(route: Route) -> None:
        route.fulfill(content_type="application/json", body=config)

    opened = new_context()
    opened.route(f"**/{web_hosting.CONFIG}", answer)
    return opened


class Visit(Protocol):
    def __call__(self, user: str | None = None, peer: str | None = None) -> Page: ...


@pytest.fixture
def visit(context: BrowserContext, address: str) -> Iterator[Visit]:
    """Opens the page in a new tab, perhaps by a link to a chat. A script error in any of them fails the test."""
    errors: list[str] = []

    def opened(user: str | None = None, peer: str | None = None) -> Page:
        page = context.new_page()
        watch(page, errors)
        page.goto(address if user is None else address_of(address, user, peer))
        return page

    yield opened
    assert errors == []


def field(page: Page) -> Locator:
    return page.get_by_label("Connection token", exact=True)


def sign_in(page: Page, user: str, with_token: str) -> Person:
    """Pastes a token, as it comes out of a terminal, and continues as its user."""
    field(page).fill(f" {with_token} ")
    page.get_by_role("button", name="Continue").click()
    return Person(page, user)


def test_whoever_brings_a_token_talks(
    *, visit: Visit, shoot: Shoot, connect: Connect, secret: str, alice: str, bob: str
) -> None:
    device, page = connect(bob), visit()
    expect(field(page)).to_be_focused()
    at_alice = Person(page, alice)
    shoot(at_alice, "form")
    sign_in(page, alice, token(secret, alice))
    at_alice.expect_connected()
    at_alice.open_chat(bob)
    at_alice.say("hello")
    device.receive(text="hello")
    device.ask("send", to=alice, text="hi")
    at_alice.expect_texts("hello", "hi")


def test_a_token_is_kept_over_a_reload_and_in_its_tab_alone(visit: Visit, secret: str, alice: str, bob: str) -> None:
    at_alice = sign_in(visit(alice, bob), alice, token(secret, alice))
    at_alice.say("a note")
    at_alice.page.reload()
    at_alice.expect_connected()
    at_alice.expect_texts("a note")
    assert token(secret, alice).split(".")[0] not in at_alice.page.evaluate("JSON.stringify(localStorage)")
    expect(field(visit(alice, bob))).to_be_visible()


def test_a_link_to_a_conversation_leads_there_after_the_sign_in(
    visit: Visit, secret: str, alice: str, bob: str
) -> None:
    at_alice = sign_in(visit(alice, bob), alice, token(secret, alice))
    at_alice.expect_connected()
    expect(at_alice.page.get_by_role("heading", name=bob, exact=True)).to_be_visible()


def test_a_token_of_somebody_else_leads_to_that_one(visit: Visit, secret: str, alice: str, bob: str) -> None:
    at_bob = sign_in(visit(alice), bob, token(secret, bob))
    at_bob.expect_connected()
    expect(at_bob.page.locator("#me")).to_have_text(bob)


def test_who_leaves_leaves_no_token(visit: Visit, secret: str, alice: str) -> None:
    page = visit()
    sign_in(page, alice, token(secret, alice)).expect_connected()
    page.get_by_role("button", name="Switch user").click()
    expect(field(page)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(address_of(page.url.partition("#")[0], alice))
    expect(field(page)).to_be_visible()


def test_a_browser_that_keeps_no_token_is_told_so(
    visit: Visit, context: BrowserContext, secret: str, alice: str
) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('denied'); }})"
    )
    page = visit(alice)
    sign_in(page, alice, token(secret, alice))
    expect(page.get_by_text("so it cannot keep your connection token")).to_be_visible()


def test_an_invalid_address_leads_to_the_sign_in(visit: Visit, address: str) -> None:
    page = visit()
    for damaged in ("#/%zz", "#/%zz/bob", "#/%"):
        page.goto("about:blank")
        page.goto(address + damaged)
        expect(field(page)).to_be_visible()


@pytest.mark.parametrize("text", ["", "alice", "a.b.c", "e30.e30.e30", "e30.bnVsbA.e30", "e30.eyJzdWIiOiJhIGIifQ.e30"])
def test_anything_but_a_token_is_refused_in_words(visit: Visit, text: str) -> None:
    page = visit()
    field(page).fill(text)
    page.get_by_role("button", name="Continue").click()
    said = "This is not a connection token." if text else "Paste a connection token."
    expect(page.get_by_text(said)).to_be_visible()
    expect(field(page)).to_be_focused()


def test_a_token_that_is_not_taken_is_doubted_and_another_one_is(
    *, visit: Visit, shoot: Shoot, secret: str, alice: str, bob: str
) -> None:
    at_alice = sign_in(visit(alice, bob), alice, token(OTHER_SECRET, alice))
    at_alice.banner.get_by_text("may not accept your connection token").wait_for()
    at_alice.write("still here")
    at_alice.expect_state("still here", "waiting to be sent")
    shoot(at_alice)
    at_alice.banner.get_by_role("button", name="Sign in again").click()
    sign_in(at_alice.page, alice, token(secret, alice))
    at_alice.expect_connected()
    at_alice.expect_state("still here", "sent")


def test_a_token_that_expires_is_said_to_have_expired_and_nothing_is_lost(
    *, visit: Visit, shoot: Shoot, connect: Connect, secret: str, alice: str, bob: str
) -> None:
    device = connect(bob)
    at_alice, expires, said = _in_time(visit, secret, alice, bob)
    at_alice.page.wait_for_function("(expires) => Date.now() > expires", arg=expires * 1000)
    at_alice.write("after")
    at_alice.banner.get_by_text("Your connection token has expired").wait_for()
    at_alice.expect_state("after", "waiting to be sent")
    shoot(at_alice)
    at_alice.banner.get_by_role("button", name="Sign in again").click()
    sign_in(at_alice.page, alice, token(secret, alice))
    at_alice.expect_texts(*said, "after")
    at_alice.expect_state("after", "sent")
    assert [frame["text"] for frame in device.arrived() if frame["type"] == "message"] == [*said, "after"]


def _in_time(visit: Visit, secret: str, user: str, peer: str) -> tuple[Person, float, list[str]]:
    """Somebody who signed in, said something before the token ended, when that is, and what was said."""
    said: list[str] = []
    for seconds in SHORT_LIVES:
        page, expires = visit(user, peer), time.time() + seconds
        person = sign_in(page, user, token(secret, user, seconds - LEEWAY_SECONDS))
        said.append(f"a token of {seconds} s")
        person.write(said[-1])
        is_sent = person.bubble(said[-1]).locator(".tick").get_by_text(STORED)
        expect(is_sent.or_(person.banner.get_by_text("Your connection token has expired")).first).to_be_visible()
        if is_sent.is_visible():
            return person, expires, said
        page.close()
    raise AssertionError(f"nothing could be said within {SHORT_LIVES[-1]} s")


def test_a_lost_connection_does_not_ask_for_a_new_sign_in(
    visit: Visit, line: Line, secret: str, alice: str, bob: str
) -> None:
    at_alice = sign_in(visit(alice, bob), alice, token(secret, alice))
    at_alice.expect_connected()
    line.cut()
    at_alice.banner.get_by_text("No connection. What you write will be sent once you are connected again.").wait_for()
    line.mend()
    at_alice.try_now()
    at_alice.expect_connected()
