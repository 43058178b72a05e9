"""What a given number of users costs a month, which quotas they reach, and what would make them cheaper.

A model, not a measurement: list prices, the counts of `make bench` and assumptions about people, all in `prices.json`
and `capacity.json`, to be edited. Each feature is a list of loads; money and quotas are sums over them.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.meter import Bill
from bench.prices import MILLION, duration_ms, logs, prices, running

DAYS_A_MONTH = 30.4
SECONDS_A_DAY = 86_400
MINUTES_AN_HOUR = 60
CENTS = 100
CHATS_A_FRAME = 50  # of a page of `sync`
LEVERS_SHOWN = 3
PLOTTED = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
A_MARK = 1.2
MOST = 10_000_000_000


class BadUsage(Exception):
    """The command line is not what it has to be; the message says what it has to be."""


@dataclass(frozen=True, slots=True)
class Audience:
    """How many people there are, and what each of them does in a day."""

    users: int = 1_000_000
    messages_per_day: float = 20
    devices: float = 2
    chats: int = 50


@dataclass(frozen=True, slots=True)
class Load:
    """What one user causes in a day, by the units that AWS bills and limits."""

    frames: float = 0  # billed messages of the WebSocket, pushes included
    writes: float = 0
    reads: float = 0
    invocations: float = 0
    milliseconds: float = 0
    connections: float = 0
    minutes: float = 0

    def __add__(self, other: Load) -> Load:
        return Load(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Model:
    """The assumptions and counts, and how often a setting lets things happen."""

    figures: Mapping[str, Any]
    settings: Mapping[str, float] = field(default_factory=dict)

    def of(self, section: str, name: str) -> Any:
        return self.figures[section][name]

    def setting(self, name: str) -> float:
        return float(self.settings.get(name, self.of("settings", name)))

    def features(self, audience: Audience) -> dict[str, Load]:
        """What each feature comes to, by user and day."""
        usage = self.figures["usage"]
        sent = received = audience.messages_per_day
        connects = usage["connects_a_device"] * audience.devices
        hours = usage["hours_online_a_device"] * audience.devices
        online = min(1.0, usage["hours_online_a_device"] / 24 * usage["online_more_than_by_chance"])
        there, others = usage["found_online"] * audience.devices, audience.devices - 1
        in_front = usage["found_online"] * usage["in_front_of_it"]
        told = min(audience.chats, self.setting("announced_chats"))
        asked = min(audience.chats, self.setting("presence_asked"))
        changes = connects * usage["comings_and_goings_a_connect"]
        beats = hours * MINUTES_AN_HOUR / self.setting("heartbeat_minutes")
        pages = -(-audience.chats // CHATS_A_FRAME)
        chat_list = pages * audience.chats * self.of("counted", "read_units_a_chat")
        sync = Load(
            frames=2 * pages,
            reads=chat_list + audience.chats * self.of("counted", "read_units_a_preview"),
            invocations=pages,
            milliseconds=pages * duration_ms(Bill(table_round_trips=2)),
        )
        asking = replace(self._action("presence", 1), reads=asked * self.of("counted", "presence")["reads"])
        telling = Load(
            frames=told * online * audience.devices,
            reads=chat_list / pages + told * self.of("counted", "read_units_a_partner"),
            invocations=1,
            milliseconds=duration_ms(Bill(table_round_trips=2, push_round_trips=1)),
        )
        return {
            "messages": self._action("send", sent, pushes=there + others),
            "delivered receipts": self._action("receipt", received * (there - in_front), pushes=there + others),
            "read receipts": self._action("receipt", received * in_front, pushes=there + others),
            "typing": self._action("typing", sent * usage["typing_frames_a_message"], pushes=there),
            "heartbeats": self._action("heartbeat", beats),
            "connecting": self._action("connect", connects)
            + self._action("disconnect", connects)
            + _times(connects, sync)
            + self._action("history", connects * usage["histories_a_connect"])
            + Load(connections=connects),
            "presence, asked": _times(connects, asking),
            "presence, told": _times(changes, telling),
            "connections that are open": Load(minutes=hours * MINUTES_AN_HOUR),
        }

    def _action(self, name: str, times: float, *, pushes: float = 0) -> Load:
        counted = self.of("counted", name)
        trips = Bill(table_round_trips=counted["table_trips"], push_round_trips=counted["push_trips"])
        once = Load(
            frames=counted["frames"] + pushes,
            writes=counted["writes"],
            reads=counted["reads"],
            invocations=counted.get("invocations", 1),
            milliseconds=duration_ms(trips),
        )
        return _times(times, once)

    def dollars(self, load: Load) -> dict[str, float]:
        """Dollars by service for a load, whatever its time."""
        price = prices()["list_prices_in_dollars"]
        return {
            "WebSocket messages": load.frames * price["websocket_message_32_kb"],
            "connection minutes": load.minutes * price["connection_minute"],
            "DynamoDB writes": load.writes * price["write_unit"],
            "DynamoDB reads": load.reads * price["read_unit"],
            "Lambda": load.invocations * price["lambda_request"] + running(load.milliseconds) / MILLION,
            "logs": load.invocations * logs() / MILLION,
        }

    def storage(self, audience: Audience) -> float:
        """Dollars a month for what is kept of all, once the retention is full."""
        usage, more = self.figures["usage"], self.figures["more_list_prices_in_dollars"]
        gigabytes = audience.users * audience.messages_per_day * usage["days_kept"] * usage["bytes_a_message"] / 1e9
        return float(gigabytes * (more["storage_gb_month"] + more["recovery_gb_month"]))

    def month(self, audience: Audience) -> dict[str, float]:
        """Dollars a month by service, for everybody."""
        daily = sum(self.features(audience).values(), Load())
        bill = {name: audience.users * DAYS_A_MONTH * one for name, one in self.dollars(daily).items()}
        return bill | {
            "storage and recovery": self.storage(audience),
            "alarms and the secret": self.of("more_list_prices_in_dollars", "alarms_and_secret_month"),
        }

    def limits(self, audience: Audience) -> list[tuple[str, float, float]]:
        """Each quota, with the users at whom it is met in the peak hour, lowest first; and what it is a second."""
        features = self.features(audience)
        all_of_them = sum(features.values(), Load())
        a_day = {
            "read units": all_of_them.reads,
            "write units": all_of_them.writes,
            "requests": all_of_them.frames + 2 * all_of_them.connections,
            "connections": all_of_them.connections,
            "invocations": all_of_them.invocations,
            "sync frames": features["heartbeats"].invocations + all_of_them.connections,
            "send frames": features["messages"].invocations,
            "receipt frames": features["delivered receipts"].invocations + features["read receipts"].invocations,
            "typing frames": features["typing"].invocations,
        }
        peak = self.of("usage", "peak_over_mean") / SECONDS_A_DAY
        met = [
            (name, quota["a_second"] / (a_day[quota["of"]] * peak), quota["a_second"])
            for name, quota in self.figures["quotas"].items()
            if a_day[quota["of"]]
        ]
        return sorted(met, key=lambda one: one[1])

    def levers(self, audience: Audience) -> list[tuple[str, float]]:
        """What a change would save of the bill, as a fraction, the greatest first."""
        before = sum(self.month(audience).values())

        def saved(model: Model, people: Audience = audience) -> float:
            return 1 - sum(model.month(people).values()) / before

        retention = {**self.figures, "usage": {**self.figures["usage"], "days_kept": 90}}
        found = {
            "comings and goings told to the latest 10 chats": saved(replace(self, settings={"announced_chats": 10})),
            "presence asked for 10 chats on connect": saved(replace(self, settings={"presence_asked": 10})),
            "a heartbeat every 7 minutes": saved(replace(self, settings={"heartbeat_minutes": 7})),
            "messages kept for 90 days": saved(replace(self, figures=retention)),
        }
        return sorted(found.items(), key=lambda one: one[1], reverse=True)


def _times(times: float, load: Load) -> Load:
    return Load(*(times * getattr(load, one.name) for one in fields(load)))


@cache
def model() -> Model:
    return Model(json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8")))


def audience(given: Mapping[str, str]) -> Audience:
    """The audience that the variables name; what is not there, or empty, is as usual. Raises BadUsage."""
    chosen: dict[str, float] = {}
    for one in fields(Audience):
        text = given.get(one.name.upper(), "")
        if not text:
            continue
        try:
            number = float(text.replace("_", ""))
        except ValueError:
            number = -1.0
        least = 0 if one.name == "messages_per_day" else 1
        if not least <= number <= MOST:
            raise BadUsage(f"{one.name.upper()} is not a number from {least} to {MOST:,}: {text!r}")
        chosen[one.name] = int(number) if one.type == "int" else number
    return Audience(**chosen)  # type: ignore[arg-type]


def report(people: Audience) -> Iterator[str]:
    """The answer, a line each."""
    known = model()
    bill, features = known.month(people), known.features(people)
    total = sum(bill.values())
    yield (
        f"{people.users:,} users, each with {people.messages_per_day:g} messages a day, "
        f"{people.devices:g} devices and {people.chats} chats"
    )
    yield f"List prices of {prices()['region']}, {prices()['date']}; a model, see bench/capacity.json\n"
    yield f"${total:,.0f} a month, {CENTS * total / people.users:.2f} cents a user\n"
    yield from _table("By service", bill, total)
    by_feature = {
        name: people.users * DAYS_A_MONTH * sum(known.dollars(load).values()) for name, load in features.items()
    }
    yield from _table("By feature", by_feature | {"what is kept": known.storage(people)}, total)
    yield "Quotas, and the users at whom each is met in the peak hour"
    for name, users, a_second in known.limits(people):
        raised = "   to be raised" if users < people.users else ""
        yield f"  {users:>14,.0f}  {name}, {a_second:,} a second{raised}"
    yield "\nThe greatest levers"
    for name, saved in known.levers(people)[:LEVERS_SHOWN]:
        yield f"  {-saved:>6.0%}  {name}"
    yield "\nDollars a month by users; a mark more is a fifth more"
    yield from _plot(known, people)
    yield "\nOne account and Region end where a quota cannot be raised any more: docs/scaling.md"


def _plot(known: Model, people: Audience) -> Iterator[str]:
    """A bar for each number of users, as long as the logarithm of what they cost, and how many quotas they meet."""
    for users in PLOTTED:
        total = sum(known.month(replace(people, users=users)).values())
        met = sum(at < users for _, at, _ in known.limits(people))
        bar = "▇" * max(1, round(math.log(total, A_MARK)))
        yield f"  {users:>14,}  {bar} ${total:,.0f}" + (f", {met} quotas to be raised" if met else "")


def _table(title: str, dollars: Mapping[str, float], total: float) -> Iterator[str]:
    yield title
    for name, one in sorted(dollars.items(), key=lambda one: one[1], reverse=True):
        yield f"  ${one:>13,.0f}  {one / total:>4.0%}  {name}"
    yield ""


def main() -> int:
    try:
        people = audience(os.environ)
    except BadUsage as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(people)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
