"""The routes of a client's frames, and how many events of each API Gateway lets through, for all users together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MESSAGE_ROUTES = (
    *("send", "sync", "history", "receipt", "typing", "presence", "ping", "$default"),
    *("block", "unblock", "unsend"),
)
"""Named, so that metrics and throttling are per action; `$default` takes frames that name no action."""

ROUTES = ("$connect", "$disconnect", *MESSAGE_ROUTES)

FREQUENT = frozenset({"$connect", "$disconnect", "send", "sync", "history", "receipt", "typing", "presence"})
"""What clients do all the time. A client that connects also syncs, reads history and asks for presence, and everybody
may connect at once; a user who talks sends, types and gets receipts. So none of these may have less than the others."""

RARE_SHARE = 10
"""All other routes get a tenth: people rarely block somebody or take a message back, pages ping when they wake up, and
no client of ours sends anything that ends in `$default`."""

BUSIEST = "sync"
BUSIEST_SHARE = 3
"""Each device syncs every four to five minutes whether or not its user does anything. By the model of a month
(bench/capacity.py), with 50 chats that is three times the next route's, so the same throttle would be met first, long
before any limit of AWS's own."""

MOST_RATE = 10_000
"""API Gateway's quota for an account, in events a second."""

MOST_BURST = 5_000
"""API Gateway's quota for an account, in events at once."""


class Throttle(NamedTuple):
    """Events a second, and how many at once."""

    rate: int
    burst: int


def throttles(stage: Throttle, rates: Mapping[str, int]) -> dict[str, Throttle]:
    """The routes whose throttle differs from the stage's.

    `rates` overrides the events a second of single routes; the burst follows.
    """
    others = {route: max(1, stage.rate // RARE_SHARE) for route in ROUTES if route not in FREQUENT}
    others[BUSIEST] = min(MOST_RATE, BUSIEST_SHARE * stage.rate)
    return {
        route: Throttle(rate, min(MOST_BURST, max(1, stage.burst * rate // stage.rate)))
        for route, rate in {**others, **rates}.items()
    }
