"""Somebody who uses the page: what can be done there and what can be seen, in a user's terms."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

STORED = re.compile("^(sent|delivered|read)$")


class Person:
    """A user at a page."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    @property
    def field(self) -> Locator:
        return self.page.get_by_label("Message", exact=True)

    @property
    def banner(self) -> Locator:
        return self.page.locator("#banner")

    @property
    def status(self) -> Locator:
        """What stands below the name of the other one."""
        return self.page.locator("#peer-status")

    @property
    def bubbles(self) -> Locator:
        """The texts of the messages, in order."""
        return self.page.locator("#entries .text")

    def bubble(self, text: str) -> Locator:
        return self.page.locator("#entries li.message").filter(has=self.page.get_by_text(text, exact=True))

    def line(self, peer: str) -> Locator:
        """The line of a chat in the list."""
        return self.page.locator(f'#chats button[data-peer="{peer}"]')

    def sign_in(self) -> None:
        """Confirms who it is: a tab asks once, and the address suggests somebody."""
        expect(self.page.get_by_label("User id", exact=True)).to_have_value(self.name)
        self.page.get_by_role("button", name="Continue").click()

    def open_chat(self, peer: str) -> None:
        self.page.get_by_label("User id to write to").fill(peer)
        self.page.get_by_label("Open the chat").click()
        expect(self.page.get_by_role("heading", name=peer, exact=True)).to_be_visible()

    def write(self, *texts: str) -> None:
        """Writes messages, and does not wait for what becomes of them."""
        for text in texts:
            self.field.fill(text)
            self.field.press("Enter")

    def say(self, *texts: str) -> None:
        """Writes messages, and waits until they are stored."""
        self.write(*texts)
        self.bubble(texts[-1]).locator(".tick").get_by_text(STORED).wait_for()

    def try_now(self) -> None:
        """Presses the banner's button, even in the moment in which the page has connected by itself and hides it."""
        self.page.locator("#banner-action", has_text="Try now").dispatch_event("click")

    def expect_texts(self, *texts: str) -> None:
        """These messages, once each, in this order, and no others."""
        expect(self.bubbles).to_have_text(list(texts))

    def expect_state(self, text: str, state: str) -> None:
        self.bubble(text).locator(".tick").get_by_text(state, exact=True).wait_for()

    def expect_unread(self, peer: str, count: int) -> None:
        badge = self.line(peer).locator(".badge")
        if count:
            badge.get_by_text(f"{count} unread").wait_for()
        else:
            badge.wait_for(state="detached")

    def expect_connected(self) -> None:
        self.page.locator('#app[data-connection="online"]').wait_for()
        expect(self.banner).to_be_hidden()

    def expect_disconnected(self) -> None:
        self.banner.get_by_text(re.compile("No connection|Connecting")).wait_for()
        self.banner.get_by_role("button").wait_for()

    def expect_nothing_sticks_out(self) -> None:
        """Nothing is wider than the screen, so that nothing scrolls sideways."""
        for part in ("html", "#messages"):
            assert self.page.locator(part).evaluate("(one) => one.scrollWidth - one.clientWidth") == 0
