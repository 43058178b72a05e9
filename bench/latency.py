"""End to end: from a `send` on one device to its arrival on another, over real sockets, with many pairs at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import boto3
from websockets.asyncio.client import connect

from bench import plots
from bench.functions import TEXT
from bench.measure import Section, percentile, table
from bench.on_emulator import Api
from local.deployment import STATE, deploy, deployed_secret, local_secret, token
from local.emulator import emulator
from parley import Chat, Message

PAIRS = (1, 10, 50)
SECONDS, TURNS = 5, 2
SETTLE_SECONDS = 1  # the first round of a level opens workers and connections
OPEN_SECONDS = 30
PERCENTS = (50, 95, 99)
EVENTS = ("none", "undelivered")
SEND, BEHIND, PING = "send", "send, pushed behind the moves as before", "ping"
_users = itertools.count(int(time.time()))

Exchange: TypeAlias = Callable[[], Awaitable[float]]
"""Seconds that one took."""

Way: TypeAlias = Callable[[], AbstractContextManager[None]]
"""How the deployment serves a frame while it is in the context."""

AS_DEPLOYED: Way = nullcontext


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
        api = Api(endpoint)
        api.add_behind()
        levels = measure(endpoint.url, local_secret(endpoint), {SEND: AS_DEPLOYED, BEHIND: api.behind})
    away = {events: _acknowledged(events) for events in EVENTS}
    text = f"""\
On the emulator, all on this machine: it serves one frame of a connection and one invocation of a function at a time on
its sockets, so more pairs wait in its queue. Its own share is what `ping` takes, which reaches the same function but
neither table nor push. The emulator stands in for API Gateway, Lambda and DynamoDB, so no figure includes their times.
Messages go from one Python client (`clients/python`) to another, whose own time is included. The levels run one
after another, {SECONDS} s each: first all sends, on the same connections in turns with the order of before
(`bench/behind.py`), then all pings.

{_table(levels)}

From the `send` of one client to its acknowledgement, where the recipient is away, without and with the event that says
so (`events`, see [events.md](events.md)); where a device takes the message, nothing of it differs:

{table(["events", *(f"p{percent}, ms" for percent in PERCENTS), "messages a second"], _rows(away))}
"""
    return Section("End to end on the emulator", text, (), {"latency": _plot(levels)})


def _acknowledged(events: str) -> Level:
    """What a client waits for the acknowledgement of a message to somebody who is away."""
    with emulator(STATE / f"bench-{events}") as running:
        endpoint = deploy(running, f"events={events}", "userRate=10000")
        return asyncio.run(_level(endpoint.url, local_secret(endpoint), 1, _writing, {SEND: AS_DEPLOYED}))[SEND]


def _rows(away: Mapping[str, Level]) -> list[tuple[str, ...]]:
    return [(f"`{events}`", *level.figures()) for events, level in away.items()]


def run_deployed(url: str, stack: str) -> Section:
    """The same against a deployment."""
    levels = measure(url, deployed_secret(stack), {SEND: AS_DEPLOYED})
    text = f"""\
Against the stack {stack} in {boto3.Session().region_name}, from this machine; so every
figure includes the way there and back. The levels run one after another, {SECONDS} s each, first all sends, then all
pings. `ping` reaches the same function but neither table nor push.

{_table(levels)}
"""
    return Section("End to end on AWS", text, (), {"latency-aws": _plot(levels)})


def measure(url: str, secret: str, ways: Mapping[str, Way]) -> dict[str, list[Level]]:
    """Sends, in each of these ways, and pings; each at each number of pairs."""
    sends = [asyncio.run(_level(url, secret, pairs, _talking, ways)) for pairs in PAIRS]
    pings = [asyncio.run(_level(url, secret, pairs, _pinging, {PING: AS_DEPLOYED})) for pairs in PAIRS]
    return {name: [level[name] for level in levels] for levels in (sends, pings) for name in levels[0]}


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
    url: str,
    secret: str,
    pairs: int,
    opener: Callable[[AsyncExitStack, str, str], Awaitable[Exchange]],
    ways: Mapping[str, Way],
) -> dict[str, Level]:
    """The same pairs in each way, in turns."""
    milliseconds: dict[str, list[float]] = {name: [] for name in ways}
    elapsed = dict.fromkeys(ways, 0.0)
    async with AsyncExitStack() as stack:
        opened = [await opener(stack, url, secret) for _ in range(pairs)]
        for way in ways.values():
            with way():
                await asyncio.gather(*(_exchanges(exchange, SETTLE_SECONDS) for exchange in opened))
        for _ in range(TURNS):
            for name, way in ways.items():
                with way():
                    started = time.perf_counter()
                    results = await asyncio.gather(*(_exchanges(exchange, SECONDS / TURNS) for exchange in opened))
                    elapsed[name] += time.perf_counter() - started
                milliseconds[name] += [one * 1_000 for result in results for one in result]
    return {name: Level(pairs, found, len(found) / elapsed[name]) for name, found in milliseconds.items()}


async def _exchanges(exchange: Exchange, seconds: float) -> list[float]:
    """One after another for that long; each pair waits for its own."""
    found = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        found.append(await exchange())
    return found


def _table(levels: Mapping[str, Sequence[Level]]) -> str:
    header = ["", "pairs", *(f"p{percent}, ms" for percent in PERCENTS), "a second"]
    return table(header, [(name, one.pairs, *one.figures()) for name, found in levels.items() for one in found])


def _plot(levels: Mapping[str, Sequence[Level]]) -> partial[None]:
    series = {f"{name} p50": _points(found, 50) for name, found in levels.items()}
    series[f"{SEND} p99"] = _points(levels[SEND], 99)
    title = "From send to arrival, by pairs that talk at once"
    return partial(plots.lines, title=title, x="pairs", y="ms", series=series, log_y=True)


def _points(levels: Sequence[Level], percent: int) -> dict[int, float]:
    return {level.pairs: percentile(level.milliseconds, percent) for level in levels}
