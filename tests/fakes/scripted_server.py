"""A chat server whose every handshake and frame the test answers, one by one, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.clients.behaviours.notation import SERVER_TIME, Fields, sync_reply
from tests.hang import HANG_SECONDS


class ScriptedServer:
    """A server whose handshakes and frames the test answers, one by one. Connections are numbered from 1."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.frames: list[tuple[int, Fields]] = []
        self.links: dict[int, ServerConnection] = {}
        self.ended: set[int] = set()
        self._handshakes: asyncio.Queue[asyncio.Future[int | None]] = asyncio.Queue()
        self._news = asyncio.Condition()

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        decision: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._handshakes.put_nowait(decision)
        status = await decision
        return None if status is None else connection.respond(status, "")

    async def handle(self, connection: ServerConnection) -> None:
        number = len(self.links) + 1
        await self._tell(lambda: self.links.update({number: connection}))
        try:
            async for text in connection:
                frame = json.loads(text)
                if frame.get("users") == ["nobody"]:  # a question that the cases leave for `in_step`
                    await connection.send(json.dumps({"type": "presence", "id": frame["id"], "users": []}))
                else:
                    await self._tell(lambda frame=frame: self.frames.append((number, frame)))  # type: ignore[misc]
        except ConnectionClosed:
            pass
        await self._tell(lambda: self.ended.add(number))

    async def _tell(self, change: Callable[[], object]) -> None:
        async with self._news:
            change()
            self._news.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG_SECONDS), self._news:
            await self._news.wait_for(condition)

    async def decide(self, status: int | None) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            decision = await self._handshakes.get()
        decision.set_result(status)

    async def accept(self) -> int:
        number = len(self.links) + 1
        await self.decide(None)
        await self.until(lambda: number in self.links)
        return number

    async def reply(self, frame: Fields | str, number: int | None = None) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.links[number or len(self.links)].send(text)

    async def take(self, action: str) -> Fields:
        """The oldest frame of this action that was not used up, once there is one."""
        await self.until(lambda: any(frame["action"] == action for _, frame in self.frames))
        found = next(one for one in self.frames if one[1]["action"] == action)
        self.frames.remove(found)
        return found[1]

    async def start(self, chats: list[Fields] | None = None) -> None:
        """Accepts the client and answers its first sync."""
        await self.accept()
        await self.reply(sync_reply((await self.take("sync"))["id"], chats or [], SERVER_TIME))


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    async with serve(
        server.handle,
        "127.0.0.1",
        0,
        process_request=server.process_request,
        select_subprotocol=lambda _, offered: offered[0] if offered else None,
        close_timeout=1,
        ping_interval=None,
    ) as listener:
        server.url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/dev"
        yield server
