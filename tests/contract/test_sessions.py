"""Who is connected, over every kind of table."""

from __future__ import annotations

import pytest

from chat.protocol import UserPresence
from chat.sessions import HAS_BLOCKED, MAX_CONNECTION_MS, MAX_CONNECTIONS, Change, Connection, Sessions, connection_ids
from chat.table import SESSIONS, TTL, Key, Query, Table, Update, attribute, sessions_key
from tests.fakes.clock import DAY_MS, HOUR_MS, RETENTION_MS, START, ManualClock

MINUTE_MS = 60_000


def connection(clock: ManualClock, id: str = "L0SM9cOFvHcCIhw=", user: str = "alice") -> Connection:
    return Connection(user, id, clock.now)


def ids(sessions: Sessions, user: str = "alice") -> set[str]:
    return {one.id for one in sessions.of([user])[user]}


def attributes(table: Table, user: str = "alice") -> set[str]:
    return {name for name in table.get([sessions_key(user)])[sessions_key(user)] if name.startswith("@")}


def test_the_first_connection_brings_its_user_online(sessions: Sessions, clock: ManualClock) -> None:
    change = sessions.connect(connection(clock))

    assert change == Change(UserPresence("alice", True, clock.now, rev=START + 1), went_online_or_offline=True)
    assert sessions.of(["alice"]) == {"alice": [connection(clock)]}


def test_a_second_connection_does_not_bring_its_user_online_again(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "phone="))

    change = sessions.connect(connection(clock, "laptop="))

    assert change == Change(UserPresence("alice", True, clock.now, rev=START + 2), went_online_or_offline=False)
    assert ids(sessions) == {"phone=", "laptop="}


def test_a_repeated_connect_changes_nothing_but_the_revision(sessions: Sessions, clock: ManualClock) -> None:
    """AWS may invoke a function twice for one event."""
    sessions.connect(connection(clock, "other="))
    sessions.connect(connection(clock))

    assert not sessions.connect(connection(clock)).went_online_or_offline

    assert ids(sessions) == {"other=", "L0SM9cOFvHcCIhw="}


def test_only_the_last_disconnect_takes_its_user_offline(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "phone="))
    sessions.connect(connection(clock, "laptop="))
    clock.advance(MINUTE_MS)

    first, second = sessions.disconnect(connection(clock, "phone=")), sessions.disconnect(connection(clock, "laptop="))

    assert first == Change(UserPresence("alice", True, clock.now, rev=START + 3), went_online_or_offline=False)
    assert second == Change(UserPresence("alice", False, clock.now, rev=START + 4), went_online_or_offline=True)
    assert ids(sessions) == set()


def test_a_late_or_repeated_disconnect_does_nothing(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "new="))
    before = sessions.presence(["alice"])
    clock.advance(1)

    assert sessions.disconnect(connection(clock, "old=")) is None
    assert sessions.disconnect(connection(clock, "old=", "bob")) is None

    assert sessions.presence(["alice"]) == before
    assert ids(sessions) == {"new="}


def test_pruning_takes_out_one_connection_and_leaves_last_seen(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "phone="))
    sessions.connect(connection(clock, "laptop="))
    seen = clock.now
    clock.advance(MINUTE_MS)

    first, second = (
        sessions.prune(Connection("alice", "phone=", seen)),
        sessions.prune(Connection("alice", "laptop=", seen)),
    )

    assert first == Change(UserPresence("alice", True, seen, rev=START + 3), went_online_or_offline=False)
    assert second == Change(UserPresence("alice", False, seen, rev=START + 4), went_online_or_offline=True)


def test_pruning_what_is_not_there_does_nothing(sessions: Sessions, clock: ManualClock) -> None:
    assert sessions.prune(connection(clock)) is None


@pytest.mark.parametrize("lifetime_ms", [None, 2 * MINUTE_MS])
def test_restore_puts_a_connection_back_as_it_was(
    sessions: Sessions, clock: ManualClock, lifetime_ms: int | None
) -> None:
    original = connection(clock)._replace(expires_at=None if lifetime_ms is None else clock.now + lifetime_ms)
    sessions.connect(original)
    sessions.prune(original)
    clock.advance(MINUTE_MS)

    change = sessions.restore(original)

    assert sessions.of(["alice"]) == {"alice": [original]}
    assert sessions.presence(["alice"]) == [UserPresence("alice", True, clock.now, rev=START + 3)]
    assert change == Change(sessions.presence(["alice"])[0], went_online_or_offline=True)


