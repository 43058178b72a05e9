"""The scenario of a going that waits in its queue: who comes and goes, who asks, what is told when, while time passes.

Time passes at any step here, by an actor. But who comes, goes or asks makes its one call in one step with its look at
the clock, which may be fast or slow: so far two clocks may be apart, or a look at one and the call after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from chat.clock import Clock
from chat.protocol import ChatError, UserPresence
from chat.routes import ConnectionRoutes
from chat.sessions import Connection, Sessions
from chat.table import Item, Key, Update, Updated
from tests.fakes.memory import MemoryAnnouncer, MemoryGateway
from tests.schedules.explorer import Actor, Outcome, Player, Scenario, Step, Way
from tests.schedules.instance import Code, Died, LostReply
from tests.schedules.scenarios import ALICE, ALICE_LAPTOP, ALICE_PHONE, BOB_PHONE, check, world
from tests.schedules.world import Violation, World

SECOND_MS = 1_000
GRACE_MS = 60 * SECOND_MS

PASSING = (45, 6, 6, 8)
"""Seconds, one after the other. Between a going and what follows there are any of them in a row: within the time in
which a coming is not told, shortly after it, and after the grace."""

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


def a_going_waits(
    code: Code,
    *,
    asks: int = 1,
    returns: bool = True,
    rounds: int = 0,
    dead: bool = False,
    faults: int = 0,
    skewed: bool = False,
) -> Scenario:
    """Alice's phone leaves, and her tablet comes, perhaps before that is noticed. Then it leaves and comes in `rounds`.

    With `dead`, there was one more device, of whose end nobody knows until something is pushed to it. Bob is told of
    her, and asks as often as `asks` says. In the end all has been delivered, and he knows whether she is there.
    """
    back = ALICE_LAPTOP._replace(id="alice-tablet")
    clocks = SKEWED if skewed else RIGHT
    event = partial(_event, code, clocks)

    def phone(player: Player) -> None:
        event(player, "alice's phone leaves", lambda routes, _: routes.disconnect(ALICE_PHONE))

    def tablet(player: Player) -> None:
        event(player, "alice's tablet comes", lambda routes, now: routes.connect(_at(back, now)))
        for _ in range(rounds):
            event(player, "alice's tablet leaves", lambda routes, now: routes.disconnect(_at(back, now)))
            event(player, "alice's tablet comes", lambda routes, now: routes.connect(_at(back, now)))

    def finds(player: Player) -> None:
        def way(world: World, off_ms: int) -> Outcome:
            return Outcome(_sessions(code, world, off_ms).prune(ALICE_LAPTOP))

        change = player.step(Step("finds alice's laptop gone", _by_each(clocks, way)))
        if change.went_online_or_offline:
            code.message_function(player, clock(player)).announce(change.presence)

    first = UserPresence(ALICE, online=True, last_seen=None, rev=0)
    actors: dict[str, Actor] = {"phone": phone}
    actors |= {"tablet": tablet} if returns else {}
    actors |= {"somebody": finds} if dead else {}
    actors |= {"time": _passes, "comings": _tells_comings(code, 1 + rounds), "goings": _tells_goings(code)}
    actors |= {"bob": _watches(code, clocks, first, asks)}
    start = world(open=[ALICE_PHONE, BOB_PHONE], gone=[ALICE_LAPTOP] if dead else [], faults=faults)
    return Scenario(actors, start, check, unreliable=["goings"])


def _at(connection: Connection, now: int) -> Connection:
    return connection._replace(connected_at=now)


def _event(
    code: Code, clocks: Mapping[str, int], player: Player, name: str, do: Callable[[ConnectionRoutes, int], None]
) -> None:
    """One of the connection function, which makes one call, and then hands over what is to be told."""

    def way(world: World, off_ms: int) -> Outcome:
        announcer, now = MemoryAnnouncer(), world.now + off_ms
        do(ConnectionRoutes(_sessions(code, world, off_ms), MemoryGateway(), announcer), now)
        return Outcome((tuple(announcer.announced), tuple(announcer.later)))

    def hand_over(world: World) -> Outcome:
        world.comings += now
        world.goings += tuple((world.now + GRACE_MS, going) for going in later)
        return Outcome()

    now, later = player.step(Step(name, _by_each(clocks, way)))
    if now or later:
        player.step(Step(f"{name}, and that is to be told", {"": hand_over}))


def _sessions(code: Code, world: World, off_ms: int) -> Sessions:
    table: Any = WorldTable(world)
    return code.sessions(table, lambda: world.now + off_ms, grace_ms=GRACE_MS)


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


def _tells_comings(code: Code, most: int) -> Actor:
    """The announcement function, invoked asynchronously: as late as it likes, once each."""

    def take(world: World) -> Outcome:
        coming, world.comings = world.comings[:1], world.comings[1:]
        return Outcome(coming)

    def actor(player: Player) -> None:
        def tell() -> bool:
            for coming in player.step(Step("is invoked", {"": take})):
                code.message_function(player, clock(player)).announce(coming)
                return True
            return False

        for _ in range(most):
            tell()
        player.pause(last=True)
        while tell():
            pass

    return actor


def _tells_goings(code: Code) -> Actor:
    """The announcement function, which gets what is due from the queue, and gets again what it did not finish."""

    def due(world: World) -> Outcome:
        return Outcome(next(((one,) for one in world.goings if one[0] <= world.now), ()))

    def actor(player: Player) -> None:
        def tell(*, duplicates: bool) -> bool:
            for one in player.step(Step("gets a message", {"": due})):

                def done(world: World, taken: tuple[int, UserPresence] = one) -> Outcome:
                    world.goings = tuple(other for other in world.goings if other != taken)
                    return Outcome()

                try:
                    code.message_function(player, clock(player)).announce_going(one[1])
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


def _watches(code: Code, clocks: Mapping[str, int], first: UserPresence, asks: int) -> Actor:
    """A client that keeps the highest revision of what it is told, and drops what is lower."""

    def asked(world: World, off_ms: int) -> Outcome:
        (one,) = _sessions(code, world, off_ms).shown([ALICE])
        return Outcome((one.rev, one.online))

    def actor(player: Player) -> None:
        told = [(first.rev, first.online)]
        told += [player.step(Step("asks", _by_each(clocks, asked))) for _ in range(asks)]
        player.pause(last=True)
        pushed = player.step(
            Step("takes what was pushed", {"": lambda world: Outcome(world.take_pushed(BOB_PHONE.id))})
        )
        told += [(one["rev"], one["online"]) for frame in pushed for one in frame.get("users", [])]
        if len({rev for rev, _ in told}) < len(set(told)):
            raise Violation(f"bob is told two things of one revision: {told}")
        actual, failed = player.step(Step("looks who is there", {"": _truth}))
        if not failed and max(told)[1] != actual:
            raise Violation(f"bob has alice as {'away' if actual else 'there'}: {told}")

    return actor


def _truth(world: World) -> Outcome:
    sessions = Sessions(world.table, lambda: world.now)
    return Outcome((bool(sessions.of([ALICE])[ALICE]), world.push_failed))
