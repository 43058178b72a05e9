"""The terminal client as a test drives it: by keys and by bytes; what counts is what the screen shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual._xterm_parser import XTermParser
from textual.pilot import Pilot
from textual.screen import UPDATE_PERIOD

from clients.terminal import Composer, Row, Terminal
from clients.terminal.message_list import MessageList
from clients.terminal.rows import LIST_WIDTH
from clients.terminal.screen import QUIT_SECONDS
from clients.terminal.thread import MAX_LOADED
from parley import DEFAULT_BACKLOG, Chat, Timing
from tests.asynchronous import until
from tests.hang import HANG_SECONDS
from tests.terminal.server import Server, serving

FAST = Timing(backoff_first=0.01, backoff_most=0.05, drain=1, close=1)


class Screen:
    """A client that runs, its server, and what the client shows."""

    def __init__(self, server: Server, app: Terminal, pilot: Pilot[None]) -> None:
        self.server = server
        self.app = app
        self._pilot = pilot

    def text(self) -> str:
        """All of the screen, as a terminal has it."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def shows(self, *texts: str) -> None:
        try:
            await until(lambda: all(text in self.text() for text in texts))
        except TimeoutError:
            raise AssertionError(f"{texts} not on the screen:\n{self.text()}") from None

    async def hides(self, text: str) -> None:
        await until(lambda: text not in self.text())

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Selects with the mouse."""
        await self._pilot.mouse_down(offset=start)
        await self._pilot.hover(offset=end)
        await self._pilot.mouse_up(offset=end)
        await self.settles()

    def type(self, keys: str) -> None:
        """Types all at once, as a slow line delivers it; waits for nothing."""
        for message in XTermParser().feed(keys):
            self.app.post_message(message)

    def paste(self, text: str) -> None:
        self.type(f"\x1b[200~{text}\x1b[201~\0")  # the parser looks at a paste when the next character is there

    @property
    def composer(self) -> Composer:
        return self.app.chat_screen.query_one(Composer)

    @property
    def messages(self) -> MessageList:
        return self.app.chat_screen.query_one(MessageList)

    async def open(self, peer: str) -> None:
        """Opens the only chat."""
        await self.shows(peer)
        await self.press("down")
        await self.shows("Write a message")

    async def write(self, text: str) -> None:
        composer = self.app.screen.query_one(Composer)
        composer.text = text
        await self.press("enter")

    async def settles(self) -> None:
        """Waits until all that was pressed has had its effect on the screen."""
        await self._pilot.pause()

    def numbers(self) -> list[int]:
        """The numbers of the messages in view."""
        conversation = "\n".join(line[LIST_WIDTH:] for line in self.text().splitlines())
        return [int(number) for number in re.findall(r"message (\d+)\.", conversation)]

    def rows(self) -> list[str]:
        return [row.entry.text for row in rows_of_messages(self.app)]


def rows_of_messages(app: Terminal) -> list[Row]:
    """The rows that are displayed: one that was taken away is among the widgets for a while, unseen."""
    return [row for row in app.screen.query(Row) if row.display and row.entry.kind != "note"]


@asynccontextmanager
async def running(
    server: Server,
    *,
    width: int = 90,
    height: int = 24,
    backlog: int = DEFAULT_BACKLOG,
    max_loaded: int = MAX_LOADED,
    quit_seconds: float = QUIT_SECONDS,
) -> AsyncIterator[Screen]:
    async with (
        serving(server),
        Chat.connect(server.url, lambda: "token", timeout=HANG_SECONDS, timing=FAST, backlog=backlog) as chat,
    ):
        app = Terminal(chat, max_loaded=max_loaded, quit_seconds=quit_seconds)
        async with app.run_test(size=(width, height), notifications=True) as pilot:
            yield Screen(server, app, pilot)


async def stays_idle(pictures: list[None]) -> None:
    """Nothing that goes on without end would leave the screen alone for as long as this many pictures take."""
    before = len(pictures)
    for _ in range(30):
        await asyncio.sleep(UPDATE_PERIOD)
    assert len(pictures) < before + 5
