"""Who has left and may return, over every kind of table: what those who ask hear, and what is told."""

from __future__ import annotations

import pytest

from chat.protocol import UserPresence
from chat.sessions import LEFT_AT, MAX_CONNECTION_MS, Connection, Sessions
from chat.table import Table, Update, sessions_key
from tests.fakes.clock import RETENTION_MS, START, ManualClock

GRACE_MS = 60_000
SECOND_MS = 1_000


@pytest.fixture
def sessions(table: Table, clock: ManualClock) -> Sessions:
    return Sessions(table, clock, retention_ms=RETENTION_MS, grace_ms=GRACE_MS)


def connection(clock: ManualClock, device: str = "phone=", expires_in: int | None = None) -> Connection:
    return Connection("alice", device, clock.now, None if expires_in is None else clock.now + expires_in)


def left(sessions: Sessions, clock: ManualClock) -> UserPresence:
    """Alice comes, and leaves a second later. What is to be told of that."""
    phone = connection(clock)
    assert sessions.connect(phone).went_online_or_offline
    clock.advance(SECOND_MS)
    change = sessions.disconnect(phone)
    assert change is not None
    assert change.may_return
    assert change.went_online_or_offline
    return change.presence


def leaves_at_once(sessions: Sessions, phone: Connection) -> None:
    """The last connection ends, and that is told without a grace."""
    change = sessions.disconnect(phone)
    assert change is not None
    assert change.went_online_or_offline
    assert not change.may_return
    assert not shown(sessions).online


def shown(sessions: Sessions) -> UserPresence:
    (presence,) = sessions.shown(["alice"])
    return presence


def test_who_has_left_is_shown_as_before_for_all_of_the_grace(sessions: Sessions, clock: ManualClock) -> None:
    gone = left(sessions, clock)
    assert gone == UserPresence("alice", online=False, last_seen=clock.now, rev=START + 2)

    clock.advance(59 * SECOND_MS)
    assert shown(sessions) == gone._replace(online=True, rev=gone.rev - 1)
    clock.advance(SECOND_MS)
    assert shown(sessions) == gone
    assert sessions.of(["alice"]) == {"alice": []}, "nothing is pushed to who is not there"


@pytest.mark.parametrize(("seconds", "is_told"), [(1, False), (49, False), (50, True), (61, True)])
def test_a_return_is_told_once_somebody_may_have_heard_of_the_departure(
    sessions: Sessions, clock: ManualClock, seconds: int, is_told: bool
) -> None:
    departure = left(sessions, clock)
    clock.advance(seconds * SECOND_MS)

    change = sessions.connect(connection(clock, "laptop="))

    assert change.went_online_or_offline is is_told
    assert (change.presence.online, change.presence.rev) == (True, departure.rev + 1)
    assert sessions.still_gone(departure) is None


def test_a_departure_is_still_one_at_the_end_of_the_grace(sessions: Sessions, clock: ManualClock) -> None:
    departure = left(sessions, clock)
    clock.advance(GRACE_MS)

    assert sessions.still_gone(departure) == departure


def test_a_departure_that_is_told_says_what_is_true_by_then(sessions: Sessions, clock: ManualClock) -> None:
    departure = left(sessions, clock)
    newer = sessions.raise_rev("alice")
    clock.advance(GRACE_MS)

    assert sessions.still_gone(departure) == newer
    assert newer.rev > departure.rev


def test_who_came_and_went_again_has_another_grace(sessions: Sessions, clock: ManualClock) -> None:
    first = left(sessions, clock)
    clock.advance(30 * SECOND_MS)
    laptop = connection(clock, "laptop=")
    sessions.connect(laptop)
    clock.advance(10 * SECOND_MS)
    second = sessions.disconnect(laptop)
    assert second is not None
    assert second.may_return
    clock.advance(20 * SECOND_MS)

    assert sessions.still_gone(first) is None, "or a return within the second grace would have to be told"
    assert shown(sessions).online
    assert not sessions.connect(connection(clock, "phone=")).went_online_or_offline


