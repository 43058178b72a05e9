"""The functions' log as `make chat` shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.journal import HOLD, Journal, describe

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def line(seconds: float, **fields: object) -> str:
    timestamp = (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"timestamp": timestamp, "level": "INFO", "message": "frame", "action": "ping"} | fields) + "\n"


def test_events_are_shown_in_the_order_in_which_they_happened() -> None:
    journal = Journal()
    for seconds in (3.0, 1.0, 2.0):
        journal.take(line(seconds, user=f"user-{seconds}"))
    assert list(journal.due(NOON + timedelta(seconds=1) + HOLD - timedelta(milliseconds=1))) == []
    shown = list(journal.due(NOON + timedelta(seconds=2) + HOLD))
    assert [text.split()[1] for text in shown] == ["user-1.0", "user-2.0"]
    assert [text.split()[1] for text in journal.rest()] == ["user-3.0"]


def test_events_of_one_moment_stay_in_the_order_in_which_they_came() -> None:
    journal = Journal()
    for number in range(5):
        journal.take(line(1, user=f"user-{number}"))
    assert [text.split()[1] for text in journal.rest()] == [f"user-{number}" for number in range(5)]


@pytest.mark.parametrize(
    "text", ["", "\n", "DeprecationWarning: old\n", "[]\n", "null\n", "1\n", '{"message": "x"}\n', '{"timestamp": 1}\n']
)
def test_anything_but_an_event_is_left_out(text: str) -> None:
    journal = Journal()
    journal.take(text)
    assert list(journal.rest()) == []


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            {
                "message": "frame",
                "action": "send",
                "user": "alice",
                "duration_ms": 8.1,
                "taken": 2,
                "gone": 0,
                "failed": 0,
            },
            "alice             send -> 2 connections (8.1 ms)",
        ),
        (
            {"message": "frame", "action": "send", "user": "alice", "taken": 1, "gone": 1, "failed": 0},
            "alice             send -> 1 connection gone=1",
        ),
        (
            {"message": "frame", "user": "alice", "code": "bad_request", "level": "WARN"},
            "alice             WARN an invalid frame code=bad_request",
        ),
        (
            {"message": "connection", "event": "CONNECT", "user": "bob", "connection": "x"},
            "bob               connected",
        ),
        ({"message": "connection", "event": "DISCONNECT", "user": "bob"}, "bob               disconnected"),
        (
            {"message": "announcement", "user": "bob", "online": False, "taken": 3, "gone": 0, "failed": 0},
            "bob               announced offline -> 3 connections",
        ),
        (
            {"message": "handshake refused", "level": "WARN", "reason": "the token is not valid"},
            "-                 WARN handshake refused reason=the token is not valid",
        ),
        ({"message": "x\x1b[2J", "user": "bob\u202e"}, "bob�              x�[2J"),
    ],
)
def test_an_event_is_one_line_that_can_be_read(event: dict[str, object], shown: str) -> None:
    assert describe({"level": "INFO"} | event) == shown
