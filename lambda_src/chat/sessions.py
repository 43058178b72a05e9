"""Which connections a user has, and so whether it is online.

All of a user's connections are one item, with one attribute a connection (`@` and the connection id, holding when it
was made and when its token expires), so that whoever delivers finds them in one read, and `$connect` and `$disconnect`
are one update each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from chat import log
from chat.acquaintance import may
from chat.clock import Clock
from chat.protocol import UserPresence
from chat.table import (
    FAILED_CALLS,
    TTL,
    Below,
    Item,
    Present,
    Table,
    Update,
    Updated,
    attribute,
    chat_key,
    sessions_key,
)

MAX_CONNECTION_MS = (2 * 60 + 5) * 60_000
"""How long an entry counts: API Gateway ends a connection after two hours and `$disconnect` is best effort,
so what is older than that, plus slack, is gone whether or not anybody told us."""

OPENING_MS = 60_000
"""How long a connection may still be opening: API Gateway answers 410 for it until `$connect` has returned."""

MAX_CONNECTIONS = 20
"""A user's devices at one time. Each message is pushed, and billed, once a device."""

SWEPT_AT_ONCE = 100
"""Entries that one handshake takes out at most: far more than it adds, and far less than an update takes (an
expression of 4 KB, 300 operators)."""

BARRED_UNTIL = "barred_until"
BARRED_MS = "barred_ms"
SPENT_UNTIL = "spent_until"
"""Attributes of the sessions item: until when no connection of the user is accepted, for how long that was, and until
when the user has spent its allowance (`limits`)."""

FIRST_BAR_MS = 60_000
LONGEST_BAR_MS = 3_600_000
BAR_REMEMBERED_MS = 86_400_000
"""A bar lasts twice as long as the one before, if that was less than a day ago."""

HAS_BLOCKED = "has_blocked"
"""Attribute of the sessions item: its user has blocked somebody, some time. It stays when that is undone, and the item
does not expire: without it, a message of who is blocked would be pushed before it is known that it is hidden."""

REV = "rev"
"""Attribute of the sessions item: how often the user's presence has changed. It starts at the milliseconds since the
epoch: an item that has expired had a lower one, so clients take what comes after it for newer."""

LEFT_AT = "left_at"
"""Attribute of the sessions item: when a `$disconnect` came last, where those who see the user are told after a grace.
What makes its departure known at once takes it out."""

GRACE = "grace"
"""Attribute of the sessions item: how long after `left_at` that is told, in milliseconds. It is that of whoever let the
user go: while a deploy changes it, the functions would not agree on theirs."""

MARGIN_MS = 10_000
"""So long before the end of the grace, an arrival is told again. For all of it, who asks hears that the user is there,
and at its end the departure is told. The other way round, somebody would hear of the departure and not of the arrival.
What is between the two is for clocks that differ, and for a handshake whose calls are tried again, eight seconds at
most."""

_PREFIX = "@"
_UNTIL = "-"
_TIMES = re.compile(rf"([0-9]{{1,16}}){_UNTIL}([0-9]{{1,16}})")


class Connection(NamedTuple):
    """One live WebSocket connection of a user. Times are in milliseconds since the epoch.

    `expires_at` is when its token does, and None where it has none.
    """

    user: str
    id: str
    connected_at: int
    expires_at: int | None = None


class Change(NamedTuple):
    """What a connection's start or end did to its user's presence."""

    presence: UserPresence
    went_online_or_offline: bool
    """Whether that is to be told. A user that comes back within the grace never went."""
    evicted: tuple[Connection, ...] = ()
    may_return: bool = False
    """Whether the grace has begun, at the end of which it is told."""


class Bar(NamedTuple):
    """Until when a user is barred, in milliseconds since the epoch, and the connections that are to be closed."""

    until: int
    connections: tuple[Connection, ...] = ()


