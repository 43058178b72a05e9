"""The routes of a client's frames, and what API Gateway lets through of each, for all users together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MESSAGE_ROUTES = (
    *("send", "sync", "history", "receipt", "typing", "presence", "ping", "$default"),
    *("block", "unblock", "unsend"),
)
"""Named, so that metrics and throttling are per action; `$default` takes what names no action."""

ROUTES = ("$connect", "$disconnect", *MESSAGE_ROUTES)

FREQUENT = frozenset({"$connect", "$disconnect", "send", "sync", "history", "receipt", "typing", "presence"})
"""What clients do all the time. Who connects also syncs, reads history and asks for presence, and everybody may connect
at once; who talks sends, types and gets receipts. So none of them may have less than the others."""

RARE_SHARE = 10
"""All other routes get a tenth: people block somebody or take a message back once in a while, pages ping when they wake
up, and no client of ours sends what ends in `$default`."""

BUSIEST = "sync"
BUSIEST_SHARE = 3
"""Each device syncs every four to five minutes whether or not its user does anything. By the model of a month
(bench/capacity.py) that is three times what is next, so with the same throttle it would be met first, long before any
limit of AWS's own."""

MOST_RATE = 10_000
"""Events a second that API Gateway lets through in an account, by its quota."""

MOST_BURST = 5_000
"""What API Gateway lets through at once in an account, by its quota."""


class Throttle(NamedTuple):
    """Events a second, and how many at once."""

    rate: int
    burst: int


def throttles(stage: Throttle, rates: Mapping[str, int]) -> dict[str, Throttle]:
    """The routes that are throttled otherwise than the stage.

    `rates` overrides the events a second of single routes; how many at once goes with it.
    """
    others = {route: max(1, stage.rate // RARE_SHARE) for route in ROUTES if route not in FREQUENT}
    others[BUSIEST] = min(MOST_RATE, BUSIEST_SHARE * stage.rate)
    return {
        route: Throttle(rate, min(MOST_BURST, max(1, stage.burst * rate // stage.rate)))
        for route, rate in {**others, **rates}.items()
    }
