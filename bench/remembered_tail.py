"""What it would save to remember a conversation's tail: a simulation of how Lambda's instances are reused.

Frames come by chance, each to an instance that is not busy; if all are, to a new one. What is not used for ten minutes
is gone. Which of the idle ones Lambda takes, it does not say, so each way is simulated.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.measure import Section, table
from bench.prices import MILLION, prices

SEED = 20261129
FRAMES_A_SECOND = (1, 2, 30, 300)
FRAMES_A_SEND = 7
"""Of the message function: somebody with 50 chats sends a seventh of its frames, by the model of a month."""
SECONDS_BETWEEN_MESSAGES = 8.0
REMEMBERED_SECONDS = 60.0
IDLE_SECONDS = 600.0
SERVED_SECONDS = 0.03
"""By the prices' times, on average."""
SENDS = 4_000
"""Counted, after as many that are not."""

TABLE_MS, PAUSE_MS = 5, 5
"""Of a stale memory: the put that is refused, the tail that is read, and the pause between them, on average."""

Pick = Callable[[deque[tuple[float, int]], random.Random], int]
"""Takes out the idle instance that Lambda takes. They are in the order in which they became idle, with the time."""


def _any(idle: deque[tuple[float, int]], chance: random.Random) -> int:
    index = chance.randrange(len(idle))
    _, taken = idle[index]
    del idle[index]
    return taken


PICKS: dict[str, Pick] = {
    "the one used last": lambda idle, _: idle.pop()[1],
    "any": _any,
    "the one idle for longest": lambda idle, _: idle.popleft()[1],
}


@dataclass
class Sends:
    """What the sends found in memory, and how many instances there were at the end."""

    fresh: int = 0
    stale: int = 0
    neither: int = 0
    instances: int = 0

    @property
    def dollars(self) -> float:
        """More or less for a million: half a unit less for a fresh one; for a stale one a put and half a unit more."""
        price = prices()["list_prices_in_dollars"]
        dearer = self.stale * (price["write_unit"] + price["read_unit"] / 2) - self.fresh * price["read_unit"] / 2
        return float(MILLION * dearer / SENDS)

    @property
    def milliseconds(self) -> float:
        """More for a send. A fresh one is no faster: the tail is read beside who listens."""
        return self.stale * (2 * TABLE_MS + PAUSE_MS) / SENDS


@dataclass
class Fleet:
    """Warm instances, and what each remembers."""

    pick: Pick
    chance: random.Random
    idle: deque[tuple[float, int]] = field(default_factory=deque)
    busy: list[tuple[float, int]] = field(default_factory=list)
    made: int = 0

    def serve(self, now: float) -> int:
        """The instance that takes a frame."""
        while self.busy and self.busy[0][0] <= now:
            self.idle.append(heapq.heappop(self.busy))
        while self.idle and self.idle[0][0] < now - IDLE_SECONDS:
            self.idle.popleft()
        if self.idle:
            taken = self.pick(self.idle, self.chance)
        else:
            taken, self.made = self.made, self.made + 1
        heapq.heappush(self.busy, (now + SERVED_SECONDS, taken))
        return taken


def simulated(frames_a_second: int, pick: Pick) -> Sends:
    chance = random.Random(SEED)
    fleet, found, now = Fleet(pick, chance), Sends(), 0.0
    conversations = round(frames_a_second / FRAMES_A_SEND * SECONDS_BETWEEN_MESSAGES)
    newest = [0] * conversations
    memory: dict[tuple[int, int], tuple[int, float]] = {}
    sent = 0
    while sent < 2 * SENDS:
        now += chance.expovariate(frames_a_second)
        taken = fleet.serve(now)
        if chance.randrange(FRAMES_A_SEND):
            continue  # another frame than a send
        sent += 1
        talk = chance.randrange(conversations)
        seq, at = memory.get((taken, talk), (0, -REMEMBERED_SECONDS))
        if sent > SENDS:
            if now - at >= REMEMBERED_SECONDS:
                found.neither += 1
            elif seq == newest[talk]:
                found.fresh += 1
            else:
                found.stale += 1
        newest[talk] += 1
        memory[taken, talk] = newest[talk], now
    found.instances = len(fleet.idle) + len(fleet.busy)
    return found


def run() -> Section:
    rows = [
        _row(frames_a_second, name, simulated(frames_a_second, pick))
        for frames_a_second in FRAMES_A_SECOND
        for name, pick in PICKS.items()
    ]
    header = ["frames a second", "Lambda takes", "instances", "fresh", "stale", "$ a million sends", "ms a send"]
    return Section("A remembered tail", f"{_assumed()}\n{table(header, rows)}\n")


def _row(frames_a_second: int, name: str, found: Sends) -> tuple[object, ...]:
    shares = f"{found.fresh / SENDS:.0%}", f"{found.stale / SENDS:.0%}"
    costs = f"{found.dollars:+.2f}", f"{found.milliseconds:+.1f}"
    return frames_a_second, name, found.instances, *shares, *costs


def _assumed() -> str:
    return f"""\
A simulation, not a measurement (`bench/remembered_tail.py`; the same in each run): what it would save if a warm
function remembered the tail of a conversation for {REMEMBERED_SECONDS:.0f} s and tried the number behind it. Frames
come by chance, {SERVED_SECONDS * 1_000:.0f} ms each, one in {FRAMES_A_SEND} a `send`; in each conversation there is a
message every {SECONDS_BETWEEN_MESSAGES:.0f} s on average. A frame goes to an instance that is idle; to a new one, if
none is; what is idle for {IDLE_SECONDS / 60:.0f} minutes ends. Which of the idle ones Lambda takes, it does not say. A
memory that is fresh saves the tail's half a read unit, and no time; a stale one costs a put that is refused, the tail
read with consistency, and a pause. Traffic in bursts would make more instances, and more of what is remembered stale.
"""
