"""What one abusive user can cost in an hour, and what it leaves to the others: the tables of SECURITY.md.

Prices are the bench's, the limits are the functions' own code, on instances among which Lambda spreads the frames by
chance. Time is simulated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.cost import Cost, measured
from bench.functions import NOWHERE, environment, running_in
from bench.instance import Instance, connection, create_table, instance
from bench.measure import table
from bench.meter import Bill
from chat.dynamo import DynamoTable
from chat.limits import REFUSAL_MS, Limits, OverLimit
from chat.protocol import MAX_PRESENCE_USERS, MAX_TEXT_BYTES
from chat.sdk import client
from chat.sessions import MAX_CONNECTIONS, Barred, Connection, Sessions
from chat.table import Consumed
from chat.tail import MOST_SEARCHED
from tools.dynamodb_local import dynamodb_local

HOUR_MS = 3_600_000
THROTTLE = 500
"""Frames a second of a route, for all users together, and handshakes: the stack's default."""

SYNCS = 1_500
"""Frames a second of `sync`, likewise."""

OFFERED = 5_000
"""Frames a second that one connection can write."""

RATE = 10
"""Messages a second that a user may go on sending: the stack's default."""

TABLE_READS = 40_000
"""Read units a second that a table gives at most, by AWS's default quota."""

INSTANCES = 20
"""What serves 500 frames a second of 40 ms each."""

HANDSHAKE = Cost(Bill(), frames=0, invocations=2)
"""One that is refused: the authorizer allows it, the connection function remembers the bar."""

REFUSED = Cost(Bill(), frames=2)
"""A frame that the limits refuse, and the answer that says so."""

LONG = "x" * MAX_TEXT_BYTES


@dataclass
class Hour:
    """An hour of one abusive user."""

    dollars: float = 0
    frames: int = 0
    flooded_ms: float = 0
    """For how long it filled the route's throttle."""
    throttle: int = THROTTLE

    @property
    def honest_share(self) -> float:
        """Of the frames of somebody else on that route, how many get through at their first try."""
        return 1 - self.flooded_ms / HOUR_MS * (1 - self.throttle / OFFERED)


@dataclass
class _World:
    """Instances that share a table, and a clock."""

    limits: list[Limits] = field(default_factory=list)
    now: float = 1_750_000_000_000
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def any(self) -> Limits:
        return self.chance.choice(self.limits)


def _world(instances: int, consumed: Callable[[], Consumed]) -> _World:
    world = _World()
    shared: Any = client("dynamodb")
    sessions = Sessions(DynamoTable(shared, create_table(shared)), lambda: int(world.now))
    world.limits = [Limits(sessions, consumed, lambda: int(world.now), rate=RATE) for _ in range(instances)]
    return world


def flooding(cost: Cost, instances: int = INSTANCES, throttle: int = THROTTLE) -> Hour:
    """Writes as fast as it can, and connects again as fast as it can once it is closed."""
    return _hour(cost, instances, throttle, refused_ms=1_000 / throttle)


def patient(cost: Cost, instances: int = INSTANCES, throttle: int = THROTTLE) -> Hour:
    """Sends as much as the limits let through, and waits after each refusal, so that it is hardly ever closed."""
    return _hour(cost, instances, throttle, refused_ms=2 * REFUSAL_MS / instances)


def _hour(cost: Cost, instances: int, throttle: int, *, refused_ms: float) -> Hour:
    """`refused_ms` is how long the user waits after a refusal; otherwise it fills the throttle."""
    hour, world = (
        Hour(throttle=throttle),
        _world(instances, lambda: Consumed(cost.bill.read_units, cost.bill.write_units)),
    )
    end, step = world.now + HOUR_MS, 1_000 / throttle
    dollars, refused_dollars = _dollars(cost), _dollars(REFUSED)
    while world.now < end:
        try:
            served = _frame(world, cost)
        except Barred as barred:
            until = min(barred.bar.until, end)
            hour.dollars += (until - world.now) / 1_000 * THROTTLE * _dollars(HANDSHAKE)
            world.now = until
            continue
        world.now += step if served else refused_ms
        hour.flooded_ms += step
        hour.dollars += dollars if served else refused_dollars
        hour.frames += served
    return hour


