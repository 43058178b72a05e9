"""What code makes a fresh process do: the modules it imports, the files it opens, the folders it lists, its CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.functions import NOWHERE, environment
from local.emulator import clean_environment
from tests.hang import HANG_SECONDS

PROGRAM = """\
import sys, time
opened, listed = [], 0
def audit(event, arguments):
    global listed
    if event == "open" and isinstance(arguments[0], str): opened.append(arguments[0])
    if event == "os.listdir": listed += 1
if len(sys.argv) > 3: sys.addaudithook(audit)
sys.path.insert(0, sys.argv[1])
exec(sys.argv[2])
milliseconds = time.process_time() * 1_000
import gc, json
collections = sum(generation["collections"] for generation in gc.get_stats())
done = {"modules": sorted(sys.modules), "opened": opened, "listed": listed, "milliseconds": milliseconds}
print(json.dumps({**done, "collections": collections}))
"""


@dataclass(frozen=True, slots=True)
class Done:
    modules: list[str]
    opened: list[str]
    listed: int
    milliseconds: float
    collections: int
    """How often the garbage collector looked for what can go."""


def run(code: str, asset: Path, *, audited: bool = True, alone: bool = False) -> Done:
    """Runs the code in a process of its own, with the functions' environment and this asset.

    `alone` hides what this environment has installed, as on Lambda.
    """
    hidden = ["-S"] if alone else []
    command = [sys.executable, *hidden, "-c", PROGRAM, str(asset), code, *(["audited"] if audited else [])]
    variables = {**clean_environment(), **environment(NOWHERE, NOWHERE)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables, timeout=HANG_SECONDS)
    return Done(**json.loads(done.stdout))
