"""What methods of both clients throw, as docs/clients.md says. JavaScript's in Node.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.drivers.core import Driver
from tests.clients.node_program import report_of

PROGRAM = Path(__file__).with_name("errors.mjs")
ASKED = ("block", "unblock", "unsend", "older", "askPresence", "askPresence of 100")
TOO_MANY = {"is": "Refused", "code": "bad_request", "says": "Ask for the presence of 1 to 100 users at a time."}


@pytest.fixture(scope="module")
def thrown() -> Any:
    return report_of(PROGRAM)


def test_what_the_server_refuses_is_thrown(thrown: Any) -> None:
    refused = {"is": "Refused", "code": "forbidden", "says": "no"}
    assert {name: thrown["connected"][name] for name in ASKED} == dict.fromkeys(ASKED, refused)


def test_what_is_asked_without_a_connection_is_lost(thrown: Any) -> None:
    lost = {"is": "Lost", "code": None, "says": "the connection was lost"}
    assert {name: thrown["offline"][name] for name in ASKED} == dict.fromkeys(ASKED, lost)


@pytest.mark.parametrize("when", ["connected", "offline"])
def test_what_no_server_could_take_is_refused_at_once(thrown: Any, when: str) -> None:
    found = thrown[when]
    assert found["markRead of nothing"] == {
        "is": "RangeError",
        "code": None,
        "says": "The conversation with bob has no message 4.",
    }
    assert [found[name]["code"] for name in ("typing to nobody", "watch of a string")] == ["bad_request", "bad_request"]
    assert found["block of oneself"]["is"] == "RangeError"
    assert found["askPresence of 101"] == found["askPresence of nobody"] == TOO_MANY


@pytest.mark.parametrize("when", ["connected", "offline"])
def test_what_waits_for_no_answer_is_taken_offline_too(thrown: Any, when: str) -> None:
    taken = ("send", "retry", "markRead", "typing", "watch")
    assert {name: thrown[when][name] for name in taken} == dict.fromkeys(taken)


def test_every_call_says_that_the_client_has_ended(thrown: Any) -> None:
    """In Python, too: see test_parley.py."""
    calls = thrown["connected"]
    stopped = {"is": "Closed", "code": None, "says": "This client was stopped. Make another one, with its store."}
    assert thrown["stopped"] == dict.fromkeys(calls, stopped)
    assert thrown["refused"] == dict.fromkeys(calls, stopped | {"says": "You are barred."})


def test_what_waits_for_an_answer_hears_that_the_client_has_ended(thrown: Any) -> None:
    assert {one["is"] for one in thrown["waiting"].values()} == {"Closed"}


@pytest.mark.parametrize("count", [0, 101])
def test_python_asks_for_as_many_presences_and_no_more(count: int) -> None:
    driver = Driver()
    driver.start()
    driver.session.ask_presence([*(f"user{number}" for number in range(100)), "user0"])
    with pytest.raises(ValueError, match="ask for the presence of 1 to 100 users at a time"):
        driver.session.ask_presence(f"user{number}" for number in range(count))