class Barred(Exception):
    """The user is barred: no connection of it is accepted, and those that there are count for nothing."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self.bar = bar


class Sessions:
    """The sessions items of the table.

    `retention_ms` is how long one is kept after its user has last connected; for ever, if not given. `grace_ms` is how
    long after a user has left that is told, if it has not come back; it concerns `disconnect` alone.
    """

    def __init__(self, table: Table, clock: Clock, *, retention_ms: int | None = None, grace_ms: int = 0) -> None:
        self._table = table
        self._clock = clock
        self._retention_ms = retention_ms
        self._grace_ms = grace_ms

    def connect(self, connection: Connection) -> Change:
        """Registers the connection: one update, and a second one only to sweep out dead or surplus entries.

        Raises Barred if its user is barred.
        """
        now = self._clock()
        before = self._put(connection, now)
        others = [other for other in connections(connection.user, before, now) if other.id != connection.id]
        surplus = others[: max(0, len(others) + 1 - MAX_CONNECTIONS)][:SWEPT_AT_ONCE]
        self._sweep(connection.user, before, now, surplus)
        return self._came(connection, before, now)._replace(evicted=tuple(surplus))

    def restore(self, connection: Connection) -> Change:
        """Puts back the entry of a connection that has sent a frame. Whether it is still there is not known.

        Raises Barred.
        """
        now = self._clock()
        return self._came(connection, self._put(connection, now), now)

    def _came(self, connection: Connection, before: Item, now: int) -> Change:
        others = [other for other in connections(connection.user, before, now) if other.id != connection.id]
        presence = UserPresence(connection.user, online=True, last_seen=now, rev=attribute(before, REV, now) + 1)
        came = not others and not self._may_return(before, now, MARGIN_MS)
        return Change(presence, went_online_or_offline=came)

    def has(self, connection: Connection) -> bool:
        """Whether there is an entry of the connection."""
        return connection.id in connection_ids(self._items([connection.user])[connection.user])

    def raise_rev(self, user: str) -> UserPresence:
        """Makes the user's presence, as it is, newer than all that was told of it."""
        now = self._clock()
        before = self._table.update(sessions_key(user), Update(add={REV: 1}, start={REV: now})).before
        return presence(user, before, now)._replace(rev=attribute(before, REV, now) + 1)

    def _put(self, connection: Connection, now: int) -> Item:
        entry = {_PREFIX + connection.id: _entry(connection), "last_seen": now}
        update = Update(put=entry, add={REV: 1}, start={REV: now}, only_if=[Below(BARRED_UNTIL, now + 1)])
        made, before = self._update(connection.user, update, used_until=now)
        if not made:
            raise Barred(Bar(attribute(before, BARRED_UNTIL, 0)))
        return before

    def _update(self, user: str, update: Update, *, used_until: int) -> Updated:
        """Makes the update, and has the item expire a retention after it is of use, unless its user has blocked."""
        key = sessions_key(user)
        if self._retention_ms is None:
            return self._table.update(key, update)
        put = {**update.put, TTL: (used_until + self._retention_ms) // 1_000}
        only_if = [*update.only_if, Below(HAS_BLOCKED, 1)]
        updated = self._table.update(key, update._replace(put=put, only_if=only_if))
        if updated.made or not attribute(updated.before, HAS_BLOCKED, 0):
            return updated
        # The version before leaves the expiry there when its user blocks.
        return self._table.update(key, update._replace(remove=[*update.remove, TTL]))

    def spend(self, user: str, ms: int) -> int:
        """Takes from the user's account what it was seen to spend, and returns until when the account is spent."""
        key, now = sessions_key(user), self._clock()
        if self._table.update(key, Update(put={SPENT_UNTIL: now + ms}, only_if=[Below(SPENT_UNTIL, now)])).made:
            return now + ms
        return attribute(self._table.update(key, Update(add={SPENT_UNTIL: ms})).before, SPENT_UNTIL, 0) + ms

    def bar(self, user: str, ms: int) -> Bar:
        """Bars the user for so long from now on. Whoever calls this closes the connections."""
        now = self._clock()
        update = Update(put={BARRED_UNTIL: now + ms, BARRED_MS: ms})
        before = self._update(user, update, used_until=now + ms).before
        return Bar(now + ms, tuple(_live(user, before, now)))

    def bar_for_longer(self, user: str) -> Bar:
        """Bars the user, for twice as long as the last time. One that is barred already is left so."""
        now = self._clock()
        put = {BARRED_UNTIL: now + FIRST_BAR_MS, BARRED_MS: FIRST_BAR_MS}
        update = Update(put=put, only_if=[Below(BARRED_UNTIL, now + 1)])
        made, before = self._update(user, update, used_until=now + FIRST_BAR_MS)
        last, lasted = attribute(before, BARRED_UNTIL, 0), attribute(before, BARRED_MS, 0)
        there = tuple(_live(user, before, now))
        if not made:
            return Bar(last, there)
        if not lasted or now - last >= BAR_REMEMBERED_MS:
            return Bar(now + FIRST_BAR_MS, there)
        return self.bar(user, min(2 * lasted, LONGEST_BAR_MS))._replace(connections=there)

    def disconnect(self, connection: Connection) -> Change | None:
        """Takes the entry out; None if it was not there, so that a late or repeated `$disconnect` does nothing.

        One whose reply was lost still says what it did.
        """
        now = self._clock()
        # Who asks has heard already that a user is away whose token has expired.
        left = {LEFT_AT: now, GRACE: self._grace_ms} if self._grace_ms and _is_live(connection, now) else {}
        return self._remove(connection, {"last_seen": now, **left}, now)

    def prune(self, connection: Connection) -> Change | None:
        """Takes out the entry of a connection that API Gateway says is gone. When it went, nobody knows."""
        return self._remove(connection, {}, self._clock())

    def _remove(self, connection: Connection, put: Mapping[str, int], now: int) -> Change | None:
        user, name = connection.user, _PREFIX + connection.id
        remove = [name] if LEFT_AT in put else [name, LEFT_AT]
        update = Update(put=put, add={REV: 1}, start={REV: now}, remove=remove, only_if=[Present(name)])
        made, before = self._table.update(sessions_key(user), update)
        if not made and not _is_as_we_left_it(before, put):
            return None
        others = [other for other in _live(user, before, now) if other.id != connection.id]
        last_seen = attribute({**before, **put}, "last_seen", 0) or None
        rev = attribute(before, REV, now) + made
        presence = UserPresence(user, online=bool(others), last_seen=last_seen, rev=rev)
        after = {name: value for name, value in {**before, **put}.items() if name not in remove}
        may_return = LEFT_AT in put and self._may_return(after, now)
        return Change(presence, went_online_or_offline=not others, may_return=not others and may_return)

    def _may_return(self, item: Item, now: int, margin_ms: int = 0) -> bool:
        """Whether a user without a connection left by itself, and its grace lasts for longer than the margin."""
        left_at = attribute(item, LEFT_AT, 0)
        is_last_heard = left_at == attribute(item, "last_seen", 0)  # or somebody came who does not know of the grace
        # A connection that outlived a bar was not there for whoever asked meanwhile.
        was_barred = attribute(item, BARRED_UNTIL, 0) >= left_at - MAX_CONNECTION_MS
        # Another device stayed, so nothing is queued; its own end, by its token, is not told after a grace.
        was_last = not _live("", item, left_at)
        is_now = abs(now - left_at) < attribute(item, GRACE, 0) - margin_ms
        return is_now and is_last_heard and was_last and not was_barred

    def end_grace(self, user: str) -> UserPresence | None:
        """Ends the grace of a user that has left, and returns what is to be told of it now; None if there is none.

        A departure that is still in the queue behind its grace is told too. One that was told already is told again.
        """
        now = self._clock()
        ended = Update(remove=[LEFT_AT], only_if=[Present(LEFT_AT)])
        made, before = self._table.update(sessions_key(user), ended)
        known = presence(user, before, now)
        return known if made and not known.online else None

    def _sweep(self, user: str, item: Item, now: int, surplus: Iterable[Connection]) -> None:
        live = {_PREFIX + connection.id for connection in _live(user, item, now)}
        dead = sorted(name for name in item if name.startswith(_PREFIX) and name not in live)
        swept = [*(_PREFIX + connection.id for connection in surplus), *dead][:SWEPT_AT_ONCE]
        if not swept:
            return
        try:
            self._table.update(sessions_key(user), Update(remove=swept))
        except FAILED_CALLS as error:
            # The connection is registered, and a refusal would leave it so. The next one sweeps what this one did not.
            log.failure("sweep failed", error, user=user)

    def of(self, users: Iterable[str]) -> dict[str, list[Connection]]:
        """Each user's live connections: one consistent read of one batch (at most 100 users).

        Where a user has more than it may have, the newest; the next handshake closes the others.
        """
        now = self._clock()
        return {user: connections(user, item, now)[-MAX_CONNECTIONS:] for user, item in self._items(users).items()}

    def all_of(self, user: str) -> list[Connection]:
        """Every connection that the user may still have: beyond those that it may, and where it is barred, too."""
        return _live(user, self._items([user])[user], self._clock())

    def of_acquaintance(self, user: str, peer: str) -> list[Connection]:
        """The peer's live connections, none if the two may not see each other; one consistent read of one batch."""
        chat, sessions = chat_key(user, peer), sessions_key(peer)
        items = self._table.get([chat, sessions])
        if not may(user, peer, items.get(chat, {})):
            return []
        return connections(peer, items.get(sessions, {}), self._clock())[-MAX_CONNECTIONS:]

    def of_open_user(self, user: str) -> list[Connection]:
        """The user's live connections, none if it has ever blocked anybody; one consistent read of one item."""
        item = self._items([user])[user]
        return [] if attribute(item, HAS_BLOCKED, 0) else connections(user, item, self._clock())[-MAX_CONNECTIONS:]

    def begin_to_block(self, user: str) -> None:
        """From here on, what is read of the user's sessions says that it may have blocked somebody."""
        stays = Update(put={HAS_BLOCKED: 1}, remove=[TTL], only_if=[Below(HAS_BLOCKED, 1)])
        self._table.update(sessions_key(user), stays)

    def presence(self, users: Iterable[str]) -> list[UserPresence]:
        """Who of the users (at most 100) is online; one consistent read of one batch."""
        now = self._clock()
        return [presence(user, item, now) for user, item in self._items(users).items()]

    def shown(self, users: Iterable[str]) -> list[UserPresence]:
        """The same, as other users see it: one that may return is still there, in the revision before it left."""
        now = self._clock()
        return [self._shown(presence(user, item, now), item, now) for user, item in self._items(users).items()]

    def _shown(self, known: UserPresence, item: Item, now: int) -> UserPresence:
        if known.online or not self._may_return(item, now):
            return known
        return known._replace(online=True, rev=known.rev - 1)

    def still_gone(self, departure: UserPresence) -> UserPresence | None:
        """The user's presence, if nothing has been heard of it since it left; one consistent read of one item."""
        item = self._items([departure.user])[departure.user]
        known = presence(departure.user, item, self._clock())
        return None if known.online or attribute(item, LEFT_AT, 0) != departure.last_seen else known

    def _items(self, users: Iterable[str]) -> dict[str, Item]:
        keys = {user: sessions_key(user) for user in users}
        items = self._table.get(keys.values())
        return {user: items.get(key, {}) for user, key in keys.items()}


def _is_as_we_left_it(item: Item, put: Mapping[str, int]) -> bool:
    """Whether an update that was refused had been made before: its reply was lost, and it was tried again."""
    return bool(put) and all(item.get(name) == value for name, value in put.items())


def connections(user: str, item: Item, now: int) -> list[Connection]:
    """The live connections that a sessions item holds, the oldest first; none of a user that is barred."""
    return [] if attribute(item, BARRED_UNTIL, 0) > now else _live(user, item, now)


def _live(user: str, item: Item, now: int) -> list[Connection]:
    known = (Connection(user, *entry) for entry in _entries(item))
    live = [connection for connection in known if _is_live(connection, now)]
    return sorted(live, key=lambda connection: connection.connected_at)


def _is_live(connection: Connection, now: int) -> bool:
    if connection.expires_at is not None and connection.expires_at <= now:
        return False
    # One made in the future, beyond what two clocks differ by, is not ours, and would never end.
    return -OPENING_MS <= now - connection.connected_at < MAX_CONNECTION_MS


def connection_ids(item: Item) -> frozenset[str]:
    """The ids of all connections that a sessions item holds, dead ones included."""
    return frozenset(id for id, _, _ in _entries(item))


def _entry(connection: Connection) -> str | int:
    """What the item holds of a connection: two times in one attribute, so that 20 of them fit into one write unit."""
    if connection.expires_at is None:
        return connection.connected_at
    return f"{connection.connected_at}{_UNTIL}{connection.expires_at}"


def _entries(item: Item) -> Iterator[tuple[str, int, int | None]]:
    """Each entry's connection id, when it was made, and when its token expires."""
    for name, entry in item.items():
        if not name.startswith(_PREFIX):
            continue
        id = name.removeprefix(_PREFIX)
        if isinstance(entry, int):
            yield id, entry, None
        elif times := _TIMES.fullmatch(entry):
            yield id, int(times[1]), int(times[2])


def presence(user: str, item: Item, now: int) -> UserPresence:
    """What a sessions item says of its user."""
    online = bool(connections(user, item, now))
    return UserPresence(user, online, attribute(item, "last_seen", 0) or None, attribute(item, REV, 0))
