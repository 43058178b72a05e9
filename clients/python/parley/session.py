"""The client's side of docs/protocol.md without I/O: frames and time go in, frames and events come out.

It puts the rules together. Calls go one way only, as docs/architecture.md draws them.

Differs from chat-client.js: events wait in the mailbox until the application takes them; there, listeners hear at once.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

from . import frames, state
from .arrivals import Arrivals
from .blocks import Blocks
from .bounds import Bounds
from .connections import Connections
from .conversations import Conversations
from .data import Data
from .effects import Effect
from .epoch import Epoch
from .errors import ParleyError
from .events import Conversation, Event, Message, Unsent
from .expiry import Expiry
from .frames import DEFAULT_BACKLOG, MAX_PRESENCE_USERS, PAGE
from .gaps import Gaps
from .hints import Hints
from .incoming import Incoming
from .mailbox import Mailbox
from .outbox import Outboxes
from .questions import Questions
from .receipts import Receipts
from .requests import Requests
from .state import State
from .sync import Sync
from .timers import Backoff, Timers, Timing
from .unsending import Unsending


class Session:
    """One user's conversations, over whatever connections it takes, without I/O.

    The code that drives it calls `start`, reports what connections do (`opened`, `failed`, `refused`, `received`,
    `closed`), calls `tick` when `deadline` has come, and after each call carries out the `effects` and passes on
    `next_event`. Clock, randomness and ids come from outside, so that the same input always gives the same output.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        state: Mapping[str, Any] | None = None,
        backlog: int = DEFAULT_BACKLOG,
        send_delivered: bool = True,
        can_renew_token: bool = True,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        timing, bounds, rng = timing or Timing(), bounds or Bounds(), rng or random.Random()
        backlog = min(backlog, PAGE)
        self.effects: deque[Effect] = deque()
        self.failure: ParleyError | None = None
        self._is_stopped = False
        self._new_id = new_id

        self._timers = timers = Timers(clock)
        self._mailbox = mailbox = Mailbox(bounds.events)
        self._conversations = conversations = Conversations(bounds)
        self._connections = connections = Connections(
            self.effects,
            mailbox,
            timers,
            timing,
            rng,
            can_renew_token=can_renew_token,
            fail=self.fail,
            became_current=self._became_current,
            connected=self._on_connected,
            was_lost=self._was_lost,
        )
        self._requests = requests = Requests(connections, timers, Backoff(timing, rng), timing.reply)
        questions = Questions(requests, self.effects)
        expiry = Expiry(conversations, mailbox)
        self._receipts = receipts = Receipts(
            requests,
            connections,
            conversations,
            mailbox,
            timers=timers,
            timing=timing,
            rng=rng,
            send_delivered=send_delivered,
        )
        self._hints = hints = Hints(
            requests,
            connections,
            conversations,
            mailbox,
            questions=questions,
            timers=timers,
            timing=timing,
            most_presences=bounds.presences,
            came_into_sight=self._came_into_sight,
        )
        arrivals = Arrivals(conversations, mailbox, expiry, hints, most_ahead=bounds.ahead)
        self._gaps = gaps = Gaps(
            requests,
            connections,
            conversations,
            mailbox,
            questions=questions,
            expiry=expiry,
            arrivals=arrivals,
            timers=timers,
            backlog=backlog,
            at_once=bounds.fetches,
        )
        self._outboxes = outboxes = Outboxes(
            requests,
            connections,
            conversations,
            mailbox,
            self.effects,
            arrivals=arrivals,
            timers=timers,
            most_unsent=bounds.unsent,
        )
        self._blocks = blocks = Blocks(questions, conversations, hints, mailbox)
        self._sync = sync = Sync(
            requests,
            connections,
            conversations,
            epoch=Epoch(connections, conversations, mailbox, receipts, hints),
            gaps=gaps,
            expiry=expiry,
            receipts=receipts,
            blocks=blocks,
            hints=hints,
            timers=timers,
            rng=rng,
            backlog=backlog,
            fail=self.fail,
        )
        self._incoming = Incoming(
            requests,
            connections,
            conversations,
            arrivals,
            outboxes=outboxes,
            receipts=receipts,
            blocks=blocks,
            hints=hints,
            sync=sync,
        )
        self._unsending = Unsending(questions, conversations, self._incoming.message)
        if state is not None:
            self._restore(state)

    # What is reported to it

    def start(self) -> None:
        """Asks for the first connection."""
        self._connections.open()

    def opened(self, connection: int) -> None:
        """The connection asked for is there."""
        if self._connections.opened(connection):
            self._sync.start(connection)
        self._settle()

    def wake(self) -> None:
        """Asks for a connection at once, if it waits before the next attempt."""
        self._connections.wake()

    def failed(self, connection: int, reason: str) -> None:
        """The connection asked for could not be made."""
        self._connections.failed(connection, reason)

    def refused(self, connection: int, reason: str) -> None:
        """The server did not accept the token."""
        self._connections.refused(connection, reason)

    def received(self, connection: int, text: str) -> None:
        """A text frame has come. One that does not follow the protocol is ignored."""
        if self._connections.is_open(connection) and (frame := frames.parse(text, self.user)):
            self._incoming.received(connection, frame)
        self._settle()

    def closed(self, connection: int, reason: str) -> None:
        """A connection has ended."""
        self._connections.ended(connection, reason)
        self._settle()

    def tick(self) -> None:
        """Time has passed: does what is due."""
        self._timers.run()
        self._settle()

    @property
    def deadline(self) -> float | None:
        """When to call `tick`, by the clock."""
        return self._timers.deadline

    def stop(self) -> None:
        """Closes every connection and opens none."""
        if self.failure is None and not self._is_stopped:
            self._receipts.send_all()
        self._is_stopped = True
        self._timers.clear()
        self._connections.stop()
        self._sync.stop()
        self._requests.stop()

    def fail(self, error: ParleyError) -> None:
        """Stops for good, for a reason that waiting does not mend."""
        if self.failure is None and not self._is_stopped:
            self.failure = error
            self.stop()

    # What can be asked of it

    @property
    def user(self) -> str | None:
        """Who the token speaks for; None before that is known."""
        return self._conversations.user

    @property
    def is_connected(self) -> bool:
        return self._connections.current is not None

    @property
    def is_ready(self) -> bool:
        """Whether there was a connection over which everything that was missed has been told."""
        return self._connections.is_ready

    @property
    def last_reason(self) -> str:
        """Why there is, or was, no connection."""
        return self._connections.last_reason

    @property
    def progress(self) -> int:
        """Grows while a first sync goes on: with each conversation that is listed, and each page of its history."""
        return self._conversations.made + self._gaps.pages

    @property
    def waits_for(self) -> str:
        """What a session that is connected and not ready yet waits for."""
        return self._sync.waits_for

    @property
    def conversations(self) -> list[Conversation]:
        """The chat list, newest first."""
        return [conversation.view() for conversation in self._conversations.listed]

    def conversation(self, peer: str) -> Conversation | None:
        """The peer's line of the chat list; None if there is none."""
        found = self._conversations.get(peer)
        return found.view() if found and found.is_listed else None

    @property
    def unread(self) -> int:
        """How many messages are unread, in all conversations of the chat list together."""
        return sum(conversation.unread for conversation in self._conversations if conversation.is_listed)

    @property
    def blocked(self) -> list[str]:
        """Whom this user has blocked."""
        return self._blocks.all

    @property
    def state(self) -> State:
        """What another session has to know to go on behind the last event that was given out. JSON can carry it."""
        return state.save(self._conversations, self._sync.since, self._mailbox.to_be_told)

    def _restore(self, saved_state: Mapping[str, Any]) -> None:
        saved = state.load(saved_state)
        self._sync.since = saved.since
        self._conversations.user = saved.user
        self._conversations.epoch = saved.epoch
        self._conversations.is_primed = saved.since is not None
        self._conversations.has_forgotten = saved.has_forgotten
        self._conversations.restore(saved.conversations)
        self._mailbox.restore(saved.to_be_told)

    # What the application does

    def next_event(self) -> Event | None:
        """The next event, or None. A message that was given out counts as told in `state`.

        Reading makes room: it may ask for messages that were left at the server, so carry out the `effects` after it.
        """
        was_full = self._mailbox.is_full
        event = self._mailbox.take()
        if isinstance(event, Message | Unsent) and (conversation := self._conversations.get(event.peer)):
            conversation.was_read(event.number if isinstance(event, Unsent) else event.seq)
        if was_full and not self._mailbox.is_full:
            for conversation in self._conversations:
                if self._gaps.is_behind(conversation):
                    self._conversations.touch(conversation)
            self._settle()
        return event

    def post(self, to: str, text: str, id: str | None = None, data: Data | None = None) -> str:
        """Queues a message and returns its id. Raises ValueError if the server could never accept it."""
        frames.check_user(to)
        frames.check_content(text, data, self._sync.max_text_bytes)
        if id is None:
            id = self._new_id()
        else:
            frames.check_id(id)
            frames.check_not_own(id)
            self._outboxes.check_id(id)
        self._outboxes.queue(to, text, deepcopy(data), id)  # the application may go on using its own
        self._hints.was_sent(to)
        self._settle()
        return id

    def read(self, peer: str, seq: int | None = None) -> None:
        """Marks the conversation read, up to `seq` or up to the last message that the application has got.

        Raises ValueError if there is no such message.
        """
        self._receipts.read(peer, seq)
        self._settle()

    def typing(self, to: str, composing: bool = True) -> None:
        """Tells the peer that the user composes, as often as the protocol allows, or no longer does."""
        frames.check_user(to)
        self._hints.typing(to, composing)

    def ask_block(self, user: str, blocked: bool) -> str:
        """Blocks the user, or unblocks it; the `Answer` under the returned id is a Blocked or Refused.

        Raises ValueError for the user itself.
        """
        frames.check_user(user)
        return self._blocks.ask(user, blocked)

    def ask_unsend(self, peer: str, seq: int) -> str:
        """Takes a message of the user's back; the `Answer` under the returned id is an Unsent or Refused."""
        frames.check_user(peer)
        return self._unsending.ask(peer, seq)

    def ask_history(self, peer: str, before: int | None, limit: int) -> str:
        """Asks for older messages; the `Answer` under the returned id is a HistoryPage or Refused."""
        frames.check_user(peer)
        return self._gaps.older(peer, before, limit)

    def ask_presence(self, users: Iterable[str]) -> str:
        """Asks who is online; the `Answer` under the returned id is a tuple of PresenceChange or Refused."""
        names = list(dict.fromkeys(users))
        if not 1 <= len(names) <= MAX_PRESENCE_USERS:
            raise ValueError(f"ask for the presence of 1 to {MAX_PRESENCE_USERS} users at a time")
        for name in names:
            frames.check_user(name)
        return self._hints.ask(names)

    def forget_question(self, id: str) -> None:
        """The answer is not needed any more."""
        self._requests.cancel(id)

    def watch(self, users: Iterable[str] | None) -> None:
        """These users are in sight, or those of the latest chats: PresenceChange tells who of them is online."""
        if users is not None:
            frames.check_users(users)
        self._hints.watch(None if users is None else tuple(users))

    # How the rules are put together

    def _became_current(self, connection: int) -> None:
        self._requests.resume(connection)
        for conversation in self._conversations:
            if not conversation.is_idle or self._gaps.is_behind(conversation):
                self._conversations.touch(conversation)

    def _on_connected(self) -> None:
        self._hints.connected()

    def _came_into_sight(self, users: list[str]) -> None:
        self._gaps.preview(users)

    def _was_lost(self, connection: int) -> None:
        self._sync.lose(connection)
        self._requests.lose(connection)
        if self._connections.current is None:
            self._hints.lost()

    def _settle(self) -> None:
        """Asks for whatever the last input has made necessary. Every input ends with it.

        What holds between any two inputs, whatever came:

        1. What was told was told once, and in order.
        2. At most one message of a conversation is under way.
        3. No message and no receipt is sent before a first sync has said where its conversation stands.
        4. `since` has moved only when all that it covers was fetched.
        5. One connection is current, or none.
        6. Whatever the input has made necessary is asked, or waits for a connection, its turn or room in the mailbox.
        """
        if self._is_stopped:
            return
        while True:
            while conversation := self._conversations.take_touched():
                for rule in (self._gaps, self._outboxes, self._receipts):
                    rule.settle(conversation)
            if not self._sync.finish():
                break
        self._sync.start_if_needed()
        for connection in self._connections.draining:
            if not self._requests.is_waiting_on(connection):
                self._connections.close(connection, "moved to a fresh connection")
