"""What becomes of a conversation when the connection does not hold."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import BrowserContext, expect

from chat.identity import LEEWAY_SECONDS
from local import web
from local.deployment import Endpoint
from local.emulator import Emulator
from tests.browser.conftest import NewContext, OpenPage, Shoot, address_of
from tests.browser.line import Line
from tests.browser.person import Person
from tests.conftest import Connect
from tests.raw_connection import Frame

TOKEN_SECONDS = 2
"""How long tokens last that expire soon, or as long as that many connections take where that is longer."""

CONNECTIONS = 20


def test_a_reload_shows_the_conversation_again(open_page: OpenPage, alice: str, bob: str) -> None:
    at_alice, at_bob = open_page(alice, bob), open_page(bob, alice)
    at_alice.say("one", "two")
    at_bob.say("three")
    at_alice.expect_texts("one", "two", "three")
    at_alice.page.reload()
    at_alice.expect_texts("one", "two", "three")
    at_alice.expect_state("two", "read")


def test_offline_and_back_over_a_reload_nothing_is_lost_or_doubled(
    *, open_page: OpenPage, connect: Connect, line: Line, shoot: Shoot, alice: str, bob: str
) -> None:
    at_alice, device = open_page(alice, bob), connect(bob)
    at_alice.say("before")
    line.cut()
    at_alice.expect_disconnected()
    at_alice.write("one", "two")
    at_alice.expect_state("one", "waiting to be sent")
    shoot(at_alice)
    device.ask("send", to=alice, text="meanwhile")
    at_alice.page.reload()
    at_alice.expect_texts("one", "two")
    at_alice.write("three")
    line.mend()
    at_alice.expect_texts("before", "meanwhile", "one", "two", "three")
    at_alice.expect_state("three", "sent")
    assert _texts(device.arrived()) == ["before", "one", "two", "three"]


@pytest.mark.parametrize("is_reloaded", [False, True], ids=["in the same page", "after a reload"])
def test_a_message_whose_acknowledgement_was_lost_is_sent_once(
    *, open_page: OpenPage, connect: Connect, line: Line, alice: str, bob: str, is_reloaded: bool
) -> None:
    at_alice, device = open_page(alice, bob), connect(bob)
    line.deafen()
    at_alice.write("one", "two")
    device.receive(text="one")
    line.cut()
    at_alice.expect_disconnected()
    if is_reloaded:
        at_alice.page.reload()
        at_alice.expect_disconnected()
        at_alice.expect_texts("one", "two")
    for number in range(10):  # more than the server remembers of a conversation
        device.ask("send", to=alice, text=f"later {number}")
    line.mend()
    at_alice.try_now()
    at_alice.expect_texts("one", *(f"later {number}" for number in range(10)), "two")
    at_alice.expect_state("two", "sent")
    assert _texts(device.arrived()) == ["two"]


def test_a_tab_that_was_closed_leaves_its_messages_to_another(
    *, open_page: OpenPage, new_context: NewContext, connect: Connect, line: Line, alice: str, bob: str
) -> None:
    context, device = new_context(), connect(bob)
    first, second = (open_page(alice, bob, context=context) for _ in range(2))
    line.cut()
    for person in (first, second):
        person.expect_disconnected()
    first.write("from the first")
    expect(second.bubbles).to_have_count(0)
    first.page.close()
    second.expect_texts("from the first")
    line.mend()
    second.try_now()
    second.expect_state("from the first", "sent")
    assert _texts(device.arrived()) == ["from the first"]


@pytest.mark.usefixtures("acquainted")
def test_a_read_receipt_that_was_lost_is_sent_again(
    open_page: OpenPage, connect: Connect, line: Line, alice: str, bob: str
) -> None:
    at_alice, device = open_page(alice), connect(bob)
    device.ask("send", to=alice, text="read me")
    at_alice.expect_unread(bob, 1)
    line.cut()
    at_alice.expect_disconnected()
    at_alice.line(bob).click()
    at_alice.expect_unread(bob, 0)
    line.mend()
    at_alice.try_now()
    device.receive(type="receipt", kind="read", seq=1)


def test_a_browser_without_a_network_says_so_and_comes_back_by_itself(
    open_page: OpenPage, connect: Connect, alice: str, bob: str
) -> None:
    at_alice, device = open_page(alice, bob), connect(bob)
    at_alice.context.set_offline(True)
    at_alice.expect_disconnected()
    at_alice.write("from afar")
    at_alice.expect_state("from afar", "waiting to be sent")
    at_alice.context.set_offline(False)
    at_alice.expect_state("from afar", "sent")
    assert _texts(device.arrived()) == ["from afar"]


def test_a_browser_that_keeps_nothing_sends_what_is_written_and_warns(
    *, new_context: NewContext, open_page: OpenPage, line: Line, shoot: Shoot, alice: str, bob: str
) -> None:
    context = new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied'); }})"
    )
    at_alice = open_page(alice, bob, context=context)
    expect(at_alice.page.get_by_text("a reload will lose unsent messages")).to_be_visible()
    line.cut()
    at_alice.expect_disconnected()
    at_alice.write("one")
    at_alice.expect_state("one", "waiting to be sent")
    shoot(at_alice)
    line.mend()
    at_alice.try_now()
    at_alice.expect_state("one", "sent")
    at_alice.expect_nothing_sticks_out()


@pytest.fixture
def hasty_address(*, running: Emulator, endpoint: Endpoint, secret: str, connect: Connect, alice: str) -> Iterator[str]:
    """A page whose tokens expire soon, though not before one has connected with them."""
    connect(alice).ask("ping")  # all functions have started by now
    began = time.monotonic()
    connect(alice).ask("ping")
    seconds = max(TOKEN_SECONDS, math.ceil(CONNECTIONS * (time.monotonic() - began)))
    with web.serve(endpoint, secret, token_seconds=seconds - LEEWAY_SECONDS) as url:  # clocks may differ
        running.admit(url)
        yield url


def test_a_token_that_expires_is_replaced_without_a_word(
    *, new_context: NewContext, hasty_address: str, connect: Connect, alice: str, bob: str
) -> None:
    device, at_alice = connect(bob), Person(new_context().new_page(), alice)
    at_alice.page.goto(address_of(hasty_address, alice, bob))
    at_alice.sign_in()
    at_alice.expect_connected()
    tokens: list[str] = []
    at_alice.page.on("request", lambda request: tokens.append(request.url) if "/token" in request.url else None)
    texts: list[str] = []
    while not tokens:
        texts.append(f"message {len(texts)}")
        at_alice.say(texts[-1])
    at_alice.expect_texts(*texts)
    expect(at_alice.banner).to_be_hidden()
    assert _texts(device.arrived()) == texts


def test_a_sign_in_that_is_refused_says_why(new_context: NewContext, address: str, alice: str) -> None:
    context: BrowserContext = new_context()
    refusal = '{"error": "alice is not welcome here"}'
    context.route("**/token", lambda route: route.fulfill(status=403, content_type="application/json", body=refusal))
    page = context.new_page()
    page.goto(address_of(address, alice))
    Person(page, alice).sign_in()
    expect(page.get_by_text("alice is not welcome here")).to_be_visible()
    page.get_by_role("button", name="Sign in again").click()
    expect(page.get_by_label("User id", exact=True)).to_be_focused()


def _texts(frames: Sequence[Frame]) -> list[object]:
    return [frame["text"] for frame in frames if frame["type"] == "message"]