def test_one_of_two_devices_that_leaves_begins_no_grace(sessions: Sessions, clock: ManualClock) -> None:
    phone, laptop = connection(clock), connection(clock, "laptop=")
    sessions.connect(phone)
    sessions.connect(laptop)

    change = sessions.disconnect(phone)

    assert change is not None
    assert not change.went_online_or_offline
    assert not change.may_return


def test_a_connection_that_is_found_gone_is_told_of_at_once_and_so_is_its_return(
    sessions: Sessions, clock: ManualClock
) -> None:
    phone, laptop = connection(clock), connection(clock, "laptop=")
    sessions.connect(phone)
    sessions.connect(laptop)
    sessions.disconnect(phone)  # which says when

    change = sessions.prune(laptop)

    assert change is not None
    assert change.went_online_or_offline
    assert not change.may_return
    assert not shown(sessions).online
    assert sessions.connect(phone).went_online_or_offline


@pytest.mark.parametrize("expires_in", [SECOND_MS, None])
def test_an_end_that_comes_late_begins_no_grace(sessions: Sessions, clock: ManualClock, expires_in: int | None) -> None:
    """Whoever asked before has heard that nobody is there."""
    phone = connection(clock, expires_in=expires_in)
    sessions.connect(phone)
    clock.advance(expires_in or MAX_CONNECTION_MS)
    assert not shown(sessions).online

    leaves_at_once(sessions, phone)

    assert sessions.connect(connection(clock)).went_online_or_offline


def test_a_token_that_ends_after_a_return_ends_that_at_once(sessions: Sessions, clock: ManualClock) -> None:
    left(sessions, clock)
    clock.advance(SECOND_MS)
    sessions.connect(connection(clock, "laptop=", expires_in=5 * SECOND_MS))
    clock.advance(5 * SECOND_MS)

    assert not shown(sessions).online
    assert sessions.connect(connection(clock)).went_online_or_offline


def test_who_is_barred_is_gone_at_once(sessions: Sessions, clock: ManualClock) -> None:
    phone = connection(clock)
    sessions.connect(phone)
    sessions.bar("alice", 5 * SECOND_MS)
    assert not shown(sessions).online
    clock.advance(SECOND_MS)

    leaves_at_once(sessions, phone)

    clock.advance(5 * SECOND_MS)
    assert sessions.connect(phone).went_online_or_offline


def test_who_has_left_and_is_barred_is_gone_at_once_too(sessions: Sessions, clock: ManualClock) -> None:
    departure = left(sessions, clock)
    sessions.bar("alice", 5 * SECOND_MS)
    assert shown(sessions) == departure
    clock.advance(5 * SECOND_MS)

    assert shown(sessions) == departure
    assert sessions.connect(connection(clock)).went_online_or_offline


def test_who_leaves_after_a_bar_is_gone_at_once_since_it_was_away_meanwhile(
    sessions: Sessions, clock: ManualClock
) -> None:
    phone = connection(clock)
    sessions.connect(phone)
    sessions.bar("alice", 5 * SECOND_MS)
    clock.advance(5 * SECOND_MS)
    assert shown(sessions).online, "the phone could not be closed"

    leaves_at_once(sessions, phone)

    assert sessions.connect(connection(clock)).went_online_or_offline


def test_a_bar_that_no_connection_can_have_outlived_takes_no_grace_away(sessions: Sessions, clock: ManualClock) -> None:
    sessions.bar("alice", 5 * SECOND_MS)
    clock.advance(5 * SECOND_MS + MAX_CONNECTION_MS)

    left(sessions, clock)

    assert shown(sessions).online


def test_without_a_grace_nothing_is_kept_for_it(table: Table, clock: ManualClock) -> None:
    at_once = Sessions(table, clock, retention_ms=RETENTION_MS)
    phone = connection(clock)
    at_once.connect(phone)

    change = at_once.disconnect(phone)

    assert change is not None
    assert change.went_online_or_offline
    assert not change.may_return
    assert LEFT_AT not in table.get([sessions_key("alice")])[sessions_key("alice")]


