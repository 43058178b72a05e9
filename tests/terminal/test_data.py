"""What the terminal client shows of data that it does not know."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest

from clients.terminal.card import LINE, MOST_LINES, card
from tests.asynchronous import asynchronous, until
from tests.custom_data import GOOD
from tests.terminal.screen import running
from tests.terminal.server import Server

HOSTILE: dict[str, Any] = {
    "\x1b]0;owned\x07": "\x1b[2J\x9b31m\u202egnp.exe\u2066",
    "a\nb": "[bold red]x[/]\r\n[@click=app.quit]y[/]\t\x00\x7f\ud7ff",
    "list": ["\u2028", {"": "\x1b[31m"}],
}


def store(server: Server, sender: str, to: str, text: str, data: dict[str, Any]) -> dict[str, Any]:
    stored = server.store(sender, to, text)
    stored["data"] = data
    return stored


@asynchronous
async def test_a_card_stands_beneath_a_text_or_in_its_place(server: Server) -> None:
    store(
        server, "bob", "alice", "Your parcel has left.", {"order": 17, "parts": [{"name": "tea", "gift": True}, None]}
    )
    store(server, "alice", "bob", "", {"like": 1})
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows("▌ like: 1")
        assert screen.rows() == [
            "Your parcel has left.\n▌ order: 17\n▌ parts:\n▌   -\n▌     name: tea\n▌     gift: true\n▌   - null",
            "▌ like: 1",
        ]


@asynchronous
async def test_the_list_says_that_there_is_data(server: Server) -> None:
    store(server, "bob", "alice", "", {"order": 17})["has_data"] = True
    store(server, "carol", "alice", "look", {"order": 17})["has_data"] = True
    async with running(server) as screen:
        await screen.shows("data", "look")
        server.push({"type": "message"} | store(server, "bob", "alice", "", {"order": 17}))
        await screen.shows("data")


@asynchronous
async def test_a_message_with_data_alone_is_taken_back(server: Server) -> None:
    store(server, "alice", "bob", "", {"order": 17})
    async with running(server) as screen:
        await screen.open("bob")
        await screen.press("ctrl+t")
        await screen.shows("Take a message back", "data")
        await screen.press("enter")
        await screen.shows("(message taken back)")
        await screen.hides("order: 17")


@pytest.mark.parametrize("width", [40, 90])
@asynchronous
async def test_data_cannot_touch_the_terminal(server: Server, width: int) -> None:
    store(server, "bob", "alice", "", HOSTILE)
    async with running(server, width=width) as screen:
        await until(lambda: len(screen.app.chat_screen._lines) == 1)
        await screen.press("down")
        await until(lambda: len(screen.rows()) == 1)
        await screen.shows("[bold red]x[/]")
        assert screen.rows()[0].count("\n") == 5  # a name cannot begin a line
        shown = screen.text().replace("\n", "")
        assert {unicodedata.category(character) for character in shown}.isdisjoint({"Cc", "Cf", "Cs"})


@pytest.mark.parametrize(
    "data",
    [
        *map(json.loads, GOOD.values()),
        {"many": list(range(500))},
        {"x" * 1_000: "y" * 1_000},
        {f"name {number}": number for number in range(MOST_LINES)},
        {f"name {number}": number for number in range(MOST_LINES + 1)},
    ],
    ids=lambda data: str(data)[:30],
)
def test_a_card_is_bounded_whatever_it_shows(data: dict[str, Any]) -> None:
    lines = card(data)
    assert 1 <= len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= LINE + len("▌ ")


def test_a_card_says_how_much_it_leaves_out() -> None:
    assert card({"many": list(range(500))})[-1] == f"▌ … {501 - (MOST_LINES - 1)} more lines"
    assert card({str(number): number for number in range(MOST_LINES)})[-1] == f"▌ {MOST_LINES - 1}: {MOST_LINES - 1}"
