"""A warm function in a process of its own: the milliseconds that its frames and its fan-outs take."""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.functions import TEXT, environment, event, imported, running_in
from chat.clock import now_ms
from chat.sessions import Connection

TIMES, FAN_OUTS, CONNECTIONS = 30, 5, 100
FRAMES: dict[str, dict[str, Any]] = {
    "ping": {"action": "ping"},
    "presence": {"action": "presence", "users": ["bob"]},
    "receipt": {"action": "receipt", "peer": "bob", "kind": "read", "seq": 8},
    "send": {"action": "send", "to": "bob", "text": TEXT},
}


def main(url: str) -> None:
    output = sys.stdout
    with running_in(environment(url, f"{url}/stage")):
        message = imported("message")
        numbers = itertools.count(1)
        opened = [Connection("bob", f"bob-{number}", now_ms() - 90_000) for number in range(CONNECTIONS)]

        def serve(frame: dict[str, Any]) -> None:
            message.handler(event(next(numbers), **frame), None)

        fan_out = partial(message._routes._delivery.push, opened, {"type": "message", "text": "x" * 100})
        frames = {name: partial(serve, frame) for name, frame in FRAMES.items()}
        for warm_up in (*frames.values(), fan_out):
            warm_up()
        found = {name: _median(one, TIMES) for name, one in frames.items()} | {"fan_out": _median(fan_out, FAN_OUTS)}
    print(json.dumps(found), file=output)


def _median(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append((time.perf_counter() - started) * 1_000)
    return statistics.median(spent)


if __name__ == "__main__":
    main(sys.argv[1])
