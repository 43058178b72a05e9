"""How long one event may take, and which calls are tried again.

The SDK makes one try of each call. Its own rules of what to try again and how long to wait before have changed between
versions, and know nothing of the calls before. So both are decided here, in the SDK's own events.
"""

from __future__ import annotations

import math
import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, HTTPClientError

if TYPE_CHECKING:
    from botocore.client import BaseClient

SECONDS = 6.0
"""From then on no call begins. One that began just before ends within 2 s, and a pause of ours is shorter than that:
so the client has an error frame before the function's 10 s are over, and need not wait for API Gateway's 29."""

OPERATION_SECONDS = 24.0
"""The same for an operation of a backend, whose batch of a hundred messages takes several seconds. The function that
does it has 30 s."""

TRIES = 3
FIRST_PAUSE_SECONDS = 0.05
"""The longest pause before the second try; before the third it is twice that. What is still throttled by then, the
client is told to repeat, which costs nobody a waiting function."""

THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException"}
)


class OutOfTime(BotoCoreError):
    """The event has used up its time, so the call was not begun."""

    fmt = "no time is left for another call"


class Budget:
    """The time of the event that this instance serves; it serves one at a time."""

    def __init__(self) -> None:
        self._ends = math.inf

    def begin(self, seconds: float = SECONDS) -> None:
        """To be called first of all when an event comes."""
        self._ends = time.monotonic() + seconds

    def check(self, **_: object) -> None:
        """Raises OutOfTime if there is none left."""
        if time.monotonic() >= self._ends:
            raise OutOfTime

    def allows(self, pause: float) -> bool:
        """Whether a call may begin after the pause."""
        return time.monotonic() + pause < self._ends

    def wait(self, ms: int) -> None:
        """Waits for that many milliseconds; not at all if the time ends before."""
        if self.allows(ms / 1_000):
            time.sleep(ms / 1_000)


budget = Budget()


def keep(client: BaseClient) -> None:
    """Has the client keep to the budget, and try its calls again here alone."""
    again: Any = _again  # the stubs know of no handler that returns something
    events, service = client.meta.events, client.meta.service_model.service_id.hyphenize()
    events.register("before-call", budget.check)
    events.register("needs-retry", again)
    # The SDK's own looks at each answer and never says yes, which is 3 % of a call. Should it be renamed one day,
    # it stays, and still never does.
    events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


def _again(attempts: int, response: Any, caught_exception: Exception | None, **_: object) -> float | None:
    """The seconds to wait before the next try; None if there is none."""
    if attempts >= TRIES or not _may_pass(response, caught_exception):
        return None
    pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempts - 1))
    return pause if budget.allows(pause) else None


def _may_pass(response: Any, caught_exception: Exception | None) -> bool:
    """Whether a failure may be over in a moment: of the network, of the service, or of its throttle."""
    if caught_exception is not None:
        return isinstance(caught_exception, HTTPClientError)
    http, parsed = response
    status: int = http.status_code
    if parsed.get("FailedEntryCount"):  # of PutEvents, which answers 200 with what the bus has not taken
        return True
    is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS or parsed.get("Error", {}).get("Code") in THROTTLED
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or is_throttled
