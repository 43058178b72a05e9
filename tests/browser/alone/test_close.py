"""A server that ends the connection on purpose: the page says why, and comes back when its user wants to."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer

CLOSE = {"type": "close", "code": "too_many_connections", "message": "another device has connected"}


def test_who_is_ended_for_another_device_is_told_so_and_comes_back_by_a_button(
    open_alone: OpenAlone, server: FakeServer
) -> None:
    at_alice = open_alone("bob")
    server.push({**CLOSE, "temporary": True, "retry_after_ms": 300_000})
    at_alice.banner.get_by_text("Disconnected: another device has connected.").wait_for()
    at_alice.banner.get_by_role("button", name="Try now").click()
    at_alice.expect_connected()


def test_who_is_ended_for_good_is_told_so(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.push({**CLOSE, "message": "you were signed out", "temporary": False})
    expect(at_alice.banner).to_contain_text("you were signed out")


def test_a_page_that_has_ended_still_shows_what_it_has(open_alone: OpenAlone, server: FakeServer) -> None:
    server.said("bob", "hello")
    server.says("carol", "have you seen this?")
    at_alice = open_alone("bob")
    at_alice.expect_unread("carol", 1)
    server.push({**CLOSE, "message": "you were signed out", "temporary": False})
    expect(at_alice.banner).to_contain_text("you were signed out")
    at_alice.field.fill("too late")
    at_alice.field.press("Enter")
    expect(at_alice.page.locator("#text-problem")).to_have_text("you were signed out")
    at_alice.page.locator("#block").click()
    expect(at_alice.page.locator("#peer-status")).to_contain_text("That did not work")
    at_alice.line("carol").click()
    at_alice.expect_texts("have you seen this?")
    at_alice.line("bob").click()  # what carol wrote could not be marked read any more
    at_alice.expect_unread("carol", 1)
