"""Drives the JavaScript client in Node.js: `node.mjs` carries out the steps."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from local.emulator import clean_environment
from tests.clients.behaviours import Case


def outcomes(cases: list[Case]) -> dict[str, str | None]:
    """What is wrong with each case, by its name: None where nothing is."""
    done = subprocess.run(
        ["node", str(Path(__file__).with_suffix(".mjs"))],
        input=json.dumps([case.as_json() for case in cases]),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    return found
