"""Taking messages back in the terminal client."""

from __future__ import annotations

from tests.asynchronous import asynchronous
from tests.terminal.screen import running
from tests.terminal.server import Server


@asynchronous
async def test_a_message_is_chosen_and_taken_back_by_keys(server: Server) -> None:
    server.store("alice", "bob", "regrettable")
    server.store("alice", "bob", "fine")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.press("ctrl+t")
        await screen.shows("Take a message back")
        await screen.press("down", "enter")
        await screen.shows("(message taken back)", "fine", "you: message taken back")
        await screen.hides("regrettable")
        assert [frame["seq"] for frame in server.sent("unsend")] == [1]


@asynchronous
async def test_what_the_other_one_takes_back_is_shown_so(server: Server) -> None:
    server.store("bob", "alice", "regrettable")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows("regrettable")
        server.push({"type": "message"} | server.store("bob", "alice", "") | {"unsends": 1})
        await screen.shows("(message taken back)")
        await screen.hides("regrettable")
        await screen.press("ctrl+t")
        await screen.shows("Nothing here to take back.")


@asynchronous
async def test_a_history_with_messages_that_were_taken_back_shows_them_so(server: Server) -> None:
    server.store("bob", "alice", "")["unsent"] = 1
    server.store("bob", "alice", "")["unsends"] = 1
    server.store("bob", "alice", "fine")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows("(message taken back)", "fine")
