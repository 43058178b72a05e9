"""More devices of a user than may be connected: two are told to stay away, and do; 20 stay, or come back.

Telling is a push, which is given half a second. On a busy machine it may fail: then that device comes back, and the
next oldest goes in its place. So which two stay away is not certain, but that there are two is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from chat.sessions import MAX_CONNECTIONS
from local.deployment import Endpoint, token
from local.emulator import clean_environment
from parley import Chat, Disconnected, Event, Message
from tests.asynchronous import asynchronous, until
from tests.conftest import Connect
from tests.hang import HANG_SECONDS
from tests.raw_connection import RawConnection

TOO_MANY = 2
DEVICES = MAX_CONNECTIONS + TOO_MANY
AWAY_SECONDS = 300  # as the `close` says
AGAIN_SECONDS, MORE = 3, "more"
SCRIPT = Path(__file__).with_name("many_clients.mjs")


@asynccontextmanager
async def _more_messages(device: RawConnection, to: str) -> AsyncIterator[None]:
    """Sends on and on meanwhile. A push that a device has not taken in half a second, it looks for at the next one."""
    over = asyncio.Event()

    async def send() -> None:
        waiting = asyncio.create_task(over.wait())
        while not (await asyncio.wait([waiting], timeout=AGAIN_SECONDS))[0]:
            await asyncio.to_thread(device.ask, "send", to=to, text=MORE)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        over.set()
        await sending


async def _follow(chat: Chat, told: list[Event]) -> None:
    async for event in chat:
        told.append(event)  # noqa: PERF401 - each as it comes


def _texts(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Message) and event.text != MORE]


@asynchronous
async def test_of_22_python_clients_20_stay_and_two_are_told(
    endpoint: Endpoint, secret: str, connect: Connect, alice: str, bob: str
) -> None:
    told: list[list[Event]] = [[] for _ in range(DEVICES)]
    async with AsyncExitStack() as stack:
        chats: list[Chat] = []
        for number in range(DEVICES):
            client = Chat.connect(endpoint.url, lambda: token(secret, alice), timeout=HANG_SECONDS)
            chat = await stack.enter_async_context(client)
            following = asyncio.create_task(_follow(chat, told[number]))
            stack.callback(following.cancel)
            chats.append(chat)

        def away() -> list[int]:
            return [number for number, one in enumerate(told) if not chats[number].is_connected and _was_told(one)]

        def staying() -> list[int]:
            return [number for number, chat in enumerate(chats) if chat.is_connected]

        await until(lambda: len(away()) == TOO_MANY and len(staying()) == MAX_CONNECTIONS, "two are told, 20 stay")
        gone = away()
        # Whoever came back at once has done so before all of this is over.
        device = connect(bob)
        for text in ("one", "two", "three"):
            await asyncio.to_thread(device.ask, "send", to=alice, text=text)
            async with _more_messages(device, alice):
                await until(
                    lambda text=text: all(_texts(told[number])[-1:] == [text] for number in staying()),  # type: ignore[misc]
                    f"all show {text}",
                )
        assert (away(), len(staying())) == (gone, MAX_CONNECTIONS)
        lost = [number for number, one in enumerate(told) if _losses(one)]
        assert lost == list(range(len(lost)))  # the oldest
        for number in gone:
            assert "another device has connected" in _losses(told[number])[-1].reason


def _was_told(told: list[Event]) -> bool:
    """Whether the last loss came with a `close` that says for how long to stay away."""
    losses = _losses(told)
    return bool(losses) and losses[-1].retry_in >= AWAY_SECONDS


def _losses(told: list[Event]) -> list[Disconnected]:
    return [event for event in told if isinstance(event, Disconnected)]


class JavaScriptClients:
    """Clients in a process of their own, and what they have told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._told: list[dict[str, Any]] = []

    def add(self, url: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"url": url, "patienceMs": HANG_SECONDS * 1_000}).encode() + b"\n")

    async def tell(self, what: str, is_enough: Callable[[], bool]) -> None:
        """Reads on until they have told of it."""
        assert self._process.stdout
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while not is_enough():
                    self._told.append(json.loads(await self._process.stdout.readline()))
        except TimeoutError:
            raise AssertionError(f"waited in vain: {what}{self.changes}") from None

    @property
    def last(self) -> dict[int, dict[str, Any]]:
        """The last that each has told of its connection."""
        return {one["client"]: one for one in self._told if one["event"] in ("connected", "disconnected")}

    @property
    def away(self) -> set[int]:
        return {number for number, one in self.last.items() if one.get("retryInMs", 0) >= AWAY_SECONDS * 1_000}

    @property
    def staying(self) -> set[int]:
        return {number for number, one in self.last.items() if one["event"] == "connected"}

    @property
    def lost(self) -> set[int]:
        return {one["client"] for one in self._told if one["event"] == "disconnected"}

    def showing(self, text: str) -> set[int]:
        return {one["client"] for one in self._told if one.get("text") == text}

    @property
    def changes(self) -> str:
        """What became of the connections, a line each, for whoever reads of a failure."""
        return "".join(f"\n{one}" for one in self._told if one["event"] != "message")


@asynchronous
async def test_of_22_javascript_clients_20_stay_and_two_are_told(
    endpoint: Endpoint, secret: str, connect: Connect, alice: str, bob: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    clients = JavaScriptClients(process)
    try:
        url = f"{endpoint.url}?token={token(secret, alice)}"
        for number in range(DEVICES):
            clients.add(url)
            await clients.tell(f"{number} is connected", lambda number=number: number in clients.staying)  # type: ignore[misc]
        await clients.tell(
            "two are told, 20 stay",
            lambda: len(clients.away) == TOO_MANY and len(clients.staying) == MAX_CONNECTIONS,
        )
        gone = clients.away
        device = connect(bob)
        for text in ("one", "two", "three"):
            await asyncio.to_thread(device.ask, "send", to=alice, text=text)
            async with _more_messages(device, alice):
                await clients.tell(f"all show {text}", lambda text=text: clients.staying <= clients.showing(text))  # type: ignore[misc]
        assert (clients.away, len(clients.staying)) == (gone, MAX_CONNECTIONS), clients.changes
        assert clients.lost == set(range(len(clients.lost))), clients.changes  # the oldest
        for number in gone:
            assert "another device has connected" in clients.last[number]["reason"]
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()
