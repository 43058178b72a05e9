"""Four ways to take part in a conversation, each driven as its user drives it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Page, async_playwright
from textual.pilot import Pilot

from clients.terminal import Composer, NewChat, Terminal
from parley import Chat, Message, Reset
from tests.asynchronous import until
from tests.browser.chromium import ARGUMENTS
from tests.hang import HANG_SECONDS
from tests.terminal.screen import rows_of_messages

WEBSOCKETS = """
import asyncio, sys
from websockets.cli import interactive_client

asyncio.run(interactive_client(sys.argv[1], open_timeout=None, ping_interval=None))
"""
"""The tool that `websockets` brings, as its command runs it, without limits that a busy machine exceeds."""

_ids = itertools.count(1)

# What was shown twice at any time, if only for a moment, is still known at the end.
_REMEMBER_DOUBLES = """
window.doubles = [];
new MutationObserver(() => {
  const texts = [...document.querySelectorAll("#entries .text")].map((one) => one.textContent);
  window.doubles.push(...texts.filter((text, index) => texts.indexOf(text) < index));
}).observe(document, {childList: true, subtree: true});
"""


class Client(Protocol):
    """Somebody's end of the conversation."""

    async def say(self, text: str) -> None:
        """Writes a message, whether it can be sent now or not."""

    async def shown(self) -> list[str]:
        """The messages, as the user has them before the eyes, from first to last."""


async def expect_shown(client: Client, texts: list[str]) -> None:
    """Waits until the client shows the messages. Raises AssertionError, with what it shows instead, if that hangs."""

    async def are_shown() -> bool:
        return await client.shown() == texts

    try:
        await until(are_shown)
    except TimeoutError:
        raise AssertionError(f"{type(client).__name__} shows {await client.shown()}, not {texts}") from None


class BrowserPage:
    """The web client in Chromium."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def say(self, text: str) -> None:
        field = self._page.get_by_label("Message", exact=True)
        await field.fill(text)
        await field.press("Enter")

    async def shown(self) -> list[str]:
        assert await self._page.evaluate("window.doubles") == []
        return await self._page.locator("#entries .text").all_inner_texts()


@asynccontextmanager
async def browser_page(chromium: Path, address: str, user: str, peer: str) -> AsyncIterator[BrowserPage]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(HANG_SECONDS * 1_000)
        await page.add_init_script(_REMEMBER_DOUBLES)
        await page.goto(f"{address}#/{user}/{peer}")
        await page.get_by_role("button", name="Continue").click()
        await page.locator('#app[data-connection="online"]').wait_for()
        yield BrowserPage(page)
        await browser.close()


class TerminalScreen:
    """The terminal client, driven by keys."""

    def __init__(self, app: Terminal, pilot: Pilot[None], chat: Chat) -> None:
        self._app = app
        self._pilot = pilot
        self._chat = chat

    async def open(self, peer: str) -> None:
        await self._pilot.press("ctrl+n")
        await self._pilot.pause()
        assert isinstance(self._app.screen, NewChat)
        await self._pilot.press(*peer, "enter")
        await self._pilot.pause()

    async def say(self, text: str) -> None:
        self._app.screen.query_one(Composer).text = text
        await self._pilot.press("enter")

    async def has_sent_all(self) -> bool:
        """Whether all that was said is acknowledged: others are shown a message before its sender hears of it."""
        return not any(conversation.pending for conversation in self._chat.chats)

    async def shown(self) -> list[str]:
        texts = [row.entry.text for row in rows_of_messages(self._app)]
        assert len(texts) == len(set(texts))
        return texts


@asynccontextmanager
async def terminal_screen(chat: Chat, peer: str) -> AsyncIterator[TerminalScreen]:
    async with chat:
        app = Terminal(chat)
        # As high as all that is said: a lower one may let go of what is above, and shows it again to whoever scrolls.
        async with app.run_test(size=(100, 200)) as pilot:
            screen = TerminalScreen(app, pilot, chat)
            await screen.open(peer)
            yield screen


class Program:
    """A program on the Python client. It keeps what it was told, in the order in which it was told."""

    def __init__(self, chat: Chat, peer: str) -> None:
        self._chat = chat
        self._peer = peer
        self.messages: list[Message] = []

    async def follow(self) -> None:
        async for event in self._chat:
            match event:
                case Message():
                    self.messages.append(event)
                case Reset():
                    self.messages.clear()

    async def say(self, text: str) -> None:
        self._chat.post(self._peer, text)

    async def shown(self) -> list[str]:
        return [message.text for message in self.messages]


@asynccontextmanager
async def program(chat: Chat, peer: str) -> AsyncIterator[Program]:
    async with chat:
        running = Program(chat, peer)
        following = asyncio.create_task(running.follow())
        try:
            yield running
        finally:
            following.cancel()


class CommandLine:
    """A WebSocket client for any protocol, into which a person types frames; it ends when its connection does."""

    def __init__(self, process: asyncio.subprocess.Process, peer: str) -> None:
        self._process = process
        self._peer = peer
        self._frames: list[dict[str, Any]] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if frame := re.search(r"< (\{.*\})", line.decode()):
                self._frames.append(json.loads(frame[1]))

    async def type(self, action: str, **fields: object) -> dict[str, Any]:
        """Types a frame, and waits for its reply."""
        assert self._process.stdin is not None
        id = f"{action}-{next(_ids)}"
        self._process.stdin.write(json.dumps({"action": action, "id": id, **fields}).encode() + b"\n")
        await self._process.stdin.drain()
        await until(lambda: self._has(id), f"the command line shows the reply to {action}")
        return next(frame for frame in self._frames if frame.get("id") == id)

    async def _has(self, id: str) -> bool:
        return any(frame.get("id") == id for frame in self._frames)

    async def say(self, text: str) -> None:
        await self.type("send", to=self._peer, text=text)

    async def history(self) -> list[dict[str, Any]]:
        """The messages of the conversation, as the server has them."""
        messages: list[dict[str, Any]] = (await self.type("history", peer=self._peer, limit=100))["messages"]
        return messages

    async def shown(self) -> list[str]:
        """What came in; what was typed here is not repeated."""
        return [frame["text"] for frame in self._frames if frame["type"] == "message"]

    async def ended(self) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            await self._process.wait()


@asynccontextmanager
async def command_line(url: str, peer: str) -> AsyncIterator[CommandLine]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WEBSOCKETS, url, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    async with asyncio.timeout(HANG_SECONDS):
        assert (await process.stdout.readline()).startswith(b"Connected")
    running = CommandLine(process, peer)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading
