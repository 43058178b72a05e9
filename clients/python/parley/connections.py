"""Rule 7 of docs/protocol.md: connections. Open, move to a fresh one, drain the old one, come back after a loss."""

from __future__ import annotations

import itertools
import logging
import random
from collections import deque
from collections.abc import Callable
from enum import Enum

from .effects import Close, Effect, Open, Write
from .errors import Ended, ParleyError, TokenRefused
from .events import Connected, Disconnected
from .frames import Frame, encode
from .mailbox import Mailbox
from .timers import Backoff, Timer, Timers, Timing, named_pause

_LOG = logging.getLogger("parley")


class ConnectionState(Enum):
    """What a connection is for. Those that are closed are forgotten."""

    OPENING = "opening"
    SYNCING = "syncing"  # its first sync is under way; it is current if there is no other
    SYNCED = "synced"  # current, and everything that was missed was told
    DRAINING = "draining"  # replaced, and kept for the replies to what was asked on it
    CLOSED = "closed"


MAX_AWAY_MS = 86_400_000
"""For how long the server may ask a client to stay away."""

_OPEN = (ConnectionState.SYNCING, ConnectionState.SYNCED, ConnectionState.DRAINING)


class Connections:
    """One connection, or two during a move. Requests go out on the current one."""

    def __init__(
        self,
        effects: deque[Effect],
        mailbox: Mailbox,
        timers: Timers,
        timing: Timing,
        rng: random.Random,
        *,
        can_renew_token: bool,
        fail: Callable[[ParleyError], None],
        became_current: Callable[[int], None],
        connected: Callable[[], None],
        was_lost: Callable[[int], None],
    ) -> None:
        self.current: int | None = None
        self.is_ready = False
        """Whether there ever was a connection over which everything that was missed has been told."""
        self.last_reason = "no connection yet"
        self._effects = effects
        self._mailbox = mailbox
        self._timers = timers
        self._timing = timing
        self._random = rng
        self._backoff = Backoff(timing, rng)
        self._can_renew_token = can_renew_token
        self._fail = fail
        self._became_current = became_current
        self._connected = connected
        self._was_lost = was_lost
        self._states: dict[int, ConnectionState] = {}
        self._numbers = itertools.count(1)
        self._attempt = 0
        self._next_attempt: Timer | None = None
        self._earliest = 0.0
        """When the server lets the next attempt begin, by the clock; 0 if it does not mind."""
        self._is_stopped = False

    # What it is asked

    def is_open(self, connection: int) -> bool:
        return self._states.get(connection) in _OPEN

    @property
    def draining(self) -> list[int]:
        return [number for number, state in self._states.items() if state is ConnectionState.DRAINING]

    @property
    def _opening(self) -> int | None:
        return next((number for number, state in self._states.items() if state is ConnectionState.OPENING), None)

    def write(self, connection: int, frame: Frame) -> None:
        self._effects.append(Write(connection, encode(frame)))

    # What it is told

    def open(self) -> None:
        """Asks for a connection, unless one is being opened."""
        self._next_attempt = None
        if self._opening is None and not self._is_stopped:
            number = next(self._numbers)
            self._set(number, ConnectionState.OPENING)
            self._effects.append(Open(number))

    def opened(self, connection: int) -> bool:
        """The connection asked for is there. False if it is not used any more."""
        if connection != self._opening:
            self._effects.append(Close(connection))
            return False
        self._set(connection, ConnectionState.SYNCING)
        self._earliest = 0
        age = self._random.uniform(self._timing.move_earliest, self._timing.move_latest)
        self._timers.after(age, lambda: self._move(connection))
        if self.current is None:
            self._make_current(connection)
        return True

    def failed(self, connection: int, reason: str) -> None:
        """The connection asked for could not be made."""
        if connection == self._opening:
            self._set(connection, ConnectionState.CLOSED, reason)
            self._open_later(reason)

    def refused(self, connection: int, reason: str) -> None:
        """The server did not accept the token."""
        if connection != self._opening:
            return
        if self._can_renew_token:
            self.failed(connection, f"the server refused the token ({reason})")
        else:
            self._fail(
                TokenRefused(
                    f"The server refused the token ({reason}). Pass one that is valid and not expired, or a function"
                    " that fetches a fresh one for each connection."
                )
            )

    def token_expired(self, connection: int) -> None:
        """The server takes no more frames over the connection."""
        if self._can_renew_token:
            self.close(connection, "the token has expired")
        else:
            self._fail(
                TokenRefused(
                    "The token has expired. Connect again with a new one, or pass a function that fetches a fresh one"
                    " for each connection."
                )
            )

    def end(self, connection: int, frame: Frame) -> None:
        """The server ends the connection on purpose, and says when to come back, if ever."""
        code, message = frame["code"], str(frame.get("message") or "")
        if frame.get("temporary") is True:
            away = named_pause(frame.get("retry_after_ms"), MAX_AWAY_MS)
            self.close(connection, message or code, away=away)
        else:
            self._fail(Ended(code, message))

    def ended(self, connection: int, reason: str) -> None:
        """A connection has ended."""
        if connection == self._opening:
            self.failed(connection, reason)
        elif self.is_open(connection):
            self._drop(connection, reason)

    def close(self, connection: int, reason: str, *, away: float = 0) -> None:
        """Closes a connection, as if it had ended. Without another one, the next is `away` seconds later at least."""
        if self.is_open(connection):
            self._effects.append(Close(connection))
            self._drop(connection, reason, away)

    def close_all(self, reason: str) -> None:
        """Closes every connection. The next one is opened a backoff later."""
        opened = [number for number in self._states if self.is_open(number)]
        for number in sorted(opened, key=lambda number: number == self.current):  # or another would become current
            self.close(number, reason)

    def wake(self) -> None:
        """Asks for the next connection now, if there is to be one later."""
        if self._next_attempt:
            self._next_attempt.cancel()
            self.open()

    def synced(self, connection: int, user: str) -> None:
        """Everything that was missed has been told over this connection. Only its first time counts."""
        if self._states[connection] is not ConnectionState.SYNCING:
            return
        self._set(connection, ConnectionState.SYNCED)
        # Not at once: a connection that keeps dropping soon after it opens must not reset the backoff.
        self._timers.after(self._timing.lasting, lambda: self._has_lasted(connection))
        if connection == self.current:
            self.is_ready = True
            self._mailbox.put(Connected(user))
            self._connected()
        elif self.current is not None:
            self._drain(self.current)
            self._make_current(connection)

    def stop(self) -> None:
        """Closes every connection, and opens none."""
        self._is_stopped = True
        self._effects.extend(Close(number) for number in self._states if self.is_open(number))
        for number in list(self._states):
            self._set(number, ConnectionState.CLOSED, "stopped")
        self.current = None

    # How it goes

    def _set(self, connection: int, state: ConnectionState, reason: str = "") -> None:
        before = self._states.pop(connection, None)
        if state is not ConnectionState.CLOSED:
            self._states[connection] = state
        because = f" ({reason})" if reason else ""
        _LOG.debug("connection %d: %s → %s%s", connection, before.value if before else "new", state.value, because)

    def _make_current(self, connection: int) -> None:
        self.current = connection
        self._became_current(connection)

    def _move(self, connection: int) -> None:
        """Replaces a connection that API Gateway will end before long."""
        if connection == self.current and self._next_attempt is None:
            self.open()

    def _drain(self, connection: int) -> None:
        self._set(connection, ConnectionState.DRAINING)
        self._timers.after(self._timing.drain, lambda: self.close(connection, "moved to a fresh connection"))

    def _has_lasted(self, connection: int) -> None:
        if connection == self.current:
            self._attempt = 0

    def _drop(self, connection: int, reason: str, away: float = 0) -> None:
        was_draining = self._states[connection] is ConnectionState.DRAINING
        was_current = connection == self.current
        self._set(connection, ConnectionState.CLOSED, reason)
        if was_current:
            self.current = None
            self._replace()
        self._was_lost(connection)
        if was_draining or (was_current and self.current is not None):
            return
        if away:
            self._earliest = max(self._earliest, self._timers.now + away)
        if self._opening is None:
            self._open_later(reason)
        elif was_current:
            self.last_reason = reason
            self._mailbox.put(Disconnected(reason, 0))

    def _replace(self) -> None:
        """A connection that a planned move has opened takes over early."""
        fresh = [number for number, state in self._states.items() if state is ConnectionState.SYNCING]
        if fresh:
            self._make_current(fresh[0])

    def _open_later(self, reason: str) -> None:
        """Plans the next attempt, unless there is one that the server allows."""
        self.last_reason = reason
        now, planned = self._timers.now, self._next_attempt
        if planned is None or planned.at < self._earliest:
            if planned:
                planned.cancel()
            delay = max(0, self._earliest - now) + self._backoff.delay(self._attempt)
            self._attempt += 1
            planned = self._next_attempt = self._timers.after(delay, self.open)
        if self.current is None:
            self._mailbox.put(Disconnected(reason, max(0, planned.at - now)))  # a computer that slept is late
