"""From the frame to the push: how long a message takes to reach the recipient's connection, beside a handler that
stores nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from unittest import mock

from bench import plots
from bench.before import pushed_behind_the_moves
from bench.functions import as_bundled, environment, event, imported, running_in
from bench.history import DATE
from bench.measure import Limit, Section, interleave, medians, table
from bench.stub import stub
from bench.warm_cpu import NOW, SEVEN_CALLS, THEN_REMEMBERED, by_asset

TABLE_MS, PUSH_MS = 5, 10
"""As the costs assume for a round trip to the table, and for a push."""
ROUNDS = 300
OURS, BEHIND, UNSTORED = "ours", "ours, pushed behind the moves", "two reads and a push, nothing stored"


def run() -> Section:
    with stub(table_ms=TABLE_MS, push_ms=PUSH_MS) as url:
        with running_in(environment(url, f"{url}/stage")):
            pushes, acks = _sides()
            interleave(pushes, 10)  # opens the connections
            pushed, acknowledged = medians(interleave(pushes, ROUNDS)), medians(interleave(acks, ROUNDS))
        whole = {name: warm.wall for name, warm in by_asset(url).items()}
    to_push, to_end = pushed[OURS] / pushed[UNSTORED], acknowledged[OURS] / acknowledged[BEHIND]
    limits = [
        Limit("frame to push, × two reads and a push that store nothing", to_push, 1, SEVEN_CALLS),
        Limit("frame to acknowledgement, × pushed behind the moves", to_end, 1),
    ]
    if THEN_REMEMBERED in whole:
        figure = f"frame to acknowledgement, × that of {DATE} where the tail was remembered"
        limits.append(Limit(figure, whole[NOW] / whole[THEN_REMEMBERED], 1))
    title = "From the frame to the push, ms"
    plot = partial(plots.bars, title=title, values=pushed, ours=[OURS])
    return Section("From the frame to the push", _text(pushed, acknowledged, whole), limits, {"first-push": plot})


def _text(pushed: Mapping[str, float], acknowledged: Mapping[str, float], whole: Mapping[str, float]) -> str:
    rows = [(side, f"{ms:.1f}", f"{acknowledged[side]:.1f}") for side, ms in pushed.items()]
    return f"""\
Milliseconds from the event to the beginning of the first push, and to the end of the handler, with a table that takes
{TABLE_MS} ms for a call, and {PUSH_MS} ms for a push; medians of {ROUNDS}, interleaved. Ours reads the log beside the
recipient's sessions, stores the message, and pushes while both chats move and it looks once more who listens. Beside it
are the order before that, which moved the chats, read who listens, and pushed then; and what samples do that store
nothing (`bench/baseline/unstored.py`): who is calling, who listens, a push.

{table(["", "to the push, ms", "to the end, ms"], rows)}

To the end, of the whole asset beside that of {DATE}, in processes of their own, interleaved:

{table(["", "to the end, ms"], [(name, f"{ms:.1f}") for name, ms in whole.items()])}
"""


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
