"""A function's cold start, in a fresh process: imports a handler, and lets it serve an event if there is one.

It prints the milliseconds of CPU since the process began and the clock, once at the end. `-c` code takes the place of
the handler where the SDK alone is measured.
"""

import importlib
import json
import os
import sys
import time

_, asset, module, event = sys.argv

sys.path.insert(0, asset)
output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - it ends with the process
if module.startswith("-c "):
    exec(module[3:])  # noqa: S102 - the bench's own words
elif module:
    handler = importlib.import_module(module).handler
    if event:
        response = handler(json.loads(event), None)
        if json.loads(response["body"]).get("delivered") != 1:
            sys.exit(f"the handler did not push: {response}")
print(time.process_time() * 1_000, time.perf_counter() * 1_000, file=output, flush=True)
os._exit(0)  # what an interpreter does at its end is no part of a start
