"""Blocking in the terminal client."""

from __future__ import annotations

from tests.asynchronous import asynchronous, until
from tests.terminal.screen import running
from tests.terminal.server import Server


@asynchronous
async def test_a_user_is_blocked_and_unblocked_by_a_key(server: Server) -> None:
    server.store("bob", "alice", "buy my things")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.press("ctrl+b")
        await screen.shows("bob is blocked", "blocked (Ctrl+B unblocks)")
        await screen.write("stop it")
        await screen.shows("You have blocked this user")
        assert server.sent("send") == []
        await screen.press("ctrl+b")
        await screen.hides("blocked (Ctrl+B unblocks)")
        await screen.write("hello again")
        await until(lambda: [frame["text"] for frame in server.sent("send")] == ["hello again"])


@asynchronous
async def test_whom_one_has_blocked_is_in_the_list_also_without_a_message(server: Server) -> None:
    server.blocked.add("mallory")
    async with running(server) as screen:
        await screen.shows("mallory", "blocked")
