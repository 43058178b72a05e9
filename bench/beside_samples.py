"""From the send of one to its arrival at the other, on the emulator, beside samples of chats, all in turns."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench import plots
from bench.functions import TEXT
from bench.instance import create_table
from bench.measure import Limit, Section, medians, percentile, table
from bench.on_emulator import BEHIND, SEND, Api
from chat.table import sessions_key
from local.deployment import STATE, Endpoint, deploy, local_client, local_secret, token
from local.emulator import emulator

ROUNDS, WARM_UP = 120, 15
OPEN_SECONDS = 30
PERCENTS = (50, 95)
ALICE, BOB = "alice", "bob"
UNSTORED, ONE_DEVICE, STORED = "unstored", "one-device", "stored"

SIDES = {
    SEND: "ours",
    BEHIND: "ours, pushed behind the moves as before",
    UNSTORED: "two reads and a push, nothing stored",
    ONE_DEVICE: "the same, with one device for each user",
    STORED: "the plain baseline, which stores",
}
"""What each route leads to."""

IN_TURN = "the emulator serves in turn what ours asks side by side; [in process](#from-the-frame-to-the-push)"

SAMPLES = {UNSTORED: "unstored.handler", ONE_DEVICE: "unstored.one_device", STORED: "handler.handler"}

_numbers = itertools.count(1)


def run() -> Section:
    with emulator(STATE / "bench-samples") as running:
        endpoint = deploy(running, "throttlingRate=10000", "throttlingBurst=5000", "userRate=10000")
        taken = asyncio.run(_measured(endpoint))
    middle = medians(taken)
    rows = [
        (
            name,
            *(f"{percentile(taken[route], percent):.1f}" for percent in PERCENTS),
            f"{middle[SEND] / middle[route]:.2f}",
        )
        for route, name in SIDES.items()
    ]
    ours = [SIDES[route] for route in (SEND, BEHIND)]
    values = {name: middle[route] for route, name in SIDES.items()}
    title = "From send to arrival on the emulator, ms"
    return Section(
        "Beside samples",
        _text(rows),
        [
            Limit(f"send to arrival, × {SIDES[UNSTORED]}", middle[SEND] / middle[UNSTORED], 1, IN_TURN),
            Limit("send to arrival, × these with one device a user", middle[SEND] / middle[ONE_DEVICE], 1, IN_TURN),
        ],
        {"beside-samples": partial(plots.bars, title=title, values=values, ours=ours)},
    )


def _text(rows: list[tuple[str, ...]]) -> str:
    return f"""\
Milliseconds from the `send` of one user to its arrival at the other, over one pair of WebSockets, on one emulator, in
turns: {ROUNDS} of each after {WARM_UP} to warm up. Each has a route of the same API, and a function of its own. The
samples are what tutorials and public samples do, in Python as ours is (`bench/baseline/`): who is calling, who listens,
a push; and one that stores before it pushes. After each the sender sends a `ping`, so that nothing of one is left in
the next one's time. The emulator is one process: calls that ours makes side by side wait for each other there.

{table(["", *(f"p{percent}, ms" for percent in PERCENTS), "ours, × of it"], rows)}
"""


async def _measured(endpoint: Endpoint) -> dict[str, list[float]]:
    """Milliseconds of each exchange, by route."""
    async with AsyncExitStack() as stack:
        secret = local_secret(endpoint)
        alice, bob = [
            await stack.enter_async_context(
                connect(f"{endpoint.url}?token={token(secret, user)}", open_timeout=OPEN_SECONDS, ping_interval=None)
            )
            for user in (ALICE, BOB)
        ]
        await _exchange(bob, alice, SEND, ALICE)  # so that the two are no strangers
        _add_functions(endpoint)
        taken: dict[str, list[float]] = {route: [] for route in SIDES}
        for number in range(WARM_UP + ROUNDS):
            for route, found in taken.items():
                milliseconds = await _exchange(alice, bob, route, BOB)
                if number >= WARM_UP:
                    found.append(milliseconds)
        return taken


async def _exchange(sender: ClientConnection, receiver: ClientConnection, route: str, to: str) -> float:
    number = next(_numbers)
    text = f"{TEXT} {number}"
    started = time.perf_counter()
    await sender.send(json.dumps({"action": route, "id": f"{number:032d}", "to": to, "text": text}))
    await _until(receiver, lambda frame: frame.get("text") == text)
    elapsed = (time.perf_counter() - started) * 1_000
    await sender.send(json.dumps({"action": "ping", "id": f"after {number}"}))
    await _until(sender, lambda frame: frame.get("id") == f"after {number}")
    return elapsed


async def _until(socket: ClientConnection, is_it: Callable[[Mapping[str, Any]], bool]) -> None:
    while not is_it(json.loads(await socket.recv())):
        pass  # presence, and acknowledgements


def _add_functions(endpoint: Endpoint) -> None:
    """The samples, with the connections that are open in a table of theirs, and our own order of before."""
    dynamodb = local_client("dynamodb", endpoint)
    connections, stored = create_table(dynamodb, by_user_index=True), create_table(dynamodb)
    for user in (ALICE, BOB):
        key = {name: {"S": value} for name, value in sessions_key(user)._asdict().items()}
        sessions = dynamodb.get_item(TableName=endpoint.table, Key=key, ConsistentRead=True)["Item"]
        (id,) = (name.removeprefix("@") for name in sessions if name.startswith("@"))
        row = {"connectionId": {"S": id}, "userId": {"S": user}}
        last = {"connectionId": {"S": f"last of {user}"}, "last": {"S": id}}
        for item in (row, last):
            dynamodb.put_item(TableName=connections, Item=item)
    api = Api(endpoint)
    api.add_samples(SAMPLES, {"CONNECTIONS_TABLE": connections, "TABLE_NAME": stored})
    api.add_behind()
