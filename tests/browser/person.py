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

    def open_chat(self, peer: str) -> None:
        self.page.get_by_label("User id of somebody to write to").fill(peer)
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
        expect(self.bubble(texts[-1]).locator(".tick")).to_have_text(STORED)

    def expect_texts(self, *texts: str) -> None:
        """These messages, once each, in this order, and no others."""
        expect(self.bubbles).to_have_text(list(texts))

    def expect_state(self, text: str, state: str) -> None:
        expect(self.bubble(text).locator(".tick")).to_have_text(state)

    def expect_unread(self, peer: str, count: int) -> None:
        badge = self.line(peer).locator(".badge")
        if count:
            expect(badge).to_have_text(f"{count} unread")
        else:
            expect(badge).to_have_count(0)

    def expect_connected(self) -> None:
        expect(self.page.locator("#app")).to_have_attribute("data-connection", "online")
        expect(self.banner).to_be_hidden()

    def expect_disconnected(self) -> None:
        expect(self.banner).to_contain_text(re.compile("No connection|Connecting"))

    def expect_nothing_sticks_out(self) -> None:
        """Nothing is wider than the screen, so that nothing scrolls sideways."""
        for part in ("html", "#messages"):
            assert self.page.locator(part).evaluate("(one) => one.scrollWidth - one.clientWidth") == 0
