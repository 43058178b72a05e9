"""From the frame to the push: how long a message takes to reach the recipient's connection, beside a handler that
stores nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

from bench import plots
from bench.before import pushed_behind_the_moves
from bench.functions import as_bundled, environment, event, imported, running_in
from bench.measure import Limit, Section, interleave, medians, table
from bench.stub import stub
from bench.warm_cpu import SEVEN_CALLS

SHARED_LOCK = "[why](decisions.md#the-message-first)"

TABLE_MS = 5
"""As the costs assume for a round trip to the table."""
ROUNDS = 300
OURS, BEHIND, UNSTORED = "ours", "ours, pushed behind the moves", "two reads and a push, nothing stored"


def run() -> Section:
    with stub(table_ms=TABLE_MS) as url, running_in(environment(url, f"{url}/stage")):
        pushes, acks = _sides()
        interleave(pushes, 10)  # opens the connections
        pushed, acknowledged = medians(interleave(pushes, ROUNDS)), medians(interleave(acks, ROUNDS))
    to_push, to_end = pushed[OURS] / pushed[UNSTORED], acknowledged[OURS] / acknowledged[BEHIND]
    rows = [(side, f"{ms:.1f}", f"{acknowledged[side]:.1f}") for side, ms in pushed.items()]
    text = f"""\
Milliseconds from the event to the beginning of the first push, and to the end of the handler, with a table that takes
{TABLE_MS} ms for a call; medians of {ROUNDS}, interleaved. Ours reads the log beside the recipient's sessions, stores
the message, and pushes while both chats move; a second look, and the message is acknowledged. Beside it are the order
before that, which moved the chats, read who listens, and pushed then; and what samples do that store nothing
(`bench/baseline/unstored.py`): who is calling, who listens, a push.

{table(["", "to the push, ms", "to the end, ms"], rows)}
"""
    return Section(
        "From the frame to the push",
        text,
        [
            Limit("frame to push, × two reads and a push that store nothing", to_push, 1, SEVEN_CALLS),
            Limit("frame to acknowledgement, × pushed behind the moves", to_end, 1, SHARED_LOCK),
        ],
        {"first-push": partial(plots.bars, title="From the frame to the push, ms", values=pushed, ours=[OURS])},
    )


def _sides() -> tuple[dict[str, Callable[[], float]], dict[str, Callable[[], float]]]:
    """Of each handler, to the push and to the end."""
    with as_bundled():
        ours = imported("message")
    theirs = imported("bench.baseline.unstored")
    numbers = itertools.count(1)

    def behind_the_moves(event: Any, context: object) -> object:
        with pushed_behind_the_moves():
            return ours.handler(event, context)

    def once(handler: Callable[..., object]) -> float:
        started = time.perf_counter()
        handler(event(next(numbers)), None)
        return (time.perf_counter() - started) * 1_000

    def to_push(handler: Callable[..., object], gateway: Any, method: str) -> float:
        began: list[float] = []
        push = getattr(gateway, method)

        def seen(*arguments: object, **named: object) -> Any:
            began.append(time.perf_counter())
            return push(*arguments, **named)

        with mock.patch.object(gateway, method, seen):
            started = time.perf_counter()
            handler(event(next(numbers)), None)
        return (began[0] - started) * 1_000

    gateway = ours._routes._delivery._gateway
    pushes: dict[str, Callable[[], float]] = {
        OURS: partial(to_push, ours.handler, gateway, "push"),
        BEHIND: partial(to_push, behind_the_moves, gateway, "push"),
        UNSTORED: partial(to_push, theirs.handler, theirs.gateway, "post_to_connection"),
    }
    handlers = {OURS: ours.handler, BEHIND: behind_the_moves, UNSTORED: theirs.handler}
    return pushes, {side: partial(once, handler) for side, handler in handlers.items()}
