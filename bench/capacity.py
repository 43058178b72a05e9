"""What a given number of users costs a month, which quotas they reach, and what would make them cheaper.

A model, not a measurement: list prices, the counts of `make bench` and assumptions about people, all in `prices.json`
and `capacity.json`, to be edited. Each feature is a load; money and quotas are sums over them. The bench's row "a
month" is this model too, with the counts of its own run.
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
from bench.prices import MILLION, REQUESTS_A_DEPARTURE, duration_ms, prices, running

DAYS_A_MONTH = 30.4
SECONDS_A_DAY = 86_400
MINUTES_AN_HOUR = 60
CENTS = 100
BILLION = 1_000_000_000
LEVERS_SHOWN = 3
PLOTTED = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
A_MARK = 1.2
MOST = 10_000_000_000
ALL_OF_THEM = "all of them"
FIXED = "alarms, metrics and the secret"


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
    log_bytes: float = 0  # of our lines, without Lambda's own
    bytes_out: float = 0  # of frames to clients
    queued: float = 0  # requests of SQS

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
        usage, chats = self.figures["usage"], audience.chats
        sent = received = audience.messages_per_day
        hours = usage["hours_online_a_device"] * audience.devices
        # Connections of somebody who is there at all, and of these those that are not the caller's own.
        there = 1 + usage["another_device_there"] * (audience.devices - 1)
        reader, others = usage["found_online"] * there, there - 1
        connects = usage["connects_a_device"] * audience.devices
        fresh = connects * usage["fresh_connects"]
        at_once = received * usage["found_online"]
        typed = sent * usage["typing_frames_a_message"]
        met = usage["found_online"]
        return {
            "messages": self._action("send", sent, pushes=reader + others),
            "delivered receipts": self._receipts(
                "delivered", self._delivered(received, at_once), pushes=reader + others
            ),
            "read receipts": self._receipts(
                "receipt",
                at_once * usage["in_front_of_it"]
                + (received - at_once * usage["in_front_of_it"]) / usage["messages_a_later_receipt"],
                pushes=reader + others,
            ),
            "typing": self._action("typing", typed * met, pushes=there)
            + self._action("typing", typed * (1 - met) * self.setting("typing_to_who_is_away")),
            "heartbeats": _times(connects * self._beats(), self._sync(chats, changed=0)),
            "connecting": self._action("connect", connects)
            + self._action("disconnect", connects)
            + _times(connects - fresh, self._sync(chats, changed=received / connects))
            + _times(fresh, self._whole_list(chats))
            + self._histories(connects * usage["histories_a_connect"])
            + Load(connections=connects),
            "presence, asked": self._asked(audience, connects),
            "presence, told": self._told(audience, connects),
            "connections that are open": Load(minutes=hours * MINUTES_AN_HOUR),
        }

    def _beats(self) -> float:
        """How many heartbeats a connection has.

        Connections end at any time with the same chance, so their lengths are distributed exponentially around the
        mean, and the nth heartbeat is reached by e^(-n * interval / mean) of them. Were the first one after a random
        part of the interval, there would be one for each interval of the time online.
        """
        usage = self.figures["usage"]
        mean = usage["hours_online_a_device"] * MINUTES_AN_HOUR / usage["connects_a_device"]
        intervals = self.setting("heartbeat_minutes") / mean
        return 1 / math.expm1(intervals) if self.setting("first_heartbeat_whole") else 1 / intervals

    def _delivered(self, received: float, at_once: float) -> float:
        """How many `delivered` receipts are sent: of what was pushed, if that takes one, and of what was fetched."""
        usage = self.figures["usage"]
        pushed = at_once * (1 - usage["in_front_of_it"]) * self.setting("receipts_of_what_was_pushed")
        return float(pushed + (received - at_once) / usage["messages_a_later_receipt"])

    def _list_reads(self, chats: int) -> int:
        return math.ceil(chats * float(self.of("counted", "read_units_a_chat")))

    def _sync(self, chats: int, *, changed: float) -> Load:
        """One that names `since`: a heartbeat, or one of a client that was there before."""
        listed, alone = min(changed, chats), self._action("heartbeat", 1)
        return replace(
            alone,
            reads=self._list_reads(chats) + listed * self.of("counted", "read_units_a_preview"),
            bytes_out=alone.bytes_out + listed * self.of("bytes_out", "chat"),
        )

    def _whole_list(self, chats: int) -> Load:
        """The pages of a client that knows nothing yet. Each reads the list."""
        a_page = int(self.setting("chats_a_page"))
        pages = -(-chats // a_page)
        first = min(chats, a_page) if self.setting("previews_of_the_first_page_only") else chats
        previews = first * self.of("counted", "read_units_a_preview")
        alone = _times(pages, self._action("heartbeat", 1))
        return replace(
            alone,
            reads=pages * self._list_reads(chats) + previews,
            bytes_out=alone.bytes_out + chats * self.of("bytes_out", "chat"),
        )

    def _histories(self, times: float) -> Load:
        """Each of as many messages as come together."""
        messages = self.of("usage", "messages_a_later_receipt") * self.of("bytes_out", "message")
        return self._action("history", times) + Load(bytes_out=times * messages)

    def _asked(self, audience: Audience, connects: float) -> Load:
        """A client asks on connect for the first chats, with its sync, and for others as they come into sight."""
        first = min(audience.chats, self.setting("presence_asked"))
        further = min(audience.chats - first, first)
        asking = self._action("presence", 1)
        scrolled = self.of("usage", "lists_scrolled") if further else 0
        if self.setting("presence_with_sync"):
            # Beside the previews, and of chats that were read.
            connecting = Load(
                reads=first * self.of("counted", "read_units_a_partner"),
                bytes_out=first * self.of("bytes_out", "partner"),
            )
        else:
            connecting = self._asking(asking, first)
        return _times(connects, connecting) + _times(scrolled, self._asking(asking, further))

    def _asking(self, alone: Load, users: float) -> Load:
        each = self.of("bytes_out", "partner")
        return replace(alone, reads=users * alone.reads, bytes_out=alone.bytes_out + users * each)

    def _told(self, audience: Audience, connects: float) -> Load:
        """Arrivals and departures: a connect and its end are one each, unless another device is there."""
        usage = self.figures["usage"]
        online = min(1.0, usage["hours_online_a_device"] / 24 * usage["online_more_than_by_chance"])
        departures = connects * (1 - usage["another_device_there"]) ** (audience.devices - 1)
        partners = min(audience.chats, self.setting("announced_chats"))
        pushes = partners * online * audience.devices
        telling = Load(
            frames=pushes,
            reads=self._list_reads(audience.chats) + partners * self.of("counted", "read_units_a_partner"),
            invocations=1,
            milliseconds=duration_ms(Bill(calls=2, pushes=pushes, table_round_trips=2, push_round_trips=1)),
            log_bytes=self.of("log_bytes", "announcement"),
            bytes_out=pushes * self.of("bytes_out", "announcement")["push"],
        )
        if not self.setting("grace_seconds"):
            return _times(2 * departures, telling)
        # What waited in the queue looks whether the user is back.
        waiting = Load(
            queued=REQUESTS_A_DEPARTURE,
            reads=1,
            invocations=1,
            milliseconds=duration_ms(Bill(calls=1, table_round_trips=1)),
            log_bytes=self.of("log_bytes", "announcement not needed"),
        )
        gone = 1 - usage["back_within_the_grace"]
        # One that is told is one invocation and one line, too.
        told = replace(telling, queued=REQUESTS_A_DEPARTURE, reads=telling.reads + 1)
        return _times(departures, _times(gone, telling + told) + _times(1 - gone, waiting))

    def _receipts(self, name: str, times: float, *, pushes: float) -> Load:
        sent, unanswered = self._action(name, times, pushes=pushes), times * (1 - self.setting("acks_of_receipts"))
        reply = self.of("bytes_out", name)["reply"]
        return replace(sent, frames=sent.frames - unanswered, bytes_out=sent.bytes_out - unanswered * reply)

    def _action(self, name: str, times: float, *, pushes: float = 0) -> Load:
        counted, out = self.of("counted", name), self.figures["bytes_out"].get(name, {})
        invocations = counted.get("invocations", 1)
        bill = Bill(
            calls=counted["calls"],
            pushes=pushes,
            table_round_trips=counted["table_trips"],
            push_round_trips=counted["push_trips"],
            beside_pushes=counted.get("beside_pushes", 0),
        )
        once = Load(
            frames=counted["frames"] + pushes,
            writes=counted["writes"],
            reads=counted["reads"],
            invocations=invocations,
            milliseconds=duration_ms(bill, invocations=invocations),
            log_bytes=self.of("log_bytes", name),
            bytes_out=out.get("reply", 0) + pushes * out.get("push", 0),
        )
        return _times(times, once)

    def people(self) -> dict[str, tuple[Model, Audience]]:
        """The people that the figures describe, a million of each kind: the model of what they do, and how many."""
        found = {}
        for kind, they in self.figures["people"].items():
            usage = {**self.figures["usage"], **{name: they[name] for name in they if name in self.figures["usage"]}}
            model = replace(self, figures={**self.figures, "usage": usage})
            found[kind] = model, Audience(devices=they["devices"], chats=they["chats"])
        return found

    @property
    def before(self) -> Model:
        """The same with the settings that there were before any of our choices."""
        return replace(self, settings=self.figures["settings_before"])

    def frame_price(self, audience: Audience) -> float:
        """Dollars a WebSocket message: beyond a billion a month, each is cheaper."""
        first = prices()["list_prices_in_dollars"]["websocket_message_32_kb"]
        further = self.of("more_list_prices_in_dollars", "websocket_message_beyond_a_billion")
        frames = audience.users * DAYS_A_MONTH * sum(load.frames for load in self.features(audience).values())
        dearer = min(1.0, BILLION / frames) if frames else 1.0
        return float(dearer * first + (1 - dearer) * further)

    def dollars(self, load: Load, frame_price: float) -> dict[str, float]:
        """Dollars by service for a load, whatever its time."""
        price = prices()["list_prices_in_dollars"]
        return {
            "WebSocket messages": load.frames * frame_price,
            "connection minutes": load.minutes * price["connection_minute"],
            "DynamoDB writes": load.writes * price["write_unit"],
            "DynamoDB reads": load.reads * price["read_unit"],
            "SQS": load.queued * price["queue_request"],
            "Lambda": load.invocations * price["lambda_request"] + running(load.milliseconds) / MILLION,
            "logs": (load.log_bytes + load.invocations * self.setting("bytes_of_lambdas_own_lines"))
            * price["log_gb"]
            / BILLION,
            "data out": load.bytes_out * self.of("more_list_prices_in_dollars", "data_out_gb") / BILLION,
        }

    def storage(self, audience: Audience) -> float:
        """Dollars a month for what is kept of all, once the retention is full."""
        usage, more = self.figures["usage"], self.figures["more_list_prices_in_dollars"]
        gigabytes = audience.users * audience.messages_per_day * usage["days_kept"] * usage["bytes_a_message"] / 1e9
        return float(gigabytes * (more["storage_gb_month"] + more["recovery_gb_month"]))

    def month(self, audience: Audience) -> dict[str, float]:
        """Dollars a month by service, for everybody."""
        daily = sum(self.features(audience).values(), Load())
        dollars = self.dollars(daily, self.frame_price(audience))
        bill = {name: audience.users * DAYS_A_MONTH * one for name, one in dollars.items()}
        return bill | {
            "storage and recovery": self.storage(audience),
            FIXED: self.of("more_list_prices_in_dollars", "alarms_metrics_and_secret_month"),
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
            "seconds of functions": all_of_them.milliseconds / 1_000,
            "sync frames": features["heartbeats"].invocations + all_of_them.connections * self._syncs(audience.chats),
            "presence frames": features["presence, asked"].invocations,
            "history frames": all_of_them.connections * self.of("usage", "histories_a_connect"),
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

    def levers(self, audience: Audience) -> dict[str, float]:
        """What each of our own choices alone saves of the bill that there would be without all of them, as a fraction.

        The greatest first.
        """
        without = self.before.cents(audience)
        saved = {
            LEVERS[name]: 1 - replace(self, settings={**self.before.settings, name: now}).cents(audience) / without
            for name, now in self.figures["settings"].items()
            if now != self.of("settings_before", name)
        }
        return dict(sorted(saved.items(), key=lambda one: one[1], reverse=True))

    def left(self, audience: Audience) -> dict[str, float]:
        """What each choice that was left would save of the bill as it is, as a fraction, and all of them together."""
        left = self.figures["settings_left"]
        chosen = {LEVERS[name]: {name: value} for name, value in left.items()} | {ALL_OF_THEM: dict(left)}
        now = self.cents(audience)
        return {
            name: 1 - replace(self, settings={**self.settings, **settings}).cents(audience) / now
            for name, settings in chosen.items()
        }

    def _syncs(self, chats: int) -> float:
        """Frames of `sync` of a connect."""
        fresh = self.of("usage", "fresh_connects")
        return float(1 - fresh + fresh * self._whole_list(chats).invocations)

    def cents(self, audience: Audience) -> float:
        """Cents a user and month."""
        return CENTS * sum(self.month(audience).values()) / audience.users


LEVERS = {
    "heartbeat_minutes": "a slower heartbeat",
    "first_heartbeat_whole": "the first heartbeat after a whole interval",
    "announced_chats": "an arrival or departure told to fewer partners",
    "grace_seconds": "a departure told after a grace, and to nobody if the user is back",
    "presence_asked": "presence asked for the chats in sight",
    "presence_with_sync": "presence asked with the first sync",
    "receipts_of_what_was_pushed": "what was pushed and taken is delivered",
    "acks_of_receipts": "no acknowledgement of a receipt",
    "bytes_of_lambdas_own_lines": "Lambda's own lines in the log left out",
    "typing_to_who_is_away": "no typing to who is away",
    "chats_a_page": "longer pages of a chat list",
    "previews_of_the_first_page_only": "previews on the first page alone",
}
"""What each setting is called, for people."""


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
        name: people.users * DAYS_A_MONTH * sum(known.dollars(load, known.frame_price(people)).values())
        for name, load in features.items()
    }
    yield from _table("By feature", by_feature | {"what is kept": known.storage(people)}, total)
    yield "Quotas, and the users at whom each is met in the peak hour"
    for name, users, a_second in known.limits(people):
        raised = "   to be raised" if users < people.users else ""
        yield f"  {users:>14,.0f}  {name}, {a_second:,} a second{raised}"
    if levers := known.levers(people):
        yield "\nWhat saves the most already"
        for name, saved in list(levers.items())[:LEVERS_SHOWN]:
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
