"""What the terminal client draws of what people write."""

from __future__ import annotations

import unicodedata

import pytest
from rich.cells import cell_len

from clients.terminal.printable import STAND_IN, editable, printable
from tests.asynchronous import asynchronous, until
from tests.terminal.screen import running
from tests.terminal.server import Server


@pytest.mark.parametrize("width", [40, 90])
@asynchronous
async def test_what_others_write_cannot_touch_the_terminal(server: Server, width: int) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066 [bold red]x[/] [@click=app.quit]y[/] \x00\x7f\ud7ff"

    server.store("bob", "alice", hostile)
    server.store("m\x1b[2Jallory", "alice", hostile)
    async with running(server, width=width) as screen:
        await until(lambda: len(screen.app.chat_screen._lines) == 2)
        for _ in range(2):
            await screen.press("down")
            await until(lambda: len(screen.rows()) == 1)
            assert screen.rows() == [printable(hostile)]
            await screen.shows("[bold red]x[/]")
            shown = screen.text().replace("\n", "")
            assert {unicodedata.category(character) for character in shown}.isdisjoint({"Cc", "Cf", "Cs"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb\rc\nd", "a b c d"),
        ("a\tb", "a b"),
        ("\x1b[31mred", "�[31mred"),
        ("\x9b31m\x85", "�31m�"),
        ("\u202eevil\u2069", "evil"),
        ("\ufeff\u200b\u00ad", ""),
        ("\u2028", "�"),
        ("👩\u200d🚀", "👩🚀"),
        ("a\u200cb", "a\u200cb"),
        ("é ß 漢 [b]", "é ß 漢 [b]"),
    ],
)
def test_printable_leaves_text_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_keeps_lines_where_there_is_room() -> None:
    assert printable("a\r\nb\x1b\n\nc", lines=True) == "a\nb�\n\nc"


@pytest.mark.parametrize("lines", [False, True])
def test_no_character_that_a_terminal_obeys_is_drawn(lines: bool) -> None:
    everything = "".join(map(chr, range(0x110000)))
    drawn, edited = set(printable(everything, lines=lines)) - {"\n"}, editable(everything)
    assert len(edited) == len(everything)
    for shown in (drawn, set(edited) - {"\t"}):
        assert not [one for one in shown if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"}]
        formats = [one for one in shown if unicodedata.category(one) == "Cf" and one != "\u200c"]
        assert all(cell_len(one) == 1 for one in formats), "only visible letters"
        assert not shown & set("\u200d\ufe0f\u202e\u2066\u00ad\ufeff\U000e0067")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("❤\ufe0f 1\ufe0f\u20e3 ☎\ufe0f", "❤ 1\u20e3 ☎"),
        ("👨\u200d👩\u200d👧", "👨👩👧"),
        ("👍🏽 ✌\ufe0f🏽 🏽", "👍 ✌ 🏽"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴"),
        ("🇩🇪", "🇩🇪"),
        ("\u06dd\u0600", "\u06dd\u0600"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_what_is_drawn_has_one_width_in_all_terminals(text: str, drawn: str) -> None:
    assert printable(text) == drawn
    assert cell_len(drawn) == sum(cell_len(character) for character in drawn)
    assert editable(text).replace(STAND_IN, "") == drawn


def test_tabs_are_filled_up_where_there_are_lines() -> None:
    assert printable("a\tb\n\tc", lines=True) == "a   b\n    c"
    assert printable("a\tb\n\tc") == "a b  c"
