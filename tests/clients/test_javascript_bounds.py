"""What the JavaScript client keeps is bounded, however much comes. In Node.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.node_program import report_of

FLOOD = Path(__file__).with_name("bounds.mjs")
DEFAULTS = {
    "chats": 5_000,
    "ahead": 100,
    "aheadInAll": 1_000,
    "unsendsInAll": 1_000,
    "unsent": 1_000,
    "presences": 10_000,
    "messages": 200,
    "kept": 10_000,
    "shown": 1_000,
}
FEW_OF_ONE = {"ahead": 3, "unsent": 5, "messages": 10}
FEW = FEW_OF_ONE | {"chats": 20, "aheadInAll": 8, "unsendsInAll": 9, "presences": 7, "kept": 50}


@pytest.fixture(scope="module", params=[{}, FEW])
def flooded(request: pytest.FixtureRequest) -> tuple[dict[str, int], dict[str, Any]]:
    """The bounds, and what is kept."""
    return DEFAULTS | request.param, report_of(FLOOD, {"bounds": request.param})


def test_messages_are_bounded_and_more_of_them_are_kept_while_they_are_shown(flooded: Any) -> None:
    bounds, kept = flooded
    assert (kept["unopened"], kept["open"], kept["left"]) == (bounds["messages"], bounds["shown"], bounds["messages"])
    assert (kept["unread"], kept["hasOlder"], kept["latest"]) == (20_000, True, 25_000)


def test_messages_of_all_conversations_together_are_bounded_and_the_newest_are_kept(flooded: Any) -> None:
    bounds, kept = flooded
    assert kept["mostKept"] == bounds["kept"]
    assert kept["oldest"] == {"messages": 0, "hasOlder": True}
    assert kept["newest"] == bounds["messages"]
    assert kept["opened"] == "history"
    assert (kept["dropped"], kept["holed"]) == (0, {"messages": 0, "hasOlder": True})


def test_numbers_of_messages_that_were_taken_back_are_not_kept(flooded: Any) -> None:
    _, kept = flooded
    assert kept["takenBack"] == 0


def test_messages_that_wait_for_one_before_them_are_bounded(flooded: Any) -> None:
    bounds, kept = flooded
    assert kept["ahead"] == bounds["ahead"]


def test_what_many_strangers_have_wait_or_take_back_is_bounded_over_all(flooded: Any) -> None:
    bounds, kept = flooded
    assert kept["aheadInAll"] == bounds["aheadInAll"]
    assert kept["told"] == [1, 2, 3]  # what was one too many was fetched
    assert kept["unsendsInAll"] == bounds["unsendsInAll"]
    assert kept["unreadOfMany"] == bounds["unsendsInAll"]  # twice as many have come


def test_messages_that_wait_to_be_sent_are_bounded(flooded: Any) -> None:
    bounds, kept = flooded
    words = f"{bounds['unsent']:,} messages to bob wait to be sent. Wait for some of them first."
    assert kept["unsent"] == bounds["unsent"]
    assert kept["refused"] == {"after": bounds["unsent"], "is": "RangeError", "says": words}


def test_conversations_are_bounded_and_the_oldest_are_forgotten(flooded: Any) -> None:
    bounds, kept = flooded
    assert (kept["before"], kept["chats"]) == (bounds["chats"], 0.9 * bounds["chats"])
    assert kept["asked"] == ["sync"]


def test_presences_are_bounded(flooded: Any) -> None:
    bounds, kept = flooded
    assert kept["presences"] == bounds["presences"]
