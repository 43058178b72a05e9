"""Rules 8 and 9 of docs/protocol.md: presence and typing. Hints: nothing is queued or asked again for them.

Differs from hints.js: an application's question without a connection is asked on the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from . import frames
from .connections import Connections
from .conversations import Conversations
from .errors import Refused
from .events import PresenceChange, Typing
from .frames import MAX_PRESENCE_USERS, USER_ID, Frame
from .mailbox import Mailbox
from .questions import Questions
from .requests import Ask, Lost, Requests, Script
from .timers import Timer, Timers, Timing

IN_SIGHT = 10
"""Chats whose users are in sight where the application does not say whose are: as many as a screen shows."""


class Hints:
    """Who composes, and who is online."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        mailbox: Mailbox,
        *,
        questions: Questions,
        timers: Timers,
        timing: Timing,
        most_presences: int,
        came_into_sight: Callable[[list[str]], None],
    ) -> None:
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._mailbox = mailbox
        self._questions = questions
        self._timers = timers
        self._timing = timing
        self._most_presences = most_presences
        self._came_into_sight = came_into_sight
        self._presences: dict[str, PresenceChange] = {}
        self._learned: dict[str, float] = {}
        """When the server last said so of each."""
        self._in_sight: Callable[[], Iterable[str]] | None = None
        """Whose presence the application shows; None if it shows nobody's."""
        self._asked: set[str] = set()
        """Whose presence was asked for on this connection."""
        self._seen: set[str] = set()
        """Who was in sight on this connection."""
        self._awaited: set[str] = set()
        """Whose presence is being asked for."""
        self._is_connected = False
        self._pause: Timer | None = None
        self._composing: dict[str, Timer] = {}
        """Who is shown as composing, and when that ends."""
        self._said: dict[str, float] = {}
        """To whom we said that we compose, and when."""

    def typing(self, to: str, composing: bool) -> None:
        """Tells the peer that the user composes, as often as the protocol allows, or no longer does."""
        now, said = self._timers.now, self._said.get(to)
        if self._connections.current is None or (composing and self._is_away(to)):
            return
        if composing and (said is None or now - said >= self._timing.composing_every):
            self._said[to] = now
            self._timers.after(self._timing.composing_shown, lambda: self._forget(to, now))
        elif composing or self._said.pop(to, None) is None:
            return
        frame = frames.typing(to, composing) | {"id": self._requests.new_id("typing")}
        self._connections.write(self._connections.current, frame)

    def _is_away(self, user: str) -> bool:
        """Whether nobody would see that we compose, as is known of a minute ago at most, or is being asked."""
        known = self._presences.get(user)
        if known is None or known.online:
            return False
        if self._timers.now - self._learned[user] < self._timing.away:
            return True
        self.notice(user)  # it may have come without a word of it; if so, the next key says that we compose
        return user in self._awaited

    def was_sent(self, to: str) -> None:
        """A message ends composing: the peer takes it so, and the next key says it anew."""
        self._said.pop(to, None)

    def show_composing(self, peer: str, composing: bool) -> None:
        """The peer composes, or no longer does: it said so, a message of it came, or time has passed."""
        timer = self._composing.pop(peer, None)
        if timer:
            timer.cancel()
        if composing:
            shown = self._timing.composing_shown
            self._composing[peer] = self._timers.after(shown, lambda: self.show_composing(peer, False))
        if composing != (timer is not None):
            self._mailbox.put(Typing(peer, composing))

    def ask(self, users: list[str]) -> str:
        """Asks who is online; the `Answer` under the returned id is a tuple of PresenceChange or Refused."""
        return self._questions.ask(frames.presence(users), lambda reply: self.learn(reply["users"]))

    def watch(self, users: tuple[str, ...] | None) -> None:
        """Asks who of these users is online, now and on each later connection: once, and again at a sign of life.

        With None, who of the latest chats is.
        """
        self._in_sight = self._latest if users is None else lambda: users
        self._ask()

    def _latest(self) -> Iterable[str]:
        known = (conversation.peer for conversation in self._conversations.listed if conversation.has_written)
        return islice(known, IN_SIGHT)

    def asked_with_sync(self, *, is_first: bool) -> list[str] | int | None:
        """Whose presence the first `sync` of a connection asks for.

        The users in sight, or a number of the latest chats while none is known yet. None: nobody's.
        """
        if self._is_connected or self._in_sight is None:
            return None
        return IN_SIGHT if is_first else self._unasked(self._shown()) or None

    def answered_with_sync(self, users: list[Frame]) -> None:
        """The `sync` brought the answers. An older server sends none, and is asked after the sync."""
        self._asked.update(presence.user for presence in self.learn(users))

    def connected(self) -> None:
        """There is a connection, and everything missed has been fetched."""
        if self._is_connected:  # another one has ended early
            self._forget_asked()
        self._is_connected = True
        if self._pause:
            self._pause.cancel()
        self._go_on()

    def lost(self) -> None:
        """There is no connection any more: users' arrivals and departures are missed."""
        self._is_connected = False
        self._forget_asked()
        self.forget_presences()

    def _forget_asked(self) -> None:
        self._asked.clear()
        self._seen.clear()

    def notice(self, user: str) -> None:
        """A sign of life. A user not known to be online may have come unannounced."""
        known = self._presences.get(user)
        if (known is None or not known.online) and user not in self._awaited:
            self._asked.discard(user)
            self._ask()

    def _ask(self) -> None:
        """Not for each row while a list is scrolled: a user in sight only for a moment is not asked for."""
        if not self._is_connected or self._pause is not None:
            return
        shown = self._shown()
        new = [user for user in shown if user not in self._seen]
        users = self._unasked(shown)
        if new or users:
            self._pause = self._timers.after(self._timing.presence, self._go_on)
        self._seen.update(new)
        self._came_into_sight(new)
        if users:
            self._asked.update(users)
            self._requests.run(self._learn_of(users))

    def _shown(self) -> list[str]:
        in_sight = self._in_sight() if self._in_sight else ()
        return [user for user in dict.fromkeys(in_sight) if USER_ID.fullmatch(user)]

    def _unasked(self, shown: list[str]) -> list[str]:
        # For a stranger, the answer would be that nobody is there.
        unasked = [user for user in shown if user not in self._asked and not self._is_stranger(user)]
        return unasked[:MAX_PRESENCE_USERS]

    def _is_stranger(self, user: str) -> bool:
        """Whether this user has something of the other's, and has not written to it: nothing would be said of it."""
        conversation = self._conversations.get(user)
        return conversation is not None and conversation.seq > 0 and not conversation.has_written

    def _go_on(self) -> None:
        self._pause = None
        self._ask()

    def _learn_of(self, users: list[str]) -> Script:
        self._awaited.update(users)
        try:
            self.learn((yield Ask(frames.presence(users)))["users"])
        except (Lost, Refused):
            pass  # asked again on the next connection
        finally:
            self._awaited.difference_update(users)

    def learn(self, users: list[Frame]) -> tuple[PresenceChange, ...]:
        """Keeps the highest `rev` of each user, and returns their presence."""
        told = frames.presences(users)
        for presence in told:
            known = self._presences.get(presence.user)
            self._learned[presence.user] = self._timers.now
            if known is None or (presence.rev >= known.rev and presence != known):
                self._presences.pop(presence.user, None)
                self._presences[presence.user] = presence
                self._mailbox.put(presence)
        while len(self._presences) > self._most_presences:
            oldest = next(iter(self._presences))
            del self._presences[oldest], self._learned[oldest]
        return told

    def forget_presences(self) -> None:
        """Their revisions may come again."""
        self._presences.clear()
        self._learned.clear()

    def _forget(self, to: str, at: float) -> None:
        if self._said.get(to) == at:
            del self._said[to]
