"""The metric filters that are deployed, on the lines that the deployed functions write."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websockets.exceptions

from local.deployment import Endpoint, local_client
from local.emulator import Emulator
from tests.conftest import Connect
from tests.filter_pattern import matcher
from tests.hang import until
from tests.raw_connection import raw_connection


def _patterns(endpoint: Endpoint) -> dict[str, set[str]]:
    """The patterns of each metric, as they were deployed."""
    patterns: dict[str, set[str]] = {}
    for one in local_client("logs", endpoint).describe_metric_filters()["metricFilters"]:
        patterns.setdefault(one["metricTransformations"][0]["metricName"], set()).add(one["filterPattern"])
    return patterns


def _lines(running: Emulator, start: int) -> list[dict[str, Any]]:
    written = running.function_log.read_text()[start:]
    return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines() if line.startswith("{")]


def test_what_happens_is_counted(connect: Connect, running: Emulator, endpoint: Endpoint, alice: str, bob: str) -> None:
    start = len(running.function_log.read_text())
    patterns = _patterns(endpoint)
    sender, receiver = connect(alice), connect(bob)
    for _ in range(2):
        sender.ask("send", to=bob, text="hi", id="same")
    sender.say("no frame")
    sender.receive(type="error")
    receiver.close()
    with pytest.raises(websockets.exceptions.InvalidStatus), raw_connection(f"{endpoint.url}?token=none"):
        pass

    def counts() -> dict[str, int]:
        ours = [line for line in _lines(running, start) if line.get("user", alice) in (alice, bob)]
        return {name: sum(matcher(one)(line) for one in them for line in ours) for name, them in patterns.items()}

    until(lambda: counts()["WentOffline"] == 1 and counts()["HandshakesRefused"] == 1)
    found = counts()
    assert found.pop("Deliveries") >= 1
    assert found.pop("Announcements") >= 3
    assert found == {
        "HandshakesAllowed": 2,
        "HandshakesRefused": 1,
        "HandshakesRefusedByReason": 1,
        "Messages": 1,
        "Duplicates": 1,
        "Errors": 1,
        "WentOffline": 1,
        "ConnectionFailures": 0,
        "ConnectionLimits": 0,
        "AppendConflicts": 0,
        "HandshakesLimited": 0,
        "FramesLimited": 0,
        "UsersBarred": 0,
        "GoneConnections": 0,
        "FailedPushes": 0,
        "AnnouncementFailures": 0,
        "PruneFailures": 0,
    }