def test_a_version_that_knows_no_grace_may_have_told_what_it_saw(
    sessions: Sessions, clock: ManualClock, table: Table
) -> None:
    left(sessions, clock)
    clock.advance(10 * SECOND_MS)
    # A device came and went, of which that version told at once.
    table.update(sessions_key("alice"), Update(put={"last_seen": clock.now}))

    assert not shown(sessions).online
    assert sessions.connect(connection(clock)).went_online_or_offline


def test_what_the_item_says_of_a_time_to_come_is_no_grace(sessions: Sessions, clock: ManualClock, table: Table) -> None:
    future = clock.now + RETENTION_MS
    table.update(sessions_key("alice"), Update(put={"last_seen": future, LEFT_AT: future}))

    assert not shown(sessions).online


def test_a_device_that_stays_leaves_no_grace_behind_when_its_token_ends(sessions: Sessions, clock: ManualClock) -> None:
    phone, laptop = connection(clock), connection(clock, "laptop=", expires_in=20 * SECOND_MS)
    sessions.connect(phone)
    sessions.connect(laptop)
    clock.advance(SECOND_MS)
    change = sessions.disconnect(phone)
    assert change is not None
    assert not change.went_online_or_offline, "so nothing waits in the queue"

    clock.advance(20 * SECOND_MS)

    assert not shown(sessions).online
    assert sessions.connect(connection(clock, "tablet=")).went_online_or_offline


@pytest.mark.parametrize(("before", "after"), [(60, 900), (60, 120), (900, 60), (60, 0)])
def test_a_grace_is_as_long_as_it_was_when_the_user_left(
    table: Table, clock: ManualClock, before: int, after: int
) -> None:
    """A deploy changes it, and what waits in the queue waits as long as before."""
    then = Sessions(table, clock, retention_ms=RETENTION_MS, grace_ms=before * SECOND_MS)
    now = Sessions(table, clock, retention_ms=RETENTION_MS, grace_ms=after * SECOND_MS)
    gone = left(then, clock)

    clock.advance(before * SECOND_MS - 1)
    assert shown(now).online
    clock.advance(1)
    assert shown(now) == gone
    assert now.connect(connection(clock, "laptop=")).went_online_or_offline


def test_a_grace_that_is_ended_is_told_now_and_not_again(sessions: Sessions, clock: ManualClock) -> None:
    departure = left(sessions, clock)
    clock.advance(SECOND_MS)

    assert sessions.end_grace("alice") == departure
    assert shown(sessions) == departure
    assert sessions.end_grace("alice") is None
    clock.advance(GRACE_MS)
    assert sessions.still_gone(departure) is None


def test_a_departure_that_waits_longer_than_its_grace_is_told_now_too(sessions: Sessions, clock: ManualClock) -> None:
    departure = left(sessions, clock)
    clock.advance(2 * GRACE_MS)

    assert sessions.end_grace("alice") == departure


def test_there_is_no_grace_to_end_of_who_is_there(sessions: Sessions, clock: ManualClock) -> None:
    left(sessions, clock)
    sessions.connect(connection(clock, "laptop="))

    assert sessions.end_grace("alice") is None
    assert sessions.end_grace("nobody") is None


def test_an_entry_that_is_put_back_in_the_grace_is_not_told_either(sessions: Sessions, clock: ManualClock) -> None:
    """Of two devices, one was taken out by mistake, and the other one leaves."""
    phone, laptop = connection(clock), connection(clock, "laptop=")
    sessions.connect(phone)
    sessions.connect(laptop)
    sessions.prune(laptop)
    clock.advance(SECOND_MS)
    change = sessions.disconnect(phone)
    assert change is not None
    assert change.may_return

    back = sessions.restore(laptop)

    assert not back.went_online_or_offline
    assert sessions.still_gone(change.presence) is None


def test_a_grace_of_seconds_hides_no_arrival(table: Table, clock: ManualClock) -> None:
    """A handshake whose calls are tried again may be read by others after the departure is told."""
    short = Sessions(table, clock, retention_ms=RETENTION_MS, grace_ms=5 * SECOND_MS)
    left(short, clock)
    clock.advance(SECOND_MS)

    assert short.connect(connection(clock, "laptop=")).went_online_or_offline
