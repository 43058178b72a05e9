"""End to end: from a `send` on one device to its arrival on another, over real sockets, with many pairs at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import boto3
from websockets.asyncio.client import connect

from bench import plots
from bench.functions import TEXT
from bench.measure import Section, percentile, table
from local.deployment import STATE, deploy, deployed_secret, local_secret, token
from local.emulator import emulator
from parley import Chat, Message

PAIRS = (1, 10, 50)
SECONDS = 6
SETTLE_SECONDS = 1  # the first round of a level opens workers and connections
OPEN_SECONDS = 30
PERCENTS = (50, 95, 99)
EVENTS = ("none", "undelivered")
_users = itertools.count(int(time.time()))

Exchange: TypeAlias = Callable[[], Awaitable[float]]
"""Seconds that one took."""


@dataclass(frozen=True, slots=True)
class Level:
    """What a number of pairs saw: milliseconds of each exchange, and how many there were a second."""

    pairs: int
    milliseconds: Sequence[float]
    rate: float

    def figures(self) -> tuple[str, ...]:
        return (*(f"{percentile(self.milliseconds, percent):.1f}" for percent in PERCENTS), f"{self.rate:.0f}")


def run() -> Section:
    with emulator(STATE / "bench") as running:
        endpoint = deploy(running, "throttlingRate=10000", "throttlingBurst=5000", "userRate=10000")
        sends, pings = measure(endpoint.url, local_secret(endpoint))
    away = {events: _acknowledged(events) for events in EVENTS}
    text = f"""\
On the emulator, all on this machine: it serves one frame of a connection and one invocation of a function at a time on
its sockets, so more pairs wait in its queue. Its own share is what `ping` takes, which reaches the same function but
neither table nor push. The emulator stands in for API Gateway, Lambda and DynamoDB, so no figure includes their times.
Messages go from one Python client (`clients/python`) to another, whose own time is included. The levels run one
after another, {SECONDS} s each, first all sends, then all pings.

{_table(sends, pings)}

From the `send` of one client to its acknowledgement, where the recipient is away, without and with the event that says
so (`events`, see [events.md](events.md)); where a device takes the message, nothing of it differs:

{table(["events", *(f"p{percent}, ms" for percent in PERCENTS), "messages a second"], _rows(away))}
"""
    return Section("End to end on the emulator", text, (), {"latency": _plot(sends, pings)})


def _acknowledged(events: str) -> Level:
    """What a client waits for the acknowledgement of a message to somebody who is away."""
    with emulator(STATE / f"bench-{events}") as running:
        endpoint = deploy(running, f"events={events}", "userRate=10000")
        return asyncio.run(_level(endpoint.url, local_secret(endpoint), 1, _writing))


def _rows(away: Mapping[str, Level]) -> list[tuple[str, ...]]:
    return [(f"`{events}`", *level.figures()) for events, level in away.items()]


def run_deployed(url: str, stack: str) -> Section:
    """The same against a deployment."""
    sends, pings = measure(url, deployed_secret(stack))
    text = f"""\
Against the stack {stack} in {boto3.Session().region_name}, from this machine; so every
figure includes the way there and back. The levels run one after another, {SECONDS} s each, first all sends, then all
pings. `ping` reaches the same function but neither table nor push.

{_table(sends, pings)}
"""
    return Section("End to end on AWS", text, (), {"latency-aws": _plot(sends, pings)})


def measure(url: str, secret: str) -> tuple[list[Level], list[Level]]:
    """Sends and pings, at each number of pairs."""
    sends = [asyncio.run(_level(url, secret, pairs, _talking)) for pairs in PAIRS]
    pings = [asyncio.run(_level(url, secret, pairs, _pinging)) for pairs in PAIRS]
    return sends, pings


async def _talking(stack: AsyncExitStack, url: str, secret: str) -> Exchange:
    """A pair: from the send of one to the arrival at the other. Receipts back are not sent."""
    sender, receiver = (f"bench-{next(_users)}" for _ in range(2))
    one, other = [
        await stack.enter_async_context(
            Chat.connect(url, token(secret, user), send_delivered=False, timeout=OPEN_SECONDS)
        )
        for user in (sender, receiver)
    ]
    await other.send(sender, TEXT)  # a stranger's message is acknowledged later, by intent

    async def exchange() -> float:
        started = time.perf_counter()
        sending = asyncio.ensure_future(one.send(receiver, TEXT))
        while not (isinstance(event := await anext(other), Message) and event.sender == sender):
            pass  # presence, and what it has sent itself
        elapsed = time.perf_counter() - started
        await sending
        return elapsed

    return exchange


async def _writing(stack: AsyncExitStack, url: str, secret: str) -> Exchange:
    """A user whose messages nobody takes: from the send to its acknowledgement."""
    sender, receiver = (f"bench-{next(_users)}" for _ in range(2))
    async with Chat.connect(url, token(secret, receiver), timeout=OPEN_SECONDS) as other:
        await other.send(sender, TEXT)  # so that the two are no strangers
    chat = await stack.enter_async_context(Chat.connect(url, token(secret, sender), timeout=OPEN_SECONDS))

    async def exchange() -> float:
        started = time.perf_counter()
        await chat.send(receiver, TEXT)
        return time.perf_counter() - started

    return exchange


async def _pinging(stack: AsyncExitStack, url: str, secret: str) -> Exchange:
    """A connection: from a ping to its pong."""
    address = f"{url}?token={token(secret, f'bench-{next(_users)}')}"
    socket = await stack.enter_async_context(connect(address, open_timeout=OPEN_SECONDS, ping_interval=None))

    async def exchange() -> float:
        started = time.perf_counter()
        await socket.send('{"action":"ping"}')
        await socket.recv()
        return time.perf_counter() - started

    return exchange


async def _level(
    url: str, secret: str, pairs: int, opener: Callable[[AsyncExitStack, str, str], Awaitable[Exchange]]
) -> Level:
    async with AsyncExitStack() as stack:
        opened = [await opener(stack, url, secret) for _ in range(pairs)]
        await asyncio.gather(*(_exchanges(exchange, SETTLE_SECONDS) for exchange in opened))
        started = time.perf_counter()
        results = await asyncio.gather(*(_exchanges(exchange, SECONDS) for exchange in opened))
        elapsed = time.perf_counter() - started
    seconds = [one for result in results for one in result]
    return Level(pairs, [one * 1_000 for one in seconds], len(seconds) / elapsed)


async def _exchanges(exchange: Exchange, seconds: float) -> list[float]:
    """One after another for that long; each pair waits for its own."""
    found = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        found.append(await exchange())
    return found


def _table(sends: Sequence[Level], pings: Sequence[Level]) -> str:
    header = ["pairs", *(f"send p{percent}, ms" for percent in PERCENTS), "messages a second"]
    header += [*(f"ping p{percent}, ms" for percent in PERCENTS), "pings a second"]
    return table(header, [(one.pairs, *one.figures(), *echo.figures()) for one, echo in zip(sends, pings, strict=True)])


def _plot(sends: Sequence[Level], pings: Sequence[Level]) -> partial[None]:
    series = {f"send p{percent}": _points(sends, percent) for percent in (50, 99)}
    series |= {"ping p50": _points(pings, 50)}
    title = "From send to arrival, by pairs that talk at once"
    return partial(plots.lines, title=title, x="pairs", y="ms", series=series, log_y=True)


def _points(levels: Sequence[Level], percent: int) -> dict[int, float]:
    return {level.pairs: percentile(level.milliseconds, percent) for level in levels}
