"""Blocking on the page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer


def test_a_user_is_blocked_and_unblocked(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("mallory", "buy my things")
    at_alice = open_alone("mallory")
    at_alice.expect_texts("buy my things")
    button = at_alice.page.locator("#block")
    button.click()
    expect(button).to_have_text("Unblock")
    expect(at_alice.page.locator("#peer-status")).to_have_text("blocked")
    expect(at_alice.page.locator("#composer")).to_be_hidden()
    expect(at_alice.line("mallory")).to_contain_text("Blocked")
    assert server.chat.blocked == {"mallory"}
    button.click()
    expect(button).to_have_text("Block")
    at_alice.say("hello again")
    expect(at_alice.line("mallory")).to_contain_text("hello again")


def test_whom_another_device_has_blocked_is_in_the_list_also_without_a_message(
    open_alone: OpenAlone, server: FakeServer
) -> None:
    at_alice = open_alone()
    server.push({"type": "block", "user": "mallory", "blocked": True})
    expect(at_alice.line("mallory")).to_contain_text("Blocked")


def test_without_a_connection_nobody_is_blocked_and_the_page_says_so(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("mallory", "buy my things")
    at_alice = open_alone("mallory")
    at_alice.expect_texts("buy my things")
    server.is_away = True
    server.drop()
    at_alice.page.locator("#block").click()
    expect(at_alice.page.locator("#peer-status")).to_contain_text("That did not work")
    expect(at_alice.page.locator("#block")).to_have_text("Block")
