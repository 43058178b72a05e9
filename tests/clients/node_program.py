"""A program in Node.js that uses the JavaScript client, and reports in JSON what it found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from local.emulator import clean_environment


def report_of(program: Path, question: object = None) -> Any:
    """What the program reports, with the question on its standard input in JSON. It must end well, and silently."""
    done = subprocess.run(
        ["node", str(program)],
        input=json.dumps(question),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
