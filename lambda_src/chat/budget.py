"""How long one event may take, and which calls are tried again.

The SDK tries each call once. Its own retry rules have changed between versions, and know nothing of the event's other
calls. So retries and pauses are decided here, in the SDK's own events.
"""

from __future__ import annotations

import math
import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

if TYPE_CHECKING:
    from botocore.client import BaseClient

SECONDS = 6.0
"""After that, no call begins. A call that began just before ends within 2 s, and our pauses are shorter than that, so
the client has an error frame before the function's 10 s are over, and need not wait for API Gateway's 29."""

OPERATION_SECONDS = 24.0
"""The same for a backend's operation, whose batch of a hundred messages takes seconds. Its function has 30 s."""

TRIES = 3
FIRST_PAUSE_SECONDS = 0.05
"""The longest pause before the second try; before the third it is twice that. If the call is still throttled then, the
client is told to repeat, so that no function has to wait."""

THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException"}
)


class OutOfTime(BotoCoreError):
    """The event has used up its time, so the call was not begun."""

    fmt = "no time is left for another call"


SDK_ERRORS = (ClientError, BotoCoreError)
"""What a call of the SDK raises when it fails: ClientError if AWS refused it; BotoCoreError if there was no answer, or
no time for the call. Callers that must not fail with it catch these."""


class Budget:
    """The time left for the event that this instance serves; it serves one at a time."""

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
        """Waits for `ms`; not at all if the time ends before that."""
        if self.allows(ms / 1_000):
            time.sleep(ms / 1_000)


budget = Budget()


def keep(client: BaseClient) -> None:
    """Makes the client keep to the budget, with its retries decided here alone."""
    again: Any = _again  # the stubs know of no handler that returns something
    events, service = client.meta.events, client.meta.service_model.service_id.hyphenize()
    events.register("before-call", budget.check)
    events.register("needs-retry", again)
    # The SDK's own handler looks at each answer and never retries, which is 3 % of a call. If it is renamed one day, it
    # stays, and still never retries.
    events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


def _again(attempts: int, response: Any, caught_exception: Exception | None, **_: object) -> float | None:
    """The seconds to wait before the next try; None if there is none."""
    if attempts >= TRIES or not _may_pass(response, caught_exception):
        return None
    pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempts - 1))
    return pause if budget.allows(pause) else None


def _may_pass(response: Any, caught_exception: Exception | None) -> bool:
    """Whether a failure may be temporary: of the network, of the service, or of its throttle."""
    if caught_exception is not None:
        return isinstance(caught_exception, HTTPClientError)
    http, parsed = response
    status: int = http.status_code
    if parsed.get("FailedEntryCount"):  # of PutEvents, which answers 200 even if the bus did not take every event
        return True
    is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS or parsed.get("Error", {}).get("Code") in THROTTLED
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or is_throttled
