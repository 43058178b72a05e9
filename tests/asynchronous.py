"""Tests that are coroutines, and what they wait for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import ParamSpec

from tests.hang import HANG_SECONDS

P = ParamSpec("P")

_LOOK_AGAIN_SECONDS = 0.05


def asynchronous(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Runs a test that is a coroutine, in an event loop of its own. Fixtures and parameters reach it as always."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
    """Waits for something that nobody announces, such as what a screen shows. Raises TimeoutError if that hangs."""
    try:
        async with asyncio.timeout(HANG_SECONDS):
            while not (await found if isawaitable(found := holds()) else found):
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"waited {HANG_SECONDS} s in vain: {what or holds}") from None
