"""A conversation of many messages: the page keeps a window of rows, and fetches again what it has let go."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.person import Person

MOST_ROWS = 300
DRAW = "document.getElementById('new-chat-peer').dispatchEvent(new Event('input'))"
"""Has the page drawn at once: it draws for each character that is typed to find a chat."""


@pytest.fixture
def at_alice(open_alone: OpenAlone) -> Person:
    return open_alone("bob")


def rows(person: Person) -> int:
    return person.bubbles.count()


def scroll_up_to(person: Person, text: str) -> int:
    """Scrolls up until a message is on the screen, and counts the most rows that there were on the way."""
    most = 0
    while not person.page.get_by_text(text, exact=True).count():
        first = person.bubbles.first.inner_text()
        person.page.locator("#messages").evaluate("(one) => one.scrollTo(0, 0)")
        expect(person.bubbles.first).not_to_have_text(first)
        most = max(most, rows(person))
    return most


def test_rows_are_bounded_while_messages_come(at_alice: Person, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 1_001)))
    expect(at_alice.bubbles.last).to_have_text("message 1000")
    expect(at_alice.bubbles.last).to_be_in_viewport()
    assert rows(at_alice) <= MOST_ROWS


def test_scrolling_back_fetches_again_what_was_let_go(at_alice: Person, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 3_001)))  # more than are kept
    expect(at_alice.bubbles.last).to_have_text("message 3000")
    assert scroll_up_to(at_alice, "message 950") <= MOST_ROWS
    at_alice.page.get_by_text("message 950", exact=True).scroll_into_view_if_needed()
    texts = at_alice.bubbles.all_inner_texts()
    first = int(texts[0].removeprefix("message "))
    assert texts == [f"message {number}" for number in range(first, first + len(texts))]
    # What comes meanwhile moves nothing, and is counted.
    server.says("bob", "message 3001")
    expect(at_alice.page.locator("#latest-count")).to_have_text("1")
    expect(at_alice.page.get_by_text("message 950", exact=True)).to_be_in_viewport()
    at_alice.page.get_by_role("button", name="Go to the latest message").click()
    expect(at_alice.bubbles.last).to_have_text("message 3001")
    expect(at_alice.bubbles.last).to_be_in_viewport()
    assert rows(at_alice) <= MOST_ROWS


def test_scrolling_down_again_reaches_the_end(at_alice: Person, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 801)))
    expect(at_alice.bubbles.last).to_have_text("message 800")
    scroll_up_to(at_alice, "message 1")
    while at_alice.bubbles.last.inner_text() != "message 800":
        last = at_alice.bubbles.last.inner_text()
        at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        expect(at_alice.bubbles.last).not_to_have_text(last)
        # A page further, and not at once at the end.
        assert int(at_alice.bubbles.last.inner_text().split()[1]) <= int(last.split()[1]) + 100
    expect(at_alice.page.get_by_role("button", name="Go to the latest message")).to_be_visible()
    at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
    expect(at_alice.page.get_by_role("button", name="Go to the latest message")).to_be_hidden()


def test_sending_while_scrolled_up_goes_to_the_end(at_alice: Person, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 501)))
    expect(at_alice.bubbles.last).to_have_text("message 500")
    scroll_up_to(at_alice, "message 100")
    at_alice.write("here I am")
    expect(at_alice.bubbles.last).to_have_text("here I am")
    expect(at_alice.bubbles.last).to_be_in_viewport()


def test_the_first_of_many_unread_messages_is_on_the_screen(open_alone: OpenAlone, server: FakeServer) -> None:
    for number in range(1, 501):
        server.chat.store("bob", "alice", f"message {number}")
    server.chat.marks["bob"]["read"] = 240
    at_alice = open_alone("bob")
    expect(at_alice.page.get_by_text("message 241", exact=True)).to_be_in_viewport()
    expect(at_alice.page.locator("#entries .new + li .text")).to_have_text("message 241")
    assert rows(at_alice) <= MOST_ROWS


def test_what_is_drawn_before_the_page_has_heard_of_a_scroll_does_not_undo_it(
    at_alice: Person, server: FakeServer
) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 101)))
    at_alice.expect_unread("bob", 0)
    at_alice.page.evaluate("() => { document.hasFocus = () => false }")
    server.says("bob", "message 101")
    at_alice.expect_unread("bob", 1)
    expect(at_alice.bubbles.last).to_be_in_viewport()
    top = at_alice.page.evaluate(
        f"""() => {{
          const messages = document.getElementById("messages");
          messages.scrollTop = 500;
          delete document.hasFocus;
          {DRAW};  // the event of the scroll comes after this
          return messages.scrollTop;
        }}"""
    )
    assert top == 500
    expect(at_alice.page.get_by_role("button", name="Go to the latest message")).to_be_visible()
    at_alice.expect_unread("bob", 1)
    # Scrolled down again, one reads.
    at_alice.page.evaluate(
        f"""() => {{
          const messages = document.getElementById("messages");
          messages.scrollTop = messages.scrollHeight;
          {DRAW};
        }}"""
    )
    at_alice.expect_unread("bob", 0)


@pytest.mark.parametrize("top", [500, 1_000_000], ids=["in the middle", "at the end"])
def test_what_is_drawn_while_the_conversation_is_hidden_is_no_scroll(
    at_alice: Person, server: FakeServer, top: int
) -> None:
    server.says("bob", *(f"message {number}" for number in range(1, 101)))
    expect(at_alice.bubbles.last).to_be_in_viewport()
    messages, latest = at_alice.page.locator("#messages"), at_alice.page.locator("#latest")
    messages.evaluate(f"(one) => one.scrollTo(0, {top})")
    expect(latest).to_be_visible(visible=top == 500)
    seen = messages.evaluate("(one) => one.scrollTop")
    at_alice.page.evaluate(
        f"""async () => {{
          const {{ style }} = document.getElementById("conversation");
          const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          style.display = "none";
          {DRAW};
          await frame();
          style.display = "";
          await frame();
        }}"""
    )
    expect(latest).to_be_visible(visible=top == 500)
    assert messages.evaluate("(one) => one.scrollTop") == seen
    at_alice.page.evaluate(DRAW)
    expect(latest).to_be_visible(visible=top == 500)
    assert messages.evaluate("(one) => one.scrollTop") == seen
