"""The JavaScript client where its store fails, since there is no room, or takes its time. In Node.js."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.node_program import report_of

FAILING, SLOW = (Path(__file__).with_name(name) for name in ("failing_store.mjs", "slow_store.mjs"))


@pytest.mark.parametrize("how", ["throws", "rejects"])
def test_a_store_that_fails_stops_no_conversation_and_is_logged(how: str) -> None:
    assert report_of(FAILING, {"how": how}) == {
        "sent": [6, 7, 8],
        "receipts": [5],
        "pending": 0,
        "logged": ["parley: what is unsent could not be saved: Error: there is no room"],
    }


def test_a_store_that_is_busy_gets_the_newest_state_when_it_is_done() -> None:
    assert report_of(SLOW) == {"whileBusy": [], "after": [["first", "second"]]}
