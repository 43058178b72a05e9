"""When the JavaScript client sends receipts. In Node.js, by a clock that the test moves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from local.emulator import clean_environment

PROGRAM = Path(__file__).with_name("receipts.mjs")


def test_receipts_of_messages_that_come_together_go_out_together_however_many_come() -> None:
    done = subprocess.run(["node", str(PROGRAM)], env=clean_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    reported = json.loads(done.stdout)
    # A receipt for every second message, none of which waits for a pause; the last does not wait at all.
    every_second = [{"at": at, "seq": 3 + (at - 200) // 150} for at in range(200, 1_951, 300)]
    assert reported == [*every_second, {"at": 1_950, "seq": 15}]
