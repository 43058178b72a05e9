"""The JavaScript client where its store fails, since there is no room, or takes its time. In Node.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from local.emulator import clean_environment

PROGRAM = Path(__file__).with_name("failing_store.mjs")


@pytest.mark.parametrize("how", ["throws", "rejects"])
def test_a_store_that_fails_stops_no_conversation_and_is_logged(how: str) -> None:
    done = subprocess.run(
        ["node", str(PROGRAM)],
        input=json.dumps({"how": how}),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "sent": [6, 7, 8],
        "receipts": [5],
        "pending": 0,
        "logged": ["parley: what is unsent could not be saved: Error: there is no room"],
    }


def test_a_store_that_is_busy_gets_the_newest_state_when_it_is_done() -> None:
    done = subprocess.run(
        ["node", str(PROGRAM.with_name("slow_store.mjs"))],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"whileBusy": [], "after": [["first", "second"]]}
