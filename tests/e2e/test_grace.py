"""A departure waits in a queue: it is told when its grace is over, and not of who is back by then."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from local.deployment import OWN_SETTINGS, Endpoint
from local.emulator import Emulator
from local.shop import nobody_looks
from tests.conftest import Connect
from tests.hang import until

GRACE_SECONDS = next(int(one.removeprefix("graceSeconds=")) for one in OWN_SETTINGS if "graceSeconds=" in one)


def _lines(running: Emulator, user: str) -> list[dict[str, Any]]:
    """What the functions have logged of the user."""
    written = running.function_log.read_text()
    lines = [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("user") == user]


def _departures(running: Emulator, user: str) -> list[str]:
    """What the announcement function says that it did with departures of the user."""
    told = ("announcement", "announcement not needed")
    lines = _lines(running, user)
    return [line["message"] for line in lines if line["message"] in told and line.get("online") is not True]


def _is_departure(user: str, frame: Any) -> bool:
    users = frame["users"] if frame["type"] == "presence" and "id" not in frame else []
    return any(one["user"] == user and not one["online"] for one in users)


@pytest.mark.usefixtures("acquainted")
def test_a_departure_is_told_when_the_grace_is_over(running: Emulator, connect: Connect, alice: str, bob: str) -> None:
    watcher, phone = connect(alice), connect(bob)
    watcher.ask("send", to=bob, text="hi")

    began = time.monotonic()
    phone.close()

    (told,) = watcher.wait_for(lambda frame: _is_departure(bob, frame), "bob's departure")["users"]
    (asked,) = watcher.ask("presence", users=[bob])["users"]
    assert asked == told
    assert time.monotonic() - began >= GRACE_SECONDS, "a machine that is busy only makes it later"
    until(lambda: _departures(running, bob) == ["announcement"])


@pytest.mark.usefixtures("acquainted")
def test_who_is_back_by_then_never_went(
    running: Emulator, endpoint: Endpoint, connect: Connect, alice: str, bob: str
) -> None:
    watcher, phone = connect(alice), connect(bob)
    watcher.ask("send", to=bob, text="hi")

    with nobody_looks(endpoint, at_departures=True):  # however slow the machine is, bob is back by then
        phone.close()
        until(lambda: any(line.get("event") == "DISCONNECT" for line in _lines(running, bob)))
        laptop = connect(bob)
    until(lambda: _departures(running, bob))

    assert _departures(running, bob) == ["announcement not needed"]
    assert laptop.ask("ping")["type"] == "pong"
    (asked,) = watcher.ask("presence", users=[bob])["users"]
    assert asked["online"] is True
    assert not any(_is_departure(bob, frame) for frame in watcher.arrived())
