"""What code makes a fresh process do: the modules it imports, the files it opens, the folders it lists, its CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from bench.functions import OURS, environment
from local.emulator import clean_environment

NOWHERE = "http://127.0.0.1:9/stage"

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
import json
print(json.dumps({"modules": sorted(sys.modules), "opened": opened, "listed": listed, "milliseconds": milliseconds}))
"""


@dataclass(frozen=True, slots=True)
class Done:
    modules: list[str]
    opened: list[str]
    listed: int
    milliseconds: float

    def files(self) -> set[str]:
        return {os.path.basename(path) for path in self.opened}


def run(code: str, *, audited: bool = True) -> Done:
    """Runs the code in a process of its own, with the functions' environment and folder."""
    command = [sys.executable, "-c", PROGRAM, str(OURS), code, *(["audited"] if audited else [])]
    variables = {**clean_environment(), **environment(NOWHERE, NOWHERE)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables, timeout=60)
    return Done(**json.loads(done.stdout))
