"""When the JavaScript client sends receipts. In Node.js, by a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

from tests.clients.node_program import report_of

PROGRAM = Path(__file__).with_name("receipts.mjs")


def test_receipts_of_messages_that_come_together_go_out_together_however_many_come() -> None:
    reported = report_of(PROGRAM)
    # A receipt for every second message, none of which waits for a pause; the last does not wait at all.
    every_second = [{"at": at, "seq": 3 + (at - 200) // 150} for at in range(200, 1_951, 300)]
    assert reported == [*every_second, {"at": 1_950, "seq": 15}]
