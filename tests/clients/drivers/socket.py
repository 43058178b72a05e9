"""Drives the whole Python client over real sockets, against a scripted server on loopback, with short intervals."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext

import pytest

import parley
from parley import Chat, Connected, Timing
from tests.clients.behaviours import Case
from tests.clients.behaviours.notation import Fields, Step
from tests.clients.drivers.names import Names, fields_of, pending_texts
from tests.fakes.scripted_server import ScriptedServer
from tests.hang import HANG_SECONDS

FAST = Timing(backoff_first=0.02, backoff_most=0.1, drain=1, close=1, receipts=0)


async def next_event(chat: Chat) -> parley.Event:
    async with asyncio.timeout(HANG_SECONDS):
        return await anext(chat)


async def entered(chat: Chat, server: ScriptedServer) -> Chat:
    """The chat, connected to the server."""
    _, chat = await asyncio.gather(server.start(), chat.__aenter__())
    assert await next_event(chat) == Connected("alice")
    return chat


class CaseDriver:
    """Carries out the steps of a case: a method for each kind."""

    def __init__(self, case: Case, server: ScriptedServer) -> None:
        self._case = case
        self._server = server
        self._names = Names()
        self._tokens = 0
        self._blocking: list[asyncio.Future[None]] = []
        self._chat = self._connect(case.saved)

    def _connect(self, state: Fields | None) -> Chat:
        return Chat.connect(
            self._server.url, self._fresh_token, timeout=None, timing=FAST, state=state, **self._case.options
        )

    def _fresh_token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    async def run(self) -> None:
        await self._chat.__aenter__()
        try:
            for number, step in enumerate([*self._case.steps, Step("quiet", {})]):
                try:
                    await getattr(self, f"on_{step.kind}")(**step.arguments)
                except Exception as error:
                    frames = self._server.frames
                    raise AssertionError(f"step {number}, {step}: {error!r}; frames left: {frames}") from error
        finally:
            await self._chat.close()
            await asyncio.gather(*self._blocking, return_exceptions=True)
        paths = [request.path for request in self._server.requests]
        assert paths == [f"/dev?token=token-{number}" for number in range(1, len(paths) + 1)]

    async def _in_step(self) -> None:
        """Waits until each side has got what the other has sent."""
        if self._chat.is_connected:
            async with asyncio.timeout(HANG_SECONDS):
                await self._chat.presence("nobody")

    async def on_accept(self) -> None:
        await self._server.accept()

    async def on_refuse(self, status: int) -> None:
        await self._server.decide(status)

    async def on_expect(self, frame: Fields, connection: int | None = None, within: float = 0) -> None:
        await self._server.until(lambda: self._found(frame, connection))

    def _found(self, fields: Fields, number: int | None) -> bool:
        for at, frame in self._server.frames:
            if number in (None, at) and self._names.matches(fields, frame):
                self._server.frames.remove((at, frame))
                return True
        return False

    async def on_reply(self, frame: Fields, connection: int | None = None) -> None:
        await self._server.reply(self._names.filled(frame), connection)

    async def on_raw(self, text: str, connection: int | None = None) -> None:
        await self._server.reply(text, connection)

    async def on_drop(self, connection: int) -> None:
        await self._in_step()
        self._server.links[connection].transport.abort()

    async def on_closed(self, connection: int) -> None:
        await self._server.until(lambda: connection in self._server.ended)

    async def on_event(self, event: Fields) -> None:
        told = await next_event(self._chat)
        assert self._names.matches(event, fields_of(told)), told

    async def on_pending(self, texts: list[str], peer: str) -> None:
        assert pending_texts(self._chat.chats, peer) == texts

    async def on_chats(self, peers: list[str]) -> None:
        await self._in_step()
        assert [one.peer for one in self._chat.chats] == peers

    async def on_total_unread(self, count: int) -> None:
        assert self._chat.unread == count

    async def on_wait(self, seconds: float) -> None:
        """What comes after it is waited for; that nothing comes before is shown with a clock that can be moved."""

    async def on_restart(self) -> None:
        await self._in_step()
        state = json.loads(json.dumps(self._chat.state))
        await self._chat.close()
        self._chat = self._connect(state)
        await self._chat.__aenter__()

    async def on_quiet(self) -> None:
        await self._in_step()
        assert self._server.frames == []
        event = asyncio.ensure_future(anext(self._chat))
        await asyncio.sleep(0)
        assert not event.done(), event.result()
        event.cancel()

    async def on_send(self, to: str, text: str, data: Fields | None = None) -> None:
        self._chat.post(to, text, data=data)

    async def on_read(self, peer: str, seq: int | None = None, *, fails: bool = False) -> None:
        with pytest.raises(ValueError, match="has no message") if fails else nullcontext():
            self._chat.read(peer, seq)

    async def on_block(self, user: str, *, blocked: bool) -> None:
        task = asyncio.ensure_future(self._chat.block(user) if blocked else self._chat.unblock(user))
        self._blocking.append(task)
        await asyncio.sleep(0)  # the frame is written before the next step

    async def on_unsend(self, peer: str, seq: int) -> None:
        self._blocking.append(asyncio.ensure_future(self._chat.unsend(peer, seq)))
        await asyncio.sleep(0)  # the frame is written before the next step

    async def on_last_text(self, text: str, peer: str) -> None:
        await self._in_step()
        assert [one.last_text for one in self._chat.chats if one.peer == peer] == [text]

    async def on_last_unsent(self, peer: str, *, unsent: bool) -> None:
        assert [one.last_unsent for one in self._chat.chats if one.peer == peer] == [unsent]

    async def on_last_has_data(self, peer: str, *, has_data: bool) -> None:
        assert [one.last_has_data for one in self._chat.chats if one.peer == peer] == [has_data]

    async def on_all_blocked(self, peers: list[str]) -> None:
        await self._in_step()
        assert self._chat.blocked == peers

    async def on_type(self, to: str, composing: bool) -> None:
        self._chat.typing(to, composing)

    async def on_watch(self, users: list[str] | None) -> None:
        self._chat.watch(users)
