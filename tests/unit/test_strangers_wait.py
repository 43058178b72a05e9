"""How long a message to a stranger takes says nothing of the stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import message
import pytest

from chat import budget as budget_module
from chat.budget import Budget, budget
from chat.delivery import Pushed
from chat.protocol import Block, Frame, Request, Send, Unsend
from chat.routes import STRANGERS_STEP_MS
from chat.sessions import OPENING_MS, Connection
from tests.unit.system import RecordingBus, System

CALL_MS = 5
PUSH_MS = 40

HI = Send("m1", "bob", "hi")


class Timed(NamedTuple):
    """What somebody can measure from the frame on, in milliseconds: when its other device and when itself is told."""

    carbon: int | None
    reply: int


class Timing:
    """A system whose calls take time, all of it on one clock, one after the other."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.carbons: list[int] = []
        system.restart(bus=RecordingBus(lambda _: system.clock.advance(PUSH_MS)), wait=system.clock.advance)
        push = system.gateway.push

        def slow_push(connection_id: str, data: bytes) -> Pushed:
            if connection_id.startswith("alice"):
                self.carbons.append(system.clock.now)
            else:
                system.clock.advance(PUSH_MS)
            return push(connection_id, data)

        system.gateway.push = slow_push  # type: ignore[method-assign]

    def connect(self, user: str, devices: int) -> list[Connection]:
        return [self.system.connect(user, str(number)) for number in range(devices)]

    def measure(self, caller: Connection, request: Request) -> tuple[Timed, Frame]:
        began, self.carbons = self.system.clock.now, []
        self.system.before = lambda _: self.system.clock.advance(CALL_MS)
        reply = self.system.serve(caller, request)
        self.system.before = lambda _: None
        carbon = self.carbons[0] - began if self.carbons else None
        return Timed(carbon, self.system.clock.now - began), {**reply, "ts": None}


@pytest.fixture
def timing(system: System) -> Timing:
    return Timing(system)


def never_was(timing: Timing) -> None:
    """Nobody has ever connected as bob."""


def is_away(timing: Timing) -> None:
    (bob,) = timing.connect("bob", 1)
    timing.system.sessions.disconnect(bob)


def has_three_devices(timing: Timing) -> None:
    timing.connect("bob", 3)


def has_three_devices_and_has_blocked_somebody(timing: Timing) -> None:
    bob, *_ = timing.connect("bob", 3)
    timing.system.serve(bob, Block(None, "mallory"))


def has_three_devices_and_has_blocked_alice(timing: Timing) -> None:
    bob, *_ = timing.connect("bob", 3)
    timing.system.serve(bob, Block(None, "alice"))


def has_just_gone(timing: Timing) -> None:
    """Without a `$disconnect`: the push finds it out."""
    (bob,) = timing.connect("bob", 1)
    timing.system.gateway.answers[bob.id] = Pushed.GONE
    timing.system.clock.advance(OPENING_MS + 1)


STRANGERS: list[Callable[[Timing], None]] = [
    never_was,
    is_away,
    has_three_devices,
    has_three_devices_and_has_blocked_somebody,
    has_three_devices_and_has_blocked_alice,
    has_just_gone,
]


@pytest.mark.parametrize("bob", STRANGERS)
@pytest.mark.parametrize(
    ("devices", "expected"),
    [(1, Timed(None, STRANGERS_STEP_MS)), (2, Timed(STRANGERS_STEP_MS, 2 * STRANGERS_STEP_MS))],
    ids=["one device", "two devices"],
)
def test_a_stranger_s_message_takes_as_long_whoever_it_is_for(
    timing: Timing, bob: Callable[[Timing], None], devices: int, expected: Timed
) -> None:
    bob(timing)
    alice, *_ = timing.connect("alice", devices)

    sent, repeated, taken_back = (timing.measure(alice, request) for request in (HI, HI, Unsend("u", "bob", 1)))

    assert (sent[0], repeated[0], taken_back[0]) == (expected, expected, expected)
    ack = {"type": "ack", "id": "m1", "to": "bob", "seq": 1, "ts": None, "expires": sent[1]["expires"], "delivered": 0}
    assert (sent[1], repeated[1]) == ({**ack, "duplicate": False}, {**ack, "duplicate": True})


def test_who_knows_each_other_does_not_wait(timing: Timing) -> None:
    timing.system.acquaint("alice", "bob")
    (alice,) = timing.connect("alice", 1)

    assert timing.measure(alice, HI)[0].reply < STRANGERS_STEP_MS
    assert timing.measure(alice, Send("m2", "alice", "a note"))[0].reply < STRANGERS_STEP_MS


def test_the_answer_that_acquaints_two_does_not_wait(timing: Timing) -> None:
    (alice,), (bob,) = timing.connect("alice", 1), timing.connect("bob", 1)
    timing.system.serve(alice, HI)

    assert timing.measure(bob, Send("m2", "alice", "hello"))[0].reply < STRANGERS_STEP_MS


def test_who_is_blocked_does_not_notice_by_having_to_wait(timing: Timing) -> None:
    timing.system.restart(wait=timing.system.clock.advance)  # a bus is told of nothing that is hidden
    timing.system.acquaint("alice", "bob")
    (alice,), (bob,) = timing.connect("alice", 1), timing.connect("bob", 1)
    timing.system.serve(alice, HI)
    timing.system.sessions.disconnect(bob)
    away, _ = timing.measure(alice, Send("m2", "bob", "are you there?"))
    timing.connect("bob", 3)
    timing.system.serve(bob, Block(None, "alice"))

    blocked, _ = timing.measure(alice, Send("m3", "bob", "still there?"))

    assert blocked == away
    assert away.reply < STRANGERS_STEP_MS


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    class Time:
        @staticmethod
        def monotonic() -> float:
            return sum(slept)

        sleep = staticmethod(slept.append)

    monkeypatch.setattr(budget_module, "time", Time)
    return slept


def test_nobody_waits_beyond_the_time_of_the_event(seconds: list[float]) -> None:
    ends = Budget()
    ends.begin(0.6)

    for _ in range(5):
        ends.wait(STRANGERS_STEP_MS)

    assert seconds == [0.25, 0.25]


def test_the_deployed_function_waits() -> None:
    assert message._routes._wait == budget.wait
