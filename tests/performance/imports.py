"""What code makes a fresh process do: the modules it imports, the files it reads, the folders it lists, its calls."""

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
import os, sys
opened, listed, calls = [], 0, 0
def audit(event, arguments):
    global listed
    if event == "open" and isinstance(arguments[0], str): opened.append(arguments[0])
    if event == "os.listdir": listed += 1
def profile(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")
sys.path.insert(0, sys.argv[1])
sys.addaudithook(audit)
if len(sys.argv) > 3: sys.setprofile(profile)
exec(sys.argv[2])
sys.setprofile(None)
import gc, json
collections = sum(generation["collections"] for generation in gc.get_stats())
read = sum(os.path.getsize(path) for path in {*opened} if os.path.isfile(path))
done = {"modules": sorted(sys.modules), "opened": opened, "listed": listed, "collections": collections}
print(json.dumps({**done, "read": read, "calls": calls}))
"""


@dataclass(frozen=True, slots=True)
class Done:
    modules: list[str]
    opened: list[str]
    listed: int
    collections: int
    """How often the garbage collector looked for what can go."""
    read: int
    """The bytes of the files it opened."""
    calls: int
    """Of functions, Python's own among them; 0 unless it is profiled."""


def run(code: str, asset: Path, *, alone: bool = False, profiled: bool = False) -> Done:
    """Runs the code in a process of its own, with the functions' environment and this asset.

    `alone` hides what this environment has installed, as on Lambda. `profiled` counts the calls.
    """
    hidden = ["-S"] if alone else []
    command = [sys.executable, *hidden, "-c", PROGRAM, str(asset), code, *(["profiled"] if profiled else [])]
    variables = {**clean_environment(), **environment(NOWHERE, NOWHERE)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables, timeout=HANG_SECONDS)
    return Done(**json.loads(done.stdout))
