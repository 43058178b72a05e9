"""What the terminal client says of its connection."""

from __future__ import annotations

from tests.asynchronous import asynchronous, until
from tests.terminal.screen import running
from tests.terminal.server import Server

CLOSE = {"type": "close", "code": "too_many_connections", "message": "another device has connected"}


@asynchronous
async def test_who_is_ended_for_another_device_is_told_so_and_comes_back_by_a_key(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        server.push({**CLOSE, "temporary": True, "retry_after_ms": 300_000})
        await screen.shows("another device has connected", "5 min", "Ctrl+R")
        banner = screen.app.screen.query_one("#banner")
        await screen.press("ctrl+r")
        await until(lambda: not banner.display)
        await screen.write("back again")
        await until(lambda: [frame["text"] for frame in server.sent("send")] == ["back again"])
