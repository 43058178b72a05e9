"""The chat list of the terminal client, and how chats are opened."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from clients.terminal.rows import LIST_WIDTH
from clients.terminal.screen import ChatList
from tests.asynchronous import asynchronous, until
from tests.terminal.screen import running
from tests.terminal.server import Server


@asynchronous
async def test_a_chat_is_unread_until_it_is_opened(server: Server) -> None:
    for text in ("one", "two", "three"):
        server.store("bob", "alice", text)
    async with running(server) as screen:
        await screen.shows("You are alice", "bob", "  3", "three")
        assert server.marks["bob"]["read"] == 0
        await screen.open("bob")
        await screen.shows("one", "two")
        await until(lambda: server.marks["bob"]["read"] == 3)
        await screen.hides("  3")
        server.say("bob", "four")
        await screen.shows("four")
        await until(lambda: server.marks["bob"]["read"] == 4)


@pytest.mark.parametrize("width", [40, 60, 84])
@asynchronous
async def test_the_keys_that_one_needs_are_on_every_screen(server: Server, width: int) -> None:
    server.store("bob", "alice", "hi")
    async with running(server, width=width) as screen:
        await screen.shows("esc Close", "^n New", "^q Quit", "↑↓ Chats")
        await screen.open("bob")
        await screen.shows("esc Close", "^n New", "^q Quit", "↑↓ Chats")
        if width >= 60:
            await screen.shows("pgup pgdn Scroll")
        if width >= 80:
            await screen.shows("^j New line")


@pytest.mark.parametrize("width", [40, 84])
@asynchronous
async def test_a_long_user_id_takes_one_line(server: Server, width: int) -> None:
    peer = "bob" + "x" * 124 + "z"

    server.store(peer, "alice", "hi")
    async with running(server, width=width) as screen:
        await screen.shows("bobx")
        await screen.press("down")
        await screen.shows("x…  status not shared yet", "▌ hi")
        assert screen.app.screen.query_one("#peer").size.height == 1
        server.compose(peer, "composing")
        await screen.shows("x…  typing…")


@asynchronous
async def test_presence_is_asked_for_once_of_each_who_is_in_sight(server: Server) -> None:
    peers = [f"user{number:03}" for number in range(250)]
    for number, peer in enumerate(peers):
        for _ in range(number + 1):
            server.store(peer, "alice", "hi")
    server.online = set(peers)
    newest = peers[::-1]

    def asked() -> list[str]:
        return [user for frame in server.sent("presence") for user in frame["users"]]

    def shown() -> list[str]:
        return [line.peer for line in screen.app.chat_screen._lines if line.is_online]

    async with running(server, backlog=0) as screen:
        await until(lambda: len(shown()) >= 12)
        first = asked()
        assert newest[:12] == first[:12] == shown()[:12]
        assert len(first) < 20  # the screen has 24 rows
        server.compose(newest[1], "composing")
        await screen.settles()
        assert asked() == first
        # Others are asked for when they come into sight.
        screen.app.chat_screen.query_one(ChatList).scroll_to(y=200, animate=False)
        await until(lambda: newest[100] in shown())
        assert set(asked()[len(first) :]) <= set(newest[99:115])
        assert len(set(asked())) == len(asked())
        # On each connection anew, and what is not in sight is not known any more.
        server.frames.clear()
        server.drop()
        await until(lambda: newest[100] in asked())
        await until(lambda: newest[100] in shown() and set(asked()) == set(shown()))
        assert set(shown()) <= set(newest[99:115])


@asynchronous
async def test_a_new_chat_is_opened_by_user_id(server: Server) -> None:
    async with running(server) as screen:
        await screen.shows("You are alice")
        await screen.press("ctrl+n", *"no one", "enter")
        await screen.shows("That is not a valid user id.")
        await screen.press(*["backspace"] * 6, *"carol", "enter")
        await screen.shows("○ carol")
        await screen.write("hello")
        await screen.shows("✓ ▐", "you: hello")
        assert server.logs["carol"][0]["text"] == "hello"


@asynchronous
async def test_a_narrow_terminal_shows_the_list_or_a_chat(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server, width=40) as screen:
        await screen.shows("○ bob")
        await screen.press("down")
        await screen.shows("▌ hi", "bob  status not shared yet")
        await screen.hides("○ bob")
        await screen.press("escape")
        await screen.shows("○ bob")


@asynchronous
@pytest.mark.parametrize("width", [40, 80, 120])
async def test_a_list_that_is_longer_than_the_screen_has_two_rows_a_chat(server: Server, width: int) -> None:
    for number in range(60):
        for _ in range(number + 1):
            server.store(f"user{number:02}", "alice", f"a message that is longer than the list is wide, to {number}")
    async with running(server, width=width) as screen:
        await screen.shows("user59")
        rows = [line[:LIST_WIDTH] for line in screen.text().splitlines()[:22]]
        assert all(re.match(r" ○ user\d\d  ", row) for row in rows[::2])
        assert all(re.match(r"   a message that is", row) for row in rows[1::2])
        order = [line.peer for line in screen.app.chat_screen._lines]
        for peer in order[:14]:
            await screen.press("down")
            await screen.shows(f"{peer}  status not shared yet")
            if width >= 70:
                await until(lambda peer=peer: f"○ {peer}" in screen.text())  # type: ignore[misc]


IDS = ["3f2b8c1e-7d4a-4e9b-9c55-0a1b2c3d4e5f", "a.person.with.a.long.name@department.example.com.x", "x" * 127 + "z"]


@asynchronous
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("peer", IDS, ids=len)
async def test_a_user_id_of_any_length_breaks_nothing(server: Server, peer: str, width: int) -> None:
    server.user = peer[::-1]
    server.store(peer, server.user, "hi there")
    async with running(server, width=width) as screen:
        await screen.shows(peer[:15], "hi there")
        listed = screen.text().splitlines()
        assert [line for line in listed if line.startswith((" ○", " ●"))] == listed[:1]
        assert listed[1].startswith("   hi there")
        assert width < 70 or "You are" in listed[0]
        assert all(cell_len(line) <= width for line in listed)
        await screen.press("down")
        await screen.shows("▌ hi there  09:01", "Write a message")
        assert screen.app.screen.query_one("#peer").size.height == 1
        await screen.write("mine")
        await screen.shows("mine  09:02 ✓ ▐")
        opened = screen.text().splitlines()
        assert peer[:15] in opened[0]
        assert opened[0].endswith("status not shared yet")
        assert all(cell_len(line) <= width for line in opened)
        assert screen.composer.region.right == width
