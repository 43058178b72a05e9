"""What a coming and a going cost. What they store is in the contract tests."""

from __future__ import annotations

from chat.sessions import MAX_CONNECTION_MS, MAX_CONNECTIONS, Connection, connections
from tests.fakes.clock import ManualClock
from tests.unit.system import System


def test_coming_going_and_looking_are_one_call_each(system: System) -> None:
    alice = system.connect("alice")
    system.sessions.of(["alice", "bob"])
    system.sessions.presence(["alice", "bob"])
    system.sessions.disconnect("alice", alice.id)

    assert system.steps == ["update", "get", "get", "update"]


def test_sweeping_out_the_dead_is_a_second_call(system: System, clock: ManualClock) -> None:
    system.connect("alice", "dead")
    clock.advance(MAX_CONNECTION_MS)
    system.steps.clear()

    system.connect("alice", "live")
    system.connect("alice", "another")

    assert system.steps == ["update", "update", "update"]


def test_the_cap_counts_the_living_only(system: System, clock: ManualClock) -> None:
    for number in range(MAX_CONNECTIONS):
        system.connect("alice", f"dead-{number}")
    clock.advance(MAX_CONNECTION_MS)

    change = system.sessions.connect(Connection("alice", "live=", clock.now))

    assert change.evicted == ()


def test_only_entries_are_connections() -> None:
    item: dict[str, str | int] = {
        "pk": "USER#alice",
        "sk": "SESSIONS",
        "rev": 3,
        "last_seen": 5,
        "@phone=": 10,
        "@odd=": "10",
    }

    assert connections("alice", item, 10) == [Connection("alice", "phone=", 10)]
