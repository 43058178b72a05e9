"""Fan-out: one frame to many connections, each push 20 ms long, beside one after another."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import boto3

from bench import plots
from bench.before import ThroughAClient
from bench.functions import TEXT, environment, running_in
from bench.instance import OPENED_MS_AGO
from bench.measure import K, Limit, Section, interleave, table
from bench.stub import stub
from chat.api_gateway import ApiGateway
from chat.clock import now_ms
from chat.delivery import Delivery, Gateway
from chat.dynamo import DynamoTable
from chat.parallel import THREADS, Threads
from chat.sdk import client, session
from chat.sessions import Connection, Sessions

PUSH_MS = 20
FEW, MANY = (1, 10, 100), 1_000
ROUNDS, ROUNDS_OF_MANY = 9, 2  # many one after the other take half a minute
OURS, BEFORE, SEQUENTIAL = "ours", "through the SDK's client", "one after the other"
FRAME: dict[str, object] = {"type": "message", "from": "alice", "to": "bob", "seq": 1, "text": TEXT}


class Spent(NamedTuple):
    """Milliseconds."""

    wall: float
    cpu: float


def run() -> Section:
    with stub(push_ms=PUSH_MS) as url, running_in(environment(url, f"{url}/stage")):
        sessions = Sessions(DynamoTable(client("dynamodb"), "chat"), now_ms)
        gateways: list[Gateway] = [ApiGateway(session(), f"{url}/stage"), ThroughAClient()]
        now, before = (Delivery(one, sessions, clock=now_ms, parallel=Threads()) for one in gateways)
        plain: Any = boto3.client("apigatewaymanagementapi")

        def sides(count: int) -> dict[tuple[str, int], Callable[[], Spent]]:
            to = [_connection(number) for number in range(count)]
            ways: dict[str, Callable[[], object]] = {
                OURS: partial(now.push, to, FRAME),
                BEFORE: partial(before.push, to, FRAME),
                SEQUENTIAL: partial(_one_by_one, plain, to),
            }
            return {(side, count): partial(_spent, way) for side, way in ways.items()}

        few = {key: side for count in FEW for key, side in sides(count).items()}
        interleave(few, 1)  # opens the connections
        spent = _medians(interleave(few, ROUNDS) | interleave(sides(MANY), ROUNDS_OF_MANY))
    parallel, through_a_client, sequential = (
        {count: spent[side, count] for count in (*FEW, MANY)} for side in (OURS, BEFORE, SEQUENTIAL)
    )
    ratio = parallel[100].wall / parallel[1].wall
    processor = f"{parallel[100].cpu:.0f} of its {parallel[100].wall:.0f} ms are the processor's"
    series = {OURS: _walls(parallel), BEFORE: _walls(through_a_client), SEQUENTIAL: _walls(sequential)}
    title = f"Pushing a frame to many connections, {PUSH_MS} ms a push"
    draw = partial(plots.lines, title=title, x="connections", y="wall, ms", series=series, log_y=True)
    return Section(
        "Fan-out",
        _text(parallel, through_a_client, sequential),
        [Limit("fan-out of 100, × one push", ratio, 5, processor)],
        {"fan-out": draw},
    )


def _connection(number: int) -> Connection:
    return Connection("bob", f"bob-{number}", now_ms() - OPENED_MS_AGO)


def _one_by_one(plain: Any, connections: list[Connection]) -> None:
    for connection in connections:
        plain.post_to_connection(ConnectionId=connection.id, Data=b"x" * 100)


def _medians(results: Mapping[K, Sequence[Spent]]) -> dict[K, Spent]:
    return {key: Spent(*map(statistics.median, zip(*runs, strict=True))) for key, runs in results.items()}


def _spent(work: Callable[[], object]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent((time.perf_counter() - wall) * 1_000, (time.process_time() - cpu) * 1_000)


def _walls(spent: dict[int, Spent]) -> dict[int, float]:
    return {count: one.wall for count, one in spent.items()}


def _text(parallel: dict[int, Spent], before: dict[int, Spent], sequential: dict[int, Spent]) -> str:
    rows = [
        (
            f"{count:,}",
            f"{parallel[count].wall:.0f}",
            f"{parallel[count].cpu:.0f}",
            f"{before[count].wall:.0f}",
            f"{before[count].cpu:.0f}",
            f"{sequential[count].wall:.0f}",
            f"{sequential[count].cpu:.0f}",
            f"{parallel[count].wall / parallel[1].wall:.1f}",
        )
        for count in parallel
    ]
    ways = ("", "through a client ", "sequential ")
    header = ["connections", *(f"{way}{unit}" for way in ways for unit in ("wall, ms", "CPU, ms")), "× one push"]
    return f"""\
A frame to *n* connections, against a stub that takes {PUSH_MS} ms to answer a push; medians of {ROUNDS}, of
{ROUNDS_OF_MANY} for {MANY:,}, all sides interleaved, after one to warm up. Ours pushes {THREADS} at a time, over as
many kept connections. So did the functions through a client of the SDK's, tuned, before pushes were signed and sent
without one; sequential is untuned boto3.

{table(header, rows)}
"""
