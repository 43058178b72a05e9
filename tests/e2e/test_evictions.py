"""More devices of a user than may be connected: two stay away, and none of them comes back to end another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
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
        evicted, staying = told[:TOO_MANY], told[TOO_MANY:]
        await until(lambda: all(_losses(one) for one in evicted), "the oldest two are told")
        # Whoever came back at once has done so before all of this is over.
        device = connect(bob)
        for text in ("one", "two", "three"):
            await asyncio.to_thread(device.ask, "send", to=alice, text=text)
            async with _more_messages(device, alice):
                await until(lambda text=text: all(_texts(one)[-1:] == [text] for one in staying), f"all show {text}")  # type: ignore[misc]
        assert [chat.is_connected for chat in chats] == [False] * TOO_MANY + [True] * MAX_CONNECTIONS
        losses = [_losses(one) for one in told]
        assert [len(one) for one in losses] == [1] * TOO_MANY + [0] * MAX_CONNECTIONS
        for (loss,) in losses[:TOO_MANY]:
            assert "another device has connected" in loss.reason
            assert loss.retry_in >= AWAY_SECONDS


def _losses(told: list[Event]) -> list[Disconnected]:
    return [event for event in told if isinstance(event, Disconnected)]


def _changes(told: list[dict[str, Any]]) -> str:
    """What became of the connections, a line each, for whoever reads of a failure."""
    return "".join(f"\n{one}" for one in told if one["event"] != "message")


@asynchronous
async def test_of_22_javascript_clients_20_stay_and_two_are_told(
    endpoint: Endpoint, secret: str, connect: Connect, alice: str, bob: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    assert process.stdin
    assert process.stdout
    told: list[dict[str, Any]] = []

    async def hear(is_enough: str, names: set[int]) -> None:
        """Reads on until each of the clients has told of it."""
        assert process.stdout
        left = names - {one["client"] for one in told if one["event"] == is_enough}
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while left:
                    told.append(json.loads(await process.stdout.readline()))
                    if is_enough in (told[-1]["event"], told[-1].get("text")):
                        left.discard(told[-1]["client"])
        except TimeoutError:
            raise AssertionError(f"{left} told of no {is_enough!r}: {_changes(told)}") from None

    try:
        url = f"{endpoint.url}?token={token(secret, alice)}"
        for number in range(DEVICES):
            process.stdin.write(json.dumps({"url": url, "patienceMs": HANG_SECONDS * 1_000}).encode() + b"\n")
            await hear("connected", {number})
        await hear("disconnected", set(range(TOO_MANY)))
        device = connect(bob)
        for text in ("one", "two", "three"):
            await asyncio.to_thread(device.ask, "send", to=alice, text=text)
            async with _more_messages(device, alice):
                await hear(text, set(range(TOO_MANY, DEVICES)))
        losses = [one for one in told if one["event"] == "disconnected"]
        assert sorted(one["client"] for one in losses) == list(range(TOO_MANY)), _changes(told)
        assert [one["client"] for one in told if one["event"] == "connected"] == list(range(DEVICES))
        for loss in losses:
            assert "another device has connected" in loss["reason"]
            assert loss["retryInMs"] >= AWAY_SECONDS * 1_000
    finally:
        process.stdin.close()
        await process.wait()
