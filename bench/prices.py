"""List prices, and what a million of an action comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.meter import Bill

MEMORY_GB = 1
"""Of each function, as the stack gives it."""
MILLION = 1_000_000

REQUESTS_A_DEPARTURE = 3
"""Of SQS's: it is sent, received and deleted."""


@dataclass(frozen=True, slots=True)
class Dollars:
    """A million of an action."""

    websocket: float
    writes: float
    reads: float
    functions: float
    events: float

    @property
    def total(self) -> float:
        return self.websocket + self.writes + self.reads + self.functions + self.events


@cache
def prices() -> Any:
    return json.loads((Path(__file__).parent.parent / "stacks" / "prices.json").read_text(encoding="utf-8"))


def dollars(bill: Bill, *, frames: int, invocations: int = 1, batch: int = 1) -> Dollars:
    """`frames` are those of the caller: what it sent, and the reply; pushes are counted by the bill.

    The action is one of a `batch` that share an invocation.
    """
    list_prices: Mapping[str, float] = prices()["list_prices_in_dollars"]
    return Dollars(
        websocket=MILLION * list_prices["websocket_message_32_kb"] * (frames + bill.pushes),
        writes=MILLION * list_prices["write_unit"] * bill.write_units,
        reads=MILLION * list_prices["read_unit"] * bill.read_units,
        functions=invocations * MILLION * list_prices["lambda_request"] / batch
        + running(duration_ms(bill, invocations=invocations))
        + bill.questions * (MILLION * list_prices["lambda_request"] + running(answering_ms())),
        events=MILLION * list_prices["event_64_kb"] * bill.events,
    )


def running(milliseconds: float) -> float:
    """Dollars for a million times so long, without what Lambda takes for a request."""
    gb_second: float = prices()["list_prices_in_dollars"]["lambda_gb_second_arm64"]
    return MILLION * gb_second * MEMORY_GB * milliseconds / 1_000


def queueing() -> float:
    """Dollars for a million departures in the queue."""
    request: float = prices()["list_prices_in_dollars"]["queue_request"]
    return MILLION * REQUESTS_A_DEPARTURE * request


def logs(size: float) -> float:
    """Dollars for the lines of a million of an action, which come to so many bytes each time."""
    price: float = prices()["list_prices_in_dollars"]["log_gb"]
    return MILLION * size * price / 1e9


def answering_ms() -> float:
    """How long a product's own rule is assumed to take, at our memory: what is waited for it."""
    return float(prices()["assumed_milliseconds"]["question_round_trip"])


def duration_ms(bill: Bill, *, invocations: int = 1) -> float:
    """What Lambda would bill, from the assumed times of a call: this machine cannot measure AWS's.

    Of several invocations one makes all the calls. The code's own time is at that memory, as the row of the memory
    measures it: nearly all of it is the SDK's, for each call and each push.
    """
    assumed: Mapping[str, float] = prices()["assumed_milliseconds"]
    trips = bill.table_round_trips - bill.beside_pushes
    waits = assumed["table_round_trip"] * trips + assumed["push_round_trip"] * bill.push_round_trips
    beside = assumed["event_round_trip"] * bill.events + answering_ms() * bill.questions
    code = assumed["code"] * invocations + assumed["code_a_call"] * (bill.calls + bill.pushes)
    return waits + beside + code
