"""The terminal client on a usual screen, with a picture of it for people to look at; the README shows it."""

from __future__ import annotations

import re

import pytest
from rich.color import Color as RichColor
from textual.color import Color

from local.emulator import PROJECT
from tests.asynchronous import asynchronous, until
from tests.terminal.screen import Screen, running
from tests.terminal.server import Server

PICTURE = PROJECT / ".local" / "screenshots" / "terminal.svg"
FONT_OF_ANOTHER_SITE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)

CONVERSATION = (
    ("bob", "Morning! Did the numbers come in?"),
    ("alice", "They did. Up 12 % on last week, mostly from the new region."),
    ("bob", "Great 🎉"),
    ("bob", "Which command was it again?"),
    ("alice", "make capacity \\\n  USERS=1000000 \\\n  DEVICES=2"),
)


@asynchronous
async def test_a_terminal_for_a_customer(server: Server) -> None:
    server.online |= {"bob", "carol.jones"}
    server.store("dave", "alice", "See you on Thursday, then.")
    server.store("carol.jones", "alice", "The contract is in your inbox.")
    server.store("carol.jones", "alice", "Could you look at page 3, please?")
    for sender, text in CONVERSATION:
        server.store(*((sender, "bob") if sender == "alice" else (sender, "alice")), text)
    server.marks["bob"]["read"] = len(CONVERSATION)
    server.marks["dave"]["read"] = 1
    server.mark("bob", "read", len(CONVERSATION))
    async with running(server, width=84) as screen:
        await screen.shows("● bob", "● carol.jones", "  2")
        while screen.app.chat_screen._view.peer != "bob":
            await screen.press("down")
        server.compose("bob", "composing")
        await screen.shows("bob  typing…", "✓✓ read ▐", "  DEVICES=2")
        screen.type("Ten past ten?\nI'll bring the sheet.")
        await until(lambda: screen.composer.size.height == 2)
        await screen.settles()
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        drawn = FONT_OF_ANOTHER_SITE.sub("", screen.app.export_screenshot(title="make terminal USER=alice"))
        PICTURE.write_text(f"{drawn.rstrip()}\n", encoding="utf-8")
    # GitHub shows it as an image, which loads nothing from elsewhere.
    assert "url(http" not in drawn


@asynchronous
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_what_is_said_beside_a_text_is_paler_than_it_and_can_be_read(server: Server, theme: str) -> None:
    server.online.add("bob")
    server.store("bob", "alice", "hi there")
    server.store("alice", "bob", "mine")
    async with running(server) as screen:
        screen.app.theme = theme
        await screen.open("bob")
        await screen.shows("bob  online", "hi there", "mine")
        await screen.settles()
        text = contrast_of("hi there", screen)
        for beside in ("09:01", "09:02", "✓", "online", "you: mine"):
            assert 4.5 <= contrast_of(beside, screen) < text, beside  # WCAG 2.2 AA


def contrast_of(text: str, screen: Screen) -> float:
    segments = [segment for strip in screen.app.screen._compositor.render_strips() for segment in strip]
    row = "".join(segment.text for segment in segments)
    at = row.index(text)
    for segment in segments:
        at -= len(segment.text)
        if at < 0:
            break
    assert segment.style
    assert segment.style.color
    assert segment.style.bgcolor
    darker, lighter = sorted(map(_luminance, (segment.style.color, segment.style.bgcolor)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: RichColor) -> float:
    channels = Color.from_rich_color(colour).normalized
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
