"""The scenario of a departure that waits in its queue: who comes and goes, who asks, what is told when, as time passes.

Time passes at any step here, by an actor. But who comes, goes or asks makes its one call in one step with its look at
the clock, which may be fast or slow: so far two clocks may be apart, or a look at one and the call after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.backend_protocol import Erase, LogCursor
from chat.clock import Clock
from chat.protocol import ChatError, Sync, UserPresence
from chat.routes import ConnectionRoutes
from chat.sessions import Barred, Connection, Sessions
from chat.table import Item, Key, Update, Updated
from tests.fakes.memory import MemoryAnnouncer, MemoryGateway
from tests.schedules.clients import PAGE
from tests.schedules.explorer import Actor, Outcome, Player, Scenario, Step, Way
from tests.schedules.instance import Code, Died, LostReply
from tests.schedules.scenarios import ALICE, ALICE_LAPTOP, ALICE_PHONE, BOB_PHONE, check, world
from tests.schedules.world import START, Violation, World

SECOND_MS = 1_000
GRACE_MS = 60 * SECOND_MS

PASSING = (45, 6, 6, 8)
"""Seconds, one after the other. Between a departure and what follows there are any of them in a row: within the time in
which an arrival is not told, shortly after it, and after the grace."""

TABLET = ALICE_LAPTOP._replace(id="alice-tablet")

RIGHT = {"": 0}
SKEWED = {"": 0, "by a fast clock": 4 * SECOND_MS, "by a slow clock": -4 * SECOND_MS}
"""How far a clock may be off."""


class WorldTable:
    """As much of the table as one call needs, in a step that is under way."""

    def __init__(self, world: World) -> None:
        self._world = world

    def update(self, key: Key, update: Update) -> Updated:
        return self._world.update(key, update)

    def get(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        return self._world.table.get(keys, consistent=consistent)


def clock(player: Player) -> Clock:
    look = Step("looks at the clock", {"": lambda world: Outcome(world.now)}, private=True)
    return lambda: int(player.step(look))


def a_departure_waits(
    code: Code,
    *,
    asks: int = 1,
    returns: bool = True,
    rounds: int = 0,
    stays: bool = True,
    dead: bool = False,
    faults: int = 0,
    skewed: bool = False,
) -> Scenario:
    """Alice's phone leaves, and her tablet comes, perhaps before that is noticed. Then it leaves and comes in `rounds`,
    and leaves once more unless it `stays`.

    With `dead`, there was one more device, of whose end nobody knows until something is pushed to it. Bob is told of
    her, and asks as often as `asks` says. In the end all has been delivered, and he knows whether she is there.
    """
    grace = Grace(code, SKEWED if skewed else RIGHT)

    def tablet(player: Player) -> None:
        grace.comes(player, TABLET)
        for _ in range(rounds):
            grace.leaves(player, TABLET)
            grace.comes(player, TABLET)
        if not stays:
            grace.leaves(player, TABLET)

    def finds(player: Player) -> None:
        def way(world: World, off_ms: int) -> Outcome:
            return Outcome(grace.sessions(world, off_ms).prune(ALICE_LAPTOP))

        change = player.step(Step("finds alice's laptop gone", _by_each(grace.clocks, way)))
        if change.went_online_or_offline:
            code.message_function(player, clock(player)).announce(change.presence)

    actors: dict[str, Actor] = {"phone": lambda player: grace.leaves(player, ALICE_PHONE)}
    actors |= {"tablet": tablet} if returns else {}
    actors |= {"somebody": finds} if dead else {}
    start = world(open=[ALICE_PHONE, BOB_PHONE], gone=[ALICE_LAPTOP] if dead else [], faults=faults)
    return grace.scenario(actors, start, arrivals=1 + rounds, asks=asks)


def a_sync_is_late(
    code: Code, *, lost: bool = False, ends: bool = True, returns: bool = False, asks: int = 0, grace_ms: int = GRACE_MS
) -> Scenario:
    """Alice's phone syncs and, if it `ends`, hangs up, so that its `$disconnect` may be done before the sync is.

    With `lost`, its entry was taken out some time before, and Bob has heard that she is away. Perhaps her tablet comes.
    """
    grace = Grace(code, grace_ms=grace_ms)

    def syncs(player: Player) -> None:
        code.message_function(player, clock(player)).sync(ALICE_PHONE, Sync(None, None, PAGE, None))

    def phone(player: Player) -> None:
        player.step(Step("alice's phone hangs up", {"": lambda world: _hangs_up(world, ALICE_PHONE)}))
        grace.leaves(player, ALICE_PHONE)

    actors: dict[str, Actor] = {"sync": syncs}
    actors |= {"phone": phone} if ends else {}
    actors |= {"tablet": lambda player: grace.comes(player, TABLET)} if returns else {}
    start = world(open=[BOB_PHONE, *([] if lost else [ALICE_PHONE])])
    start.open |= {ALICE_PHONE}
    return grace.scenario(actors, start, was_there=not lost, asks=asks)


def a_token_ends(code: Code, *, asks: int = 1, returns: bool = False) -> Scenario:
    """Alice's phone leaves, while her laptop stays until its token ends, and for longer; nobody is told of that.

    If it had ended when Bob asked, he knows that she is not there.
    """
    grace = Grace(code)
    laptop = ALICE_LAPTOP._replace(expires_at=START + PASSING[0] * SECOND_MS)
    actors: dict[str, Actor] = {"phone": lambda player: grace.leaves(player, ALICE_PHONE)}
    actors |= {"tablet": lambda player: grace.comes(player, TABLET)} if returns else {}
    start = world(open=[ALICE_PHONE, laptop, BOB_PHONE])
    return grace.scenario(actors, start, asks=asks, is_told=False, has_one_revision_each=False)


def a_connection_outlives_a_bar(code: Code, *, asks: int = 1) -> Scenario:
    """Alice is barred for some seconds. Her phone, which could not be closed, leaves, and her tablet comes."""
    grace = Grace(code)

    def bars(world: World) -> Outcome:
        grace.sessions(world).bar(ALICE, 10 * SECOND_MS)
        return Outcome()

    def alice(player: Player) -> None:
        player.step(Step("the backend bars alice", {"": bars}))
        grace.leaves(player, ALICE_PHONE)
        if not grace.is_accepted(player, TABLET):
            player.pause(last=True)
            grace.comes(player, TABLET)

    start = world(open=[ALICE_PHONE, BOB_PHONE])
    return grace.scenario({"alice": alice}, start, asks=asks, has_one_revision_each=False)


def an_erasure_meets_a_departure(code: Code, *, asks: int = 0) -> Scenario:
    """Alice leaves, and is erased, perhaps before that is told: then nobody knows any more who is to be told."""
    grace = Grace(code)

    def alice(player: Player) -> None:
        grace.leaves(player, ALICE_PHONE)
        backend, cursor, ended = code.backend_function(player, clock(player)), None, False
        while not ended:
            reply = backend.serve(Erase(ALICE, cursor)).reply
            assert reply is not None
            ended = "next" not in reply
            cursor = None if ended else LogCursor.decode(str(reply["next"]))

    start = world(messages=1, open=[ALICE_PHONE, BOB_PHONE])
    return grace.scenario({"alice": alice}, start, asks=asks, has_one_revision_each=False)


@dataclass(frozen=True)
class Grace:
    """What these scenarios have in common: who comes and goes, how that is told, and Bob, who hears of it."""

    code: Code
    clocks: Mapping[str, int] = field(default_factory=lambda: RIGHT)
    grace_ms: int = GRACE_MS

    def scenario(
        self,
        actors: Mapping[str, Actor],
        start: World,
        *,
        arrivals: int = 1,
        asks: int,
        was_there: bool = True,
        is_told: bool = True,
        has_one_revision_each: bool = True,
    ) -> Scenario:
        watcher = Watcher(self, was_there, asks, is_told=is_told, has_one_revision_each=has_one_revision_each)
        waits: dict[str, Actor] = {"time": _passes, "departures": _tells_departures(self.code)} if self.grace_ms else {}
        all_actors = {**actors, "arrivals": _tells_arrivals(self.code, arrivals), **waits, "bob": watcher.watch}
        return Scenario(all_actors, start, check, unreliable=["departures"])

    def sessions(self, world: World, off_ms: int = 0) -> Sessions:
        table: Any = WorldTable(world)
        return self.code.sessions(table, lambda: world.now + off_ms, grace_ms=self.grace_ms)

    def leaves(self, player: Player, connection: Connection) -> None:
        def way(world: World, routes: ConnectionRoutes, _: int) -> None:
            routes.disconnect(connection)
            world.close_connection(connection.id)

        self._event(player, f"{connection.id} leaves", way)

    def comes(self, player: Player, connection: Connection) -> None:
        self.is_accepted(player, connection)

    def is_accepted(self, player: Player, connection: Connection) -> bool:
        """The same, where it may be barred."""

        def way(world: World, routes: ConnectionRoutes, now: int) -> None:
            routes.connect(connection._replace(connected_at=now))
            world.open_connection(connection)

        return self._event(player, f"{connection.id} comes", way)

    def _event(self, player: Player, name: str, do: Callable[[World, ConnectionRoutes, int], None]) -> bool:
        """One of the connection function, which makes one call, and then hands over what is to be told."""

        def way(world: World, off_ms: int) -> Outcome:
            announcer = MemoryAnnouncer()
            routes = ConnectionRoutes(self.sessions(world, off_ms), MemoryGateway(), announcer)
            try:
                do(world, routes, world.now + off_ms)
            except Barred:
                return Outcome()
            return Outcome((tuple(announcer.announced), tuple(announcer.later)))

        def hand_over(world: World) -> Outcome:
            world.arrivals += now
            world.departures += tuple((world.now + self.grace_ms, departure) for departure in later)
            return Outcome()

        told = player.step(Step(name, _by_each(self.clocks, way)))
        now, later = told or ((), ())
        if now or later:
            player.step(Step(f"{name}, and that is to be told", {"": hand_over}))
        return told is not None


def _hangs_up(world: World, connection: Connection) -> Outcome:
    world.close_connection(connection.id)
    return Outcome()


def _by_each(clocks: Mapping[str, int], way: Callable[[World, int], Outcome]) -> dict[str, Way]:
    def by(off_ms: int) -> Way:
        return lambda world: way(world, off_ms)

    return {name: by(off_ms) for name, off_ms in clocks.items()}


def _passes(player: Player) -> None:
    for seconds in PASSING:

        def way(world: World, ms: int = seconds * SECOND_MS) -> Outcome:
            world.now += ms
            return Outcome()

        player.step(Step(f"{seconds} s pass", {"": way}))


def _tells_arrivals(code: Code, most: int) -> Actor:
    """The announcement function, invoked asynchronously: as late as it likes, once each."""

    def take(world: World) -> Outcome:
        arrival, world.arrivals = world.arrivals[:1], world.arrivals[1:]
        return Outcome(arrival)

    def actor(player: Player) -> None:
        def tell() -> bool:
            for arrival in player.step(Step("is invoked", {"": take})):
                code.message_function(player, clock(player)).announce(arrival)
                return True
            return False

        for _ in range(most):
            tell()
        player.pause(last=True)
        while tell():
            pass

    return actor


def _tells_departures(code: Code) -> Actor:
    """The announcement function, which gets what is due from the queue, and gets again what it did not finish."""

    def due(world: World) -> Outcome:
        return Outcome(next(((one,) for one in world.departures if one[0] <= world.now), ()))

    def actor(player: Player) -> None:
        def tell(*, duplicates: bool) -> bool:
            for one in player.step(Step("gets a message", {"": due})):

                def done(world: World, taken: tuple[int, UserPresence] = one) -> Outcome:
                    world.departures = tuple(other for other in world.departures if other != taken)
                    return Outcome()

                try:
                    code.message_function(player, clock(player)).announce_departure(one[1])
                except (ChatError, LostReply, Died):
                    return True
                again = {"and gets it once more": lambda _: Outcome()} if duplicates else {}
                player.step(Step("is done with it", {"": done, **again}))
                return True
            return False

        for _ in range(2):
            tell(duplicates=True)
        player.pause(last=True)
        while tell(duplicates=False):
            pass

    return actor


@dataclass(frozen=True)
class Watcher:
    """Bob's client, which keeps the highest revision of what it is told, and of two with the same one the later."""

    grace: Grace
    was_there: bool
    """What it has heard of Alice before."""
    asks: int
    is_told: bool
    """Whether Bob learns of all that happens; else of what is so when he asks."""
    has_one_revision_each: bool
    """Not so where a token ends, a bar begins, or the sessions are erased: that is no change of the item's."""

    def watch(self, player: Player) -> None:
        told = [(0, self.was_there)]
        known = self.was_there
        for _ in range(self.asks):
            rev, online, known = player.step(Step("asks", _by_each(self.grace.clocks, self._asked)))
            told.append((rev, online))
        player.pause(last=True)
        take = Step("takes what was pushed", {"": lambda world: Outcome(world.take_pushed(BOB_PHONE.id))})
        told += [(one["rev"], one["online"]) for frame in player.step(take) for one in frame.get("users", [])]
        if self.has_one_revision_each and len({rev for rev, _ in told}) < len(set(told)):
            raise Violation(f"bob is told two things of one revision: {told}")
        actual, failed = player.step(Step("looks who is there", {"": _truth}))
        if failed or not (self.is_told or known == actual):
            return
        last = max(rev for rev, _ in told)
        if [online for rev, online in told if rev == last][-1] != actual:
            raise Violation(f"bob has alice as {'away' if actual else 'there'}: {told}")

    def _asked(self, world: World, off_ms: int) -> Outcome:
        (one,) = self.grace.sessions(world, off_ms).shown([ALICE])
        return Outcome((one.rev, one.online, _is_there(world)))


def _is_there(world: World) -> bool:
    return bool(Sessions(world.table, lambda: world.now).of([ALICE])[ALICE])


def _truth(world: World) -> Outcome:
    open = {connection.id for connection in world.open}
    for connection in Sessions(world.table, lambda: world.now).all_of(ALICE):
        if connection.id not in open:
            raise Violation(f"{connection.id} is gone, and among the sessions of its user")
    return Outcome((_is_there(world), world.push_failed))
