"""The handler of the table's stream: puts stored messages, and arrivals and departures, on the bus.

A failure is raised, so that Lambda repeats the invocation with the same records until it succeeds or gives up: events
are put at least once, and those of a conversation, or of a user, in order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, TypedDict

from chat import log
from chat.budget import budget
from chat.bus import EventBus
from chat.sdk import client
from chat.settings import required
from chat.stream import events_of

_bus = EventBus(
    client("events"), required(os.environ, "EVENT_BUS"), has_text=required(os.environ, "EVENT_TEXT") == "true"
)


class Records(TypedDict):
    """The event of the invocation."""

    Records: Sequence[Mapping[str, Any]]


def handler(event: Records, _: object) -> None:
    budget.begin()
    serve(event, _bus)


def serve(event: Records, bus: EventBus) -> None:
    """Puts the records' events. Raises RuntimeError if the bus did not take all of them."""
    records = event["Records"]
    try:
        events = list(chain.from_iterable(events_of(record, bus) for record in records))
        bus.put(events)
    except Exception as error:
        log.failure("event failed", error)
        raise RuntimeError("the events were not put; see the line before this") from None
    log.line("INFO", "stream", records=len(records), events=len(events))