def test_restore_brings_nobody_online_who_has_another_connection(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "phone="))

    change = sessions.restore(connection(clock, "laptop="))

    assert change == Change(sessions.presence(["alice"])[0], went_online_or_offline=False)


def test_a_connection_counts_for_as_long_as_it_can_live(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock))

    clock.advance(MAX_CONNECTION_MS - 1)
    assert sessions.presence(["alice"])[0].online
    clock.advance(1)
    assert not sessions.presence(["alice"])[0].online
    assert ids(sessions) == set()


def test_a_connection_counts_until_its_token_expires(sessions: Sessions, clock: ManualClock) -> None:
    short_lived = connection(clock)._replace(expires_at=clock.now + MINUTE_MS)
    sessions.connect(short_lived)

    clock.advance(MINUTE_MS - 1)
    assert sessions.of(["alice"]) == {"alice": [short_lived]}
    assert sessions.presence(["alice"])[0].online
    clock.advance(1)
    assert sessions.of(["alice"]) == {"alice": []}
    assert not sessions.presence(["alice"])[0].online


def test_a_token_lengthens_no_connection(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock)._replace(expires_at=clock.now + 2 * MAX_CONNECTION_MS))

    clock.advance(MAX_CONNECTION_MS)

    assert ids(sessions) == set()


def test_connecting_after_an_expired_token_comes_online_and_sweeps_its_connection_out(
    sessions: Sessions, table: Table, clock: ManualClock
) -> None:
    sessions.connect(connection(clock, "expired=")._replace(expires_at=clock.now + MINUTE_MS))
    sessions.connect(connection(clock, "old-entry="))
    clock.advance(MINUTE_MS)
    assert ids(sessions) == {"old-entry="}
    sessions.disconnect(connection(clock, "old-entry="))

    assert sessions.connect(connection(clock, "live=")).went_online_or_offline

    assert attributes(table) == {"@live="}


def test_connecting_after_a_dead_connection_comes_online_and_sweeps_it_out(
    sessions: Sessions, table: Table, clock: ManualClock
) -> None:
    sessions.connect(connection(clock, "dead="))
    clock.advance(MAX_CONNECTION_MS)

    assert sessions.connect(connection(clock, "live=")).went_online_or_offline

    assert attributes(table) == {"@live="}


def test_disconnecting_beside_a_dead_connection_goes_offline(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "dead="))
    clock.advance(MAX_CONNECTION_MS - 1)
    sessions.connect(connection(clock, "live="))
    clock.advance(1)

    change = sessions.disconnect(connection(clock, "live="))

    assert change is not None
    assert change.went_online_or_offline


def test_a_device_over_the_cap_evicts_the_oldest(sessions: Sessions, table: Table, clock: ManualClock) -> None:
    for number in range(MAX_CONNECTIONS):
        assert sessions.connect(connection(clock, f"device-{number}=")).evicted == ()
        clock.advance(1)
    oldest = Connection("alice", "device-0=", clock.now - MAX_CONNECTIONS)

    change = sessions.connect(connection(clock, "one-more="))

    assert change.evicted == (oldest,)
    assert not change.went_online_or_offline
    assert attributes(table) == {f"@device-{number}=" for number in range(1, MAX_CONNECTIONS)} | {"@one-more="}


def test_users_are_read_each_for_itself(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock, "a=", "alice"))
    sessions.connect(connection(clock, "b=", "bob"))

    assert sessions.of(["alice", "bob", "nobody"]) == {
        "alice": [connection(clock, "a=", "alice")],
        "bob": [connection(clock, "b=", "bob")],
        "nobody": [],
    }
    assert sessions.of([]) == {}


def test_presence_keeps_the_order_it_was_asked_in(sessions: Sessions, clock: ManualClock) -> None:
    sessions.connect(connection(clock))

    assert sessions.presence(["nobody", "alice"]) == [
        UserPresence("nobody", False, None, rev=0),
        UserPresence("alice", True, clock.now, rev=START + 1),
    ]


