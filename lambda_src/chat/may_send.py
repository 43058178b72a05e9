"""The product's own rule: who may begin a conversation with whom. A function of the product's is asked.

It is asked only for the first message between two users, before anything is stored. A conversation with numbers was
allowed once, so neither later messages nor retries are asked about. A refusal is remembered here for a moment, or
somebody could have the product's function invoked at will.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from chat import log
from chat.budget import SDK_ERRORS
from chat.clock import Clock
from chat.protocol import ChatError, ErrorCode

if TYPE_CHECKING:
    from botocore.client import BaseClient

REFUSED_MS = 60_000
"""How long an instance refuses the same two users without asking, and so the delay before a changed answer counts."""

MAX_REFUSALS = 10_000  # some 300 bytes each


class MaySend(Protocol):
    def check(self, sender: str, to: str) -> None:
        """Raises ChatError: `forbidden`, or `internal` if there is no answer and the rule does not fail open."""


class Unanswered(Exception):
    """The product's function was invoked, and said neither yes nor no."""


class FunctionRule:
    """Asks a Lambda function, with `{"sender": ..., "to": ...}`, which answers `{"allowed": true}` or false.

    `fails_open`: whether a message passes where the function fails, is throttled, or answers something else.
    """

    def __init__(self, client: Callable[[], BaseClient], function: str, *, fails_open: bool, clock: Clock) -> None:
        # Made when first needed: most messages are not the first.
        self._client: Any = cache(client)
        self._function = function
        self._fails_open = fails_open
        self._clock = clock
        self._refused: dict[tuple[str, str], int] = {}

    def check(self, sender: str, to: str) -> None:
        now, pair = self._clock(), (sender, to)
        if self._refused.get(pair, 0) > now:
            raise _forbidden()
        try:
            is_allowed = self._ask(sender, to)
        except (*SDK_ERRORS, Unanswered) as error:
            log.failure("may_send failed", error, user=sender)
            if self._fails_open:
                return
            reason = "could not find out whether this user may write to that one; send the same frame again"
            raise ChatError(ErrorCode.INTERNAL, reason) from None
        if not is_allowed:
            self._remember(pair, now)
            raise _forbidden()

    def _ask(self, sender: str, to: str) -> bool:
        payload = json.dumps({"sender": sender, "to": to})
        response = self._client().invoke(FunctionName=self._function, Payload=payload)
        try:
            answer = json.loads(response["Payload"].read())
        except ValueError:
            raise Unanswered from None
        is_allowed = answer.get("allowed") if isinstance(answer, dict) else None
        if "FunctionError" in response or not isinstance(is_allowed, bool):
            raise Unanswered
        return is_allowed

    def _remember(self, pair: tuple[str, str], now: int) -> None:
        self._refused.pop(pair, None)
        if len(self._refused) >= MAX_REFUSALS:
            del self._refused[next(iter(self._refused))]
        self._refused[pair] = now + REFUSED_MS


def _forbidden() -> ChatError:
    return ChatError(ErrorCode.FORBIDDEN, "this user may not begin a conversation with that one")
