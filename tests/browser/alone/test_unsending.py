"""Taking messages back on the page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer

TAKEN_BACK = "Message taken back"


def test_a_message_is_taken_back_by_the_mouse(open_alone: OpenAlone, server: FakeServer) -> None:
    server.said("bob", "regrettable")
    at_alice = open_alone("bob")
    at_alice.expect_texts("regrettable")
    at_alice.bubble("regrettable").hover()
    at_alice.page.get_by_role("button", name="Take back: regrettable").click()
    at_alice.page.get_by_role("button", name="Take back", exact=True).click()
    at_alice.expect_texts(TAKEN_BACK)
    expect(at_alice.line("bob")).to_contain_text(TAKEN_BACK)
    expect(at_alice.page.get_by_text("regrettable")).to_have_count(0)
    expect(at_alice.page.locator(".take-back")).to_have_count(0)
    assert server.chat.logs["bob"][0]["text"] == ""


def test_a_message_is_taken_back_by_the_keyboard(open_alone: OpenAlone, server: FakeServer) -> None:
    server.said("bob", "first")
    server.said("bob", "second")
    at_alice = open_alone("bob")
    at_alice.expect_texts("first", "second")
    at_alice.page.locator(".take-back[tabindex='0']").focus()
    at_alice.page.keyboard.press("ArrowUp")
    at_alice.page.keyboard.press("Enter")
    at_alice.page.keyboard.press("Escape")
    expect(at_alice.page.locator(".question")).to_have_count(0)
    expect(at_alice.field).to_be_focused()
    at_alice.page.locator(".take-back[tabindex='0']").focus()
    at_alice.page.keyboard.press("ArrowUp")
    at_alice.page.keyboard.press("Enter")
    at_alice.page.keyboard.press("Enter")
    at_alice.expect_texts(TAKEN_BACK, "second")


def test_what_the_other_one_takes_back_is_shown_so(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", "regrettable", "fine")
    at_alice = open_alone("bob")
    at_alice.expect_texts("regrettable", "fine")
    unsending = server.chat.store("bob", "alice", "")[0] | {"unsends": 1}
    server.push({"type": "message", **unsending})
    at_alice.expect_texts(TAKEN_BACK, "fine")
    expect(at_alice.line("bob")).to_contain_text(TAKEN_BACK)
    expect(at_alice.page.locator("#announcer")).to_contain_text("bob took a message back")
    expect(at_alice.page.locator(".take-back")).to_have_count(0)


def test_without_a_connection_nothing_is_taken_back_and_the_page_says_so(
    open_alone: OpenAlone, server: FakeServer
) -> None:
    server.said("bob", "stays")
    at_alice = open_alone("bob")
    at_alice.expect_texts("stays")
    server.is_away = True
    server.drop()
    at_alice.bubble("stays").hover()
    at_alice.page.locator(".take-back").click()
    at_alice.page.get_by_role("button", name="Take back", exact=True).click()
    expect(at_alice.page.locator(".question")).to_contain_text("That did not work")
    at_alice.expect_texts("stays")