def _frame(world: _World, cost: Cost) -> bool:
    """Whether the frame was served. Raises Barred."""
    limits = world.any
    try:
        limits.admit("mallory")
    except OverLimit:
        return False
    limits.charge("mallory", messages=cost.frames + int(cost.bill.pushes))
    return True


def _dollars(cost: Cost) -> float:
    return cost.dollars.total / 1_000_000


def unlimited(cost: Cost, throttle: int = THROTTLE) -> Hour:
    """What the stage's throttle alone would let through, and DynamoDB's quota."""
    reads = cost.bill.read_units
    frames = HOUR_MS / 1_000 * min(throttle, TABLE_READS / reads if reads else throttle)
    return Hour(frames * _dollars(cost), round(frames), HOUR_MS, throttle)


def worst_frames(dynamodb_url: str) -> dict[str, Cost]:
    """The dearest frame of each action: two users with all the devices that they may have."""
    with running_in(environment(dynamodb_url, NOWHERE)):
        warm = instance()
        for user in ("mallory", "victim"):
            for device in range(MAX_CONNECTIONS):
                warm.connections.connect(Connection(user, f"{user}-{device + 1}", connection(user).connected_at))
        warm.ask("mallory", "send", to="victim", text="hi")
        warm.ask("victim", "send", to="mallory", text="hi")
        return dict(_costs(warm))


def _costs(warm: Instance) -> Iterator[tuple[str, Cost]]:
    def ask(action: str, **fields: object) -> Cost:
        return measured(warm, lambda: warm.ask("mallory", action, **fields))

    yield "`send`, 8 KB", ask("send", to="victim", text=LONG)
    yield "`send`, short", ask("send", to="victim", text="hi")
    yield "`receipt`, the same again", [ask("receipt", peer="victim", kind="read", seq=1) for _ in range(2)][1]
    yield "`typing`", ask("typing", to="victim", state="composing")
    users = [f"friend-{number}" for number in range(MAX_PRESENCE_USERS)]
    for user in users:
        warm.ask("mallory", "send", to=user, text="hi")
        warm.ask(user, "send", to="mallory", text="hi")
    yield "`presence` of 100", ask("presence", users=users)
    yield "`sync` of 100 chats", ask("sync", limit=100)
    for _ in range(MOST_SEARCHED):
        warm.messages._conversations.append("mallory", "victim", None, LONG)
    yield "`history` of the longest", ask("history", peer="victim", limit=100)
    yield "`send`, a retry behind 1,000 of the longest", ask("send", to="victim", text="hi", id="new", retry=True)
    yield "`ping`, and whatever is refused", ask("ping")


def hours(dynamodb_url: str, costs: Mapping[str, Cost]) -> dict[str, tuple[Hour, Hour, Hour]]:
    """Of each action: without our limits, flooding, and patient."""
    with running_in(environment(dynamodb_url, NOWHERE)):
        return {
            name: _of_all_kinds(cost, SYNCS if name.startswith("`sync`") else THROTTLE) for name, cost in costs.items()
        }


def _of_all_kinds(cost: Cost, throttle: int) -> tuple[Hour, Hour, Hour]:
    return unlimited(cost, throttle), flooding(cost, throttle=throttle), patient(cost, throttle=throttle)


def text(found: Mapping[str, tuple[Hour, Hour, Hour]]) -> str:
    """The table of SECURITY.md."""
    header = ["", "without limits", "flooding", "patient", "frames served", "others' frames at the first try"]
    return table(header, [_row(name, *three) for name, three in found.items()])


def _row(name: str, before: Hour, flood: Hour, patient: Hour) -> tuple[str, ...]:
    spent = (f"${hour.dollars:.2f}" for hour in (before, flood, patient))
    return name, *spent, f"{patient.frames:,}", f"{flood.honest_share:.1%}"


if __name__ == "__main__":
    with dynamodb_local() as url:
        print(text(hours(url, worst_frames(url))))
