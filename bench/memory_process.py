"""A warm function in a process of its own: the milliseconds that its sends and its fan-outs take."""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from bench.functions import environment, event, imported, running_in
from chat.clock import now_ms
from chat.sessions import Connection

SENDS, FAN_OUTS, CONNECTIONS = 40, 5, 100


def main(url: str) -> None:
    output = sys.stdout
    with running_in(environment(url, f"{url}/stage")):
        message = imported("message")
        numbers = itertools.count(1)
        opened = [Connection("bob", f"bob-{number}", now_ms() - 90_000) for number in range(CONNECTIONS)]

        def send() -> None:
            message.handler(event(next(numbers)), None)

        fan_out = partial(message._routes._delivery.push, opened, {"type": "message", "text": "x" * 100})
        for warm_up in (send, fan_out):
            warm_up()
        found = {"send": _median(send, SENDS), "fan_out": _median(fan_out, FAN_OUTS)}
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
