"""The web page's store of what is unsent, in Node.js, on a `localStorage` that may be damaged or full."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.emulator import clean_environment
from tests.hang import HANG_SECONDS

DRIVER = Path(__file__).with_name("queue_store.mjs")
SCOPE = "wss://parley.test/dev alice"
NOTHING: dict[str, Any] = {"outbox": [], "reads": {}}
UNSENT: dict[str, Any] = {"outbox": [{"id": "m1", "to": "bob", "text": "hi", "ts": 1}], "reads": {"bob": 5}}


def opened(entries: dict[str, str], unsent: dict[str, Any], *, is_full: bool = False, lacks: str = "") -> Any:
    """What a new tab has adopted and what is left, if it finds these entries and then saves what is unsent; None if
    it has no store."""
    done = subprocess.run(
        ["node", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(DRIVER)],
        input=json.dumps({"scope": SCOPE, "entries": entries, "unsent": unsent, "is_full": is_full, "lacks": lacks}),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_what_other_tabs_have_left_is_adopted_once_and_taken_away() -> None:
    others = {f"parley {SCOPE} {tab}": json.dumps(UNSENT | {"reads": {"bob": tab}}) for tab in (1, 2)}
    foreign = {"parley wss://parley.test/dev bob 1": json.dumps(UNSENT), "theme": "dark"}
    found = opened(others | foreign, NOTHING)
    assert [state["reads"]["bob"] for state in found["adopted"]] == [1, 2]
    assert sorted(found["keys"]) == sorted(foreign)


@pytest.mark.parametrize("damaged", ["", "{", '{"outbox":[{"id":"m', "undefined", "\x00"])
def test_a_damaged_entry_is_removed_and_does_not_hide_the_others(damaged: str) -> None:
    entries = {f"parley {SCOPE} 1": damaged, f"parley {SCOPE} 2": json.dumps(UNSENT)}
    assert opened(entries, NOTHING) == {"adopted": [UNSENT], "left": [], "keys": []}


def test_what_is_unsent_is_saved_until_it_is_sent() -> None:
    found = opened({}, UNSENT)
    assert [json.loads(entry) for entry in found["left"]] == [UNSENT]
    assert found["keys"][0].startswith(f"parley {SCOPE} ")


def test_full_storage_does_not_prevent_sending() -> None:
    assert opened({}, UNSENT, is_full=True) == {"adopted": [], "left": [], "keys": []}


@pytest.mark.parametrize("lacks", ["permission", "storage", "locks"])
def test_a_browser_that_keeps_nothing_has_no_store(lacks: str) -> None:
    assert opened({}, UNSENT, lacks=lacks) is None
