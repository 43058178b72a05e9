"""From the send of one to its arrival at the other, on the emulator, beside samples of chats, all in turns."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection, connect

from bench import plots
from bench.functions import TEXT
from bench.instance import create_table
from bench.measure import Limit, Section, medians, percentile, table
from bench.on_emulator import BEHIND, ELSEWHERE, SEND, Api
from chat.table import SESSIONS, sessions_key
from local.deployment import STATE, Endpoint, deploy, local_client, local_secret, token
from local.emulator import emulator
from tools.dynamodb_local import dynamodb_local

ROUNDS, WARM_UP = 120, 15
OPEN_SECONDS = 30
PERCENTS = (50, 95)
ALICE, BOB = "alice", "bob"
UNSTORED, ONE_DEVICE, STORED = "unstored", "one-device", "stored"

UNSTORED_ELSEWHERE, STORED_ELSEWHERE = "unstored-elsewhere", "stored-elsewhere"

SIDES = {
    SEND: "ours",
    BEHIND: "ours, pushed behind the moves as before",
    UNSTORED: "two reads and a push, nothing stored",
    ONE_DEVICE: "the same, with one device for each user",
    STORED: "the plain baseline, which stores",
}
"""What each route leads to."""

WHAT_IT_DEPENDS_ON = "[what it depends on](#beside-samples)"

SIDES_ELSEWHERE = {
    ELSEWHERE: SIDES[SEND],
    UNSTORED_ELSEWHERE: SIDES[UNSTORED],
    STORED_ELSEWHERE: SIDES[STORED],
}
"""What leads to the same, with its tables in DynamoDB Local."""

SAMPLES = {UNSTORED: "unstored.handler", ONE_DEVICE: "unstored.one_device", STORED: "handler.handler"}
SAMPLES_ELSEWHERE = {UNSTORED_ELSEWHERE: SAMPLES[UNSTORED], STORED_ELSEWHERE: SAMPLES[STORED]}

Attributes: TypeAlias = Mapping[str, Any]
"""An item, as the SDK has it."""

_numbers = itertools.count(1)


def run() -> Section:
    with emulator(STATE / "bench-samples") as running, dynamodb_local() as elsewhere:
        endpoint = deploy(running, "throttlingRate=10000", "throttlingBurst=5000", "userRate=10000")
        taken = asyncio.run(_measured(endpoint, elsewhere))
    middle = medians(taken)
    ours = [SIDES[route] for route in (SEND, BEHIND)]
    values = {name: middle[route] for route, name in SIDES.items()}
    title = "From send to arrival on the emulator, ms"
    apart = middle[ELSEWHERE] / middle[UNSTORED_ELSEWHERE]
    in_turn = (
        "the emulator serves in turn what ours asks side by side; "
        f"with tables in a process of their own {apart:.2f} ({WHAT_IT_DEPENDS_ON})"
    )
    return Section(
        "Beside samples",
        _text(_rows(taken, SIDES, SEND), _rows(taken, SIDES_ELSEWHERE, ELSEWHERE)),
        [
            Limit(f"send to arrival, × {SIDES[UNSTORED]}", middle[SEND] / middle[UNSTORED], 1, in_turn),
            Limit(
                "send to arrival, × the same with one device for each user",
                middle[SEND] / middle[ONE_DEVICE],
                1,
                WHAT_IT_DEPENDS_ON,
            ),
        ],
        {"beside-samples": partial(plots.bars, title=title, values=values, ours=ours)},
    )


def _rows(taken: Mapping[str, Sequence[float]], sides: Mapping[str, str], ours: str) -> list[tuple[str, ...]]:
    middle = medians(taken)
    return [
        (
            name,
            *(f"{percentile(taken[route], percent):.1f}" for percent in PERCENTS),
            f"{middle[ours] / middle[route]:.2f}",
        )
        for route, name in sides.items()
    ]


def _text(rows: list[tuple[str, ...]], rows_elsewhere: list[tuple[str, ...]]) -> str:
    header = ["", *(f"p{percent}, ms" for percent in PERCENTS), "ours, × of it"]
    return f"""\
Milliseconds from the `send` of one user to its arrival at the other, over one pair of WebSockets, on one emulator, in
turns: {ROUNDS} of each after {WARM_UP} to warm up. Each has a route of the same API, and a function of its own. The
samples are what tutorials and public samples do, in Python as ours is (`bench/baseline/`): who is calling, who listens,
a push; and one that stores before it pushes. After each the sender sends a `ping`, so that nothing of one is left in
the next one's time.

{table(header, rows)}

The ratio depends on the table. The emulator is one process, table and all: calls that ours makes side by side wait
for each other there, and samples make theirs one after the other. In the same turns, the same functions have their
tables in DynamoDB Local, another process, which serves calls side by side; pushes go through the emulator as ever.
Calls are short in both, so their number counts, too: ours makes three before it pushes, one of them the write. With
calls of 5 ms, round trips count, and [both have two](#from-the-frame-to-the-push).

{table(header, rows_elsewhere)}
"""


async def _measured(endpoint: Endpoint, elsewhere: str) -> dict[str, list[float]]:
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
        _add_functions(endpoint, elsewhere)
        taken: dict[str, list[float]] = {route: [] for route in (*SIDES, *SIDES_ELSEWHERE)}
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


def _add_functions(endpoint: Endpoint, elsewhere: str) -> None:
    """The samples, our own order of before, and ours and samples once more with their tables elsewhere."""
    api, here = Api(endpoint), local_client("dynamodb", endpoint)
    there = local_client("dynamodb", replace(endpoint, endpoint_url=elsewhere))
    address = {"AWS_ENDPOINT_URL_DYNAMODB": elsewhere}
    items = here.scan(TableName=endpoint.table, ConsistentRead=True)["Items"]
    connections = _connections(items)
    api.add_behind()
    api.add_samples(SAMPLES, _tables_of_samples(here, connections))
    api.add_samples(SAMPLES_ELSEWHERE, {**_tables_of_samples(there, connections), **address})
    api.add_elsewhere({"TABLE_NAME": _table_with(there, items), **address})


def _connections(items: Sequence[Attributes]) -> list[Attributes]:
    """The connections that are open, as the samples store them."""
    sessions = {item["pk"]["S"]: item for item in items if item["sk"]["S"] == SESSIONS}
    rows: list[Attributes] = []
    for user in (ALICE, BOB):
        (id,) = (name.removeprefix("@") for name in sessions[sessions_key(user).pk] if name.startswith("@"))
        rows.append({"connectionId": {"S": id}, "userId": {"S": user}})
        rows.append({"connectionId": {"S": f"last of {user}"}, "last": {"S": id}})
    return rows


def _tables_of_samples(dynamodb: Any, connections: Sequence[Attributes]) -> dict[str, str]:
    """A table with the connections, and an empty one for messages."""
    return {
        "CONNECTIONS_TABLE": _table_with(dynamodb, connections, by_user_index=True),
        "TABLE_NAME": create_table(dynamodb),
    }


def _table_with(dynamodb: Any, items: Sequence[Attributes], *, by_user_index: bool = False) -> str:
    name = create_table(dynamodb, by_user_index=by_user_index)
    for item in items:
        dynamodb.put_item(TableName=name, Item=item)
    return name
