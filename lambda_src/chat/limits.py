"""What one user may cost: an allowance, earned by the second and spent by what its frames cost.

Nothing else here limits one user. API Gateway's throttles are for all users of the stage together, so a single
connection could use them up, and run up the bill.

An account says until when a user has spent its allowance. That single number stands for a token bucket: time refills
it, and the further it is ahead, the emptier the bucket (a generic cell rate algorithm). Each warm instance keeps its
own accounts, so frames within the allowance cost no call. An instance that sees a user spend much reports it to the
table, and learns from the answer what the user has spent on all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from chat import log
from chat.clock import Clock
from chat.protocol import ChatError, ErrorCode
from chat.sessions import Bar, Barred, Sessions
from chat.table import FAILED_CALLS, Consumed

# Millionths of a dollar: AWS's list prices in us-east-1, those of stacks/prices.json.
MESSAGE = 1.0
READ_UNIT = 0.125
WRITE_UNIT = 0.625
INVOCATION = 1.0
"""A request, some 30 ms of 1,024 MB, and a line in the log: 0.8, rounded up."""

SEND = 6.0
"""The unit of the rate: about what a message to one device is charged. That is three API messages (the frame, the push,
the acknowledgement), three write units, 3.5 read units and the invocation, 6.3 in all."""

CONNECTING = 4
"""What a handshake costs beside its calls, in messages: the authorizer, the `$disconnect` that follows, and a `close`
for another connection."""

BURST_MS = 30_000
"""How much may be spent ahead: half a minute's earnings, 300 messages at the default rate. A device that was away for
long asks for a lot at once."""

MAX_REFUSALS = 50
REFUSAL_MS = 1_000
"""This many frames may be refused at once, and then one a second. Both clients wait as they are told to, with at most a
frame for each conversation under way: only a client that does not listen is refused more often."""

SHARED_MS = 5_000
FORGOTTEN_SHARE = 0.1
"""An instance reports a user's spending to the table once it amounts to five seconds' allowance. A tenth of the rate is
not counted: a user who sends no more than that to each instance is never reported."""

MAX_ACCOUNTS = 10_000  # some 200 bytes each

MAX_BELIEVED_MS = 60_000
"""How long an instance takes a user for barred without asking: an operator may have lifted the bar."""


class OverLimit(ChatError):
    """A user has spent its allowance: `too_many_requests`, with the time until there is some again."""

    def __init__(self, retry_after_ms: int) -> None:
        message = "this user has spent their allowance; wait for retry_after_ms, then send the same frame again"
        super().__init__(ErrorCode.TOO_MANY_REQUESTS, message, retry_after_ms=retry_after_ms)


class _Account:
    """What an instance knows of a user. Times are in milliseconds since the epoch."""

    __slots__ = ("barred_until", "refused_until", "seen_at", "spent_until", "unshared_ms")

    def __init__(self, now: int) -> None:
        self.spent_until: float = now
        self.refused_until: float = now
        self.barred_until = 0
        self.unshared_ms = 0.0
        self.seen_at = now


class Limits:
    """The accounts of one instance.

    `rate` is how many messages a second a user can keep sending. `consumed` returns the table's units used since the
    last call.
    """

    def __init__(self, sessions: Sessions, consumed: Callable[[], Consumed], clock: Clock, *, rate: int) -> None:
        self._sessions = sessions
        self._consumed = consumed
        self._clock = clock
        self._ms_per_millionth = 1_000 / (rate * SEND)
        self._accounts: dict[str, _Account] = {}

    def admit(self, user: str) -> None:
        """Raises OverLimit if the user has spent its allowance, and Barred if it carries on regardless."""
        now, account = self._clock(), self._account(user)
        if account.barred_until > now:
            raise Barred(Bar(account.barred_until))
        if not self.has_spent(user):
            return
        account.refused_until = max(account.refused_until, now) + REFUSAL_MS
        if account.refused_until - now > MAX_REFUSALS * REFUSAL_MS:
            bar = self._sessions.bar_for_longer(user)
            self.believe(user, bar)
            log.line("WARN", "user barred", user=user, until=bar.until)
            raise Barred(bar)
        raise OverLimit(math.ceil(account.spent_until - now - BURST_MS))

    def has_spent(self, user: str) -> bool:
        """Whether the user has spent its allowance."""
        return self._account(user).spent_until - self._clock() > BURST_MS

    def charge(self, user: str, *, messages: int) -> None:
        """Charges the user's account: API messages in both directions, and the table's units."""
        now, account = self._clock(), self._account(user)
        consumed = self._consumed()
        cost = INVOCATION + MESSAGE * messages + READ_UNIT * consumed.read + WRITE_UNIT * consumed.written
        ms = cost * self._ms_per_millionth
        account.spent_until = max(account.spent_until, now) + ms
        forgotten = FORGOTTEN_SHARE * max(0, now - account.seen_at)
        account.unshared_ms = max(0.0, account.unshared_ms - forgotten) + ms
        account.seen_at = now
        if account.unshared_ms >= SHARED_MS:
            self._share(user, account)

    def waive(self) -> None:
        """Charges nobody for what was consumed."""
        self._consumed()

    def believe(self, user: str, bar: Bar) -> None:
        """Refuses a barred user without asking the table, for a while."""
        self._account(user).barred_until = min(bar.until, self._clock() + MAX_BELIEVED_MS)

    def _share(self, user: str, account: _Account) -> None:
        try:
            everywhere = self._sessions.spend(user, round(account.unshared_ms))
        except FAILED_CALLS as error:
            # What this instance has seen still counts here, and is reported with what comes next.
            log.failure("spending not shared", error, user=user)
            return
        account.unshared_ms = 0.0
        account.spent_until = max(account.spent_until, everywhere)

    def _account(self, user: str) -> _Account:
        account = self._accounts.pop(user, None) or _Account(self._clock())
        if len(self._accounts) >= MAX_ACCOUNTS:
            del self._accounts[next(iter(self._accounts))]
        self._accounts[user] = account  # now the last one: those unused for longest go first
        return account
