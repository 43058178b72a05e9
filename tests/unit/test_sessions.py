"""What an arrival and a departure cost. What they store is in the contract tests."""

from __future__ import annotations

from uuid import UUID

from chat.sessions import MAX_CONNECTION_MS, MAX_CONNECTIONS, Connection, connections
from tests.fakes.clock import ManualClock
from tests.unit.system import System

WRITE_UNIT_BYTES = 1_024


def test_an_arrival_a_departure_and_a_look_are_one_call_each(system: System) -> None:
    alice = system.connect("alice")
    system.sessions.of(["alice", "bob"])
    system.sessions.presence(["alice", "bob"])
    system.sessions.disconnect(alice)

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
        "@laptop=": "11-20",
        "@odd=": "10",
        "@odder=": "10-",
        "@oddest=": "10-20-30",
        "@digits=": "\N{ARABIC-INDIC DIGIT ONE}-20",
    }

    live = [Connection("alice", "phone=", 10), Connection("alice", "laptop=", 11, expires_at=20)]
    assert connections("alice", item, 10) == live


def test_as_many_connections_as_a_user_may_have_are_written_for_one_unit(system: System) -> None:
    """A write is billed by the KB. DynamoDB counts the bytes of names and strings, and at most 21 for a number."""
    user, now = str(UUID(int=0)), system.clock.now
    for number in range(MAX_CONNECTIONS):
        system.sessions.connect(Connection(user, f"L0SM9cOFvHcCI{number:02}=", now, now + MAX_CONNECTION_MS))

    (item,) = system.table.items.values()
    size = sum(len(name) + (len(value) if isinstance(value, str) else 21) for name, value in item.items())
    assert size <= WRITE_UNIT_BYTES
