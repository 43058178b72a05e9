"""A warm function in a process of its own, from any asset: serves sends, and prints the milliseconds of CPU of one.

Each send is to one user or, if it is told so, each to another one: a function of before remembers conversations.
"""

import importlib
import itertools
import json
import os
import sys
import time

WARM_UP, SENDS = 20, 120

_, asset, event_text, to_others = sys.argv

sys.path.insert(0, asset)
output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - it ends with the process
handler = importlib.import_module("message").handler
event, numbers = json.loads(event_text), itertools.count(1)
frame = json.loads(event["body"])


def serve(times: int) -> None:
    for number in itertools.islice(numbers, times):
        to = f"bob-{number}" if to_others else "bob"
        response = handler({**event, "body": json.dumps({**frame, "id": f"{number:032d}", "to": to})}, None)
        if json.loads(response["body"]).get("delivered") != 1:
            sys.exit(f"the handler did not push: {response}")


serve(WARM_UP)
started = time.process_time()
serve(SENDS)
print((time.process_time() - started) * 1_000 / SENDS, file=output)
