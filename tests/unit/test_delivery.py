"""Pushing: who takes a frame, who is forgotten, and that one failure is nobody else's."""

from __future__ import annotations

import pytest

from chat.delivery import Delivered, Pushed
from chat.protocol import UserPresence
from chat.sessions import OPENING_MS, Connection
from tests.fakes.clock import START, ManualClock
from tests.unit.system import System

FRAME: dict[str, object] = {"type": "typing", "text": "é"}


def live(system: System, user: str) -> set[str]:
    return {connection.id for connection in system.sessions.of([user])[user]}


def test_a_frame_is_pushed_as_raw_utf8(system: System) -> None:
    bob = system.connect("bob")

    delivered = system.delivery.push([bob], FRAME)

    assert delivered == Delivered((bob,), settled=frozenset([bob.id]))
    assert system.gateway.pushed == [(bob.id, '{"type":"typing","text":"é"}'.encode())]


def test_a_frame_to_nobody_is_pushed_to_nobody(system: System) -> None:
    assert system.delivery.push([], FRAME) == Delivered()


def test_who_is_gone_is_forgotten_and_no_other(system: System, clock: ManualClock) -> None:
    gone, failing, taking = (system.connect("bob", name) for name in ("gone", "failing", "taking"))
    other = system.connect("carol")
    clock.advance(OPENING_MS + 1)
    system.gateway.answers = {gone.id: Pushed.GONE, failing.id: Pushed.FAILED}

    delivered = system.delivery.push([gone, failing, taking, other], FRAME)

    settled = frozenset(one.id for one in (gone, failing, taking, other))
    assert delivered == Delivered((taking, other), gone=1, failed=1, settled=settled)
    assert live(system, "bob") == {failing.id, taking.id}
    assert live(system, "carol") == {other.id}


@pytest.mark.parametrize(("age_ms", "kept"), [(0, True), (OPENING_MS, True), (OPENING_MS + 1, False)])
def test_who_may_still_be_opening_is_kept_though_it_seems_gone(
    system: System, clock: ManualClock, age_ms: int, kept: bool
) -> None:
    """API Gateway answers 410 for a connection until its `$connect` has returned."""
    bob = system.connect("bob")
    clock.advance(age_ms)
    system.gateway.answers = {bob.id: Pushed.GONE}

    delivered = system.delivery.push([bob], FRAME)

    assert delivered.gone == 1
    assert live(system, "bob") == ({bob.id} if kept else set())


def test_age_is_that_of_when_the_push_was_made(
    system: System, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = system.connect("bob")
    clock.advance(OPENING_MS)

    def answers_late(_: str, data: bytes) -> Pushed:
        clock.advance(10_000)
        return Pushed.GONE

    monkeypatch.setattr(system.gateway, "push", answers_late)

    system.delivery.push([bob], FRAME)

    assert live(system, "bob") == {bob.id}


def test_the_last_connection_that_is_gone_takes_its_user_offline(system: System, clock: ManualClock) -> None:
    phone, laptop = system.connect("bob", "phone"), system.connect("bob", "laptop")
    seen = clock.now
    clock.advance(OPENING_MS + 1)
    system.gateway.answers = {phone.id: Pushed.GONE, laptop.id: Pushed.GONE}

    delivered = system.delivery.push([phone, laptop], FRAME)

    assert delivered.went_offline == (UserPresence("bob", False, seen, rev=START + 4),)


def test_one_whose_entry_another_has_pruned_goes_offline_once(system: System, clock: ManualClock) -> None:
    bob = system.connect("bob")
    clock.advance(OPENING_MS + 1)
    system.gateway.answers = {bob.id: Pushed.GONE}

    first, second = system.delivery.push([bob], FRAME), system.delivery.push([bob], FRAME)

    assert (len(first.went_offline), len(second.went_offline)) == (1, 0)


def test_only_ones_own_connections_are_counted() -> None:
    taken = (Connection("bob", "1", 0), Connection("bob", "2", 0), Connection("alice", "3", 0))

    assert Delivered(taken).taken_by("bob") == 2