@pytest.mark.parametrize(("id", "registered"), [("here=", True), ("expired=", True), ("gone=", False)])
def test_a_connection_is_registered_while_its_entry_is_there(
    sessions: Sessions, table: Table, clock: ManualClock, id: str, registered: bool
) -> None:
    sessions.connect(connection(clock, "here="))
    sessions.connect(connection(clock, "expired=")._replace(expires_at=clock.now))
    (item,) = table.query(Query("USER#alice"))

    assert Key(str(item["pk"]), str(item["sk"])) == Key("USER#alice", SESSIONS)
    assert (id in connection_ids(item)) is registered


def expires_in(table: Table, clock: ManualClock) -> int | None:
    """In how many milliseconds TTL may delete the sessions of alice; None if it never does."""
    item = table.get([sessions_key("alice")])[sessions_key("alice")]
    return attribute(item, TTL, 0) * 1_000 - clock.now if TTL in item else None


def test_sessions_are_kept_for_the_retention_after_the_last_handshake(
    sessions: Sessions, table: Table, clock: ManualClock
) -> None:
    sessions.connect(connection(clock, "phone="))
    assert expires_in(table, clock) == RETENTION_MS
    clock.advance(DAY_MS)

    sessions.connect(connection(clock, "laptop="))
    assert expires_in(table, clock) == RETENTION_MS
    clock.advance(HOUR_MS)
    sessions.disconnect(connection(clock, "laptop="))

    assert expires_in(table, clock) == RETENTION_MS - HOUR_MS


def test_a_connection_that_is_put_back_is_kept_as_long(sessions: Sessions, table: Table, clock: ManualClock) -> None:
    sessions.restore(connection(clock))

    assert expires_in(table, clock) == RETENTION_MS


@pytest.mark.parametrize("deleted", [True, False])
def test_who_comes_back_after_its_sessions_have_expired_has_a_newer_presence(
    sessions: Sessions, table: Table, clock: ManualClock, deleted: bool
) -> None:
    for _ in range(3):
        sessions.connect(connection(clock))
    sessions.disconnect(connection(clock))
    (before,) = sessions.presence(["alice"])
    clock.advance(RETENTION_MS)
    assert expires_in(table, clock) == 0
    if deleted:
        table.delete(sessions_key("alice"))

    change = sessions.connect(connection(clock))

    assert change.went_online_or_offline
    assert change.presence.rev > before.rev
    assert sessions.presence(["alice"]) == [change.presence]
    assert expires_in(table, clock) == RETENTION_MS


def test_a_revision_goes_on_in_an_item_that_is_not_there(sessions: Sessions, clock: ManualClock) -> None:
    assert sessions.raise_rev("alice") == UserPresence("alice", False, None, rev=START + 1)
    assert sessions.presence(["alice"]) == [UserPresence("alice", False, None, rev=START + 1)]


def test_the_sessions_of_who_has_blocked_somebody_stay(sessions: Sessions, table: Table, clock: ManualClock) -> None:
    sessions.connect(connection(clock))
    sessions.begin_to_block("alice")
    assert expires_in(table, clock) is None

    sessions.connect(connection(clock, "laptop="))
    sessions.bar("alice", HOUR_MS)

    assert expires_in(table, clock) is None
    assert connection_ids(table.get([sessions_key("alice")])[sessions_key("alice")]) >= {"laptop="}


def test_sessions_that_say_when_they_expire_and_that_their_user_has_blocked_stay_from_the_next_handshake_on(
    sessions: Sessions, table: Table, clock: ManualClock
) -> None:
    """The version before leaves `ttl` there when its user blocks somebody."""
    sessions.connect(connection(clock))
    table.update(sessions_key("alice"), Update(put={HAS_BLOCKED: 1}))

    change = sessions.connect(connection(clock, "laptop="))

    assert change.presence.rev == START + 2
    assert expires_in(table, clock) is None


@pytest.mark.parametrize("ms", [HOUR_MS, 366 * DAY_MS])
def test_sessions_outlive_a_bar(sessions: Sessions, table: Table, clock: ManualClock, ms: int) -> None:
    sessions.bar("alice", ms)

    assert expires_in(table, clock) == ms + RETENTION_MS


def test_who_is_barred_for_sending_too_much_is_forgotten_as_others_are(
    sessions: Sessions, table: Table, clock: ManualClock
) -> None:
    bar = sessions.bar_for_longer("alice")

    assert expires_in(table, clock) == bar.until - clock.now + RETENTION_MS
