"""A warm function in a process of its own, from any asset: the milliseconds that its frames and its fan-outs take.

Each frame is for another user: a function of before remembers conversations.
"""

import importlib
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

TIMES, FAN_OUTS, CONNECTIONS = 30, 5, 100

_, asset, event_text, frames_text = sys.argv

sys.path.insert(0, asset)
output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - it ends with the process
message, sessions = importlib.import_module("message"), importlib.import_module("chat.sessions")
routes = getattr(message, "_ROUTES", None) or message._routes  # as it was called before, and is now
event, frames, numbers = json.loads(event_text), json.loads(frames_text), itertools.count(1)

opened_at = int(time.time() * 1_000) - 90_000
opened = [sessions.Connection("bob", f"bob-{number}", opened_at) for number in range(CONNECTIONS)]


def serve(frame: Mapping[str, object]) -> None:
    number = next(numbers)
    body = json.dumps({"id": f"{number:032d}", **frame}).replace("PEER", f"bob-{number}")
    response = message.handler({**event, "body": body}, None)
    if json.loads(response["body"])["type"] == "error":
        sys.exit(f"the handler refused: {response}")


def fan_out() -> None:
    if len(routes._delivery.push(opened, {"type": "message", "text": "x" * 100}).taken) < CONNECTIONS:
        sys.exit("the pushes were not taken")


def middle(work: Callable[[], None], times: int) -> float:
    """The median of them; one more, to warm up, is not counted."""
    spent = []
    for _ in range(times + 1):
        started = time.perf_counter()
        work()
        spent.append((time.perf_counter() - started) * 1_000)
    return statistics.median(spent[1:])


found = {name: middle(partial(serve, frame), TIMES) for name, frame in frames.items()}
print(json.dumps({**found, "fan_out": middle(fan_out, FAN_OUTS)}), file=output)
