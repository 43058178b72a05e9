"""A warm function in a process of its own, from any asset: serves sends, and prints the milliseconds that one takes, of
CPU on average, and from the event to the end of the handler in the middle.

Each send is to one user or, if it is told so, each to another one: a function of before remembers conversations.
"""

import importlib
import itertools
import json
import os
import statistics
import sys
import time

WARM_UP, SENDS = 20, 120

_, asset, event_text, to_others = sys.argv

sys.path.insert(0, asset)
output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - it ends with the process
handler = importlib.import_module("message").handler
event, numbers = json.loads(event_text), itertools.count(1)
frame = json.loads(event["body"])


def serve(times: int) -> list[float]:
    """Milliseconds of each."""
    spent = []
    for number in itertools.islice(numbers, times):
        to = f"bob-{number}" if to_others else "bob"
        body = json.dumps({**frame, "id": f"{number:032d}", "to": to})
        started = time.perf_counter()
        response = handler({**event, "body": body}, None)
        spent.append((time.perf_counter() - started) * 1_000)
        if json.loads(response["body"]).get("delivered") != 1:
            sys.exit(f"the handler did not push: {response}")
    return spent


serve(WARM_UP)
started = time.process_time()
middle = statistics.median(serve(SENDS))
print((time.process_time() - started) * 1_000 / SENDS, middle, file=output)
