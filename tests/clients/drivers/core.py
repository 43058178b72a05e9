"""Drives the client's core, without a socket, on a clock that the test moves."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from typing import Any

import pytest

import parley
from parley import Answer, Close, Disconnected, Open, Session, Timing, Write
from tests.clients.behaviours import Case
from tests.clients.behaviours.notation import SERVER_TIME, Fields, Step, sync_reply
from tests.clients.drivers.names import Names, fields_of, pending_texts

LONGEST_BACKOFF = 30
"""Seconds."""


class Chance(random.Random):
    """Comes out the same each time."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def random(self) -> float:
        return self._value


class Driver:
    """Runs a session: keeps its clock, its connections and the frames that it sent."""

    def __init__(
        self, seed: int = 1, *, chance: random.Random | None = None, state: Fields | None = None, **options: Any
    ) -> None:
        self.now = 1_000.0
        self._options = options
        self._random = chance or random.Random(seed)
        self._ids = iter(range(1, 1_000_000))
        self.frames: list[tuple[int, Fields]] = []
        self.opening: list[int] = []
        self.closed: set[int] = set()
        self.answers: dict[str, object] = {}
        self.accepted = 0
        self._links: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self.session = self._new_session(state)

    def _new_session(self, state: Fields | None) -> Session:
        session = Session(
            clock=lambda: self.now,
            rng=self._random,
            new_id=lambda: f"message-{next(self._ids)}",
            state=state,
            **self._options,
        )
        session.start()
        return session

    def restart(self, state: Fields | None = None) -> None:
        """Goes on with this state, or with its own."""
        state = json.loads(json.dumps(state or self.session.state))
        self.session.stop()
        self.frames.clear()
        self.opening.clear()
        self._links.clear()
        self._numbers.clear()
        self.session = self._new_session(state)

    def collect(self) -> None:
        while self.session.effects:
            match self.session.effects.popleft():
                case Open(link):
                    self.opening.append(link)
                case Write(link, text):
                    self.frames.append((self._numbers[link], json.loads(text)))
                case Close(link):
                    self.closed.add(self._numbers.get(link, 0))
                case Answer(id, value):
                    self.answers[id] = value

    def advance(self, seconds: float, *, answer_syncs: bool = False) -> None:
        end = self.now + seconds
        while True:
            self.collect()
            if answer_syncs:
                self._answer_syncs()
            deadline = self.session.deadline
            if deadline is None or deadline > end:
                break
            self.now = deadline
            self.session.tick()
        self.now = end
        self.collect()

    def _answer_syncs(self) -> None:
        for number, frame in [one for one in self.frames if one[1]["action"] == "sync"]:
            self.frames.remove((number, frame))
            self.reply(sync_reply(frame["id"], [], int(self.now * 1_000)), number)

    def next_opening(self, within: float = LONGEST_BACKOFF) -> int:
        """The connection that the session asks for, now or within this many seconds."""
        end = self.now + within
        self.collect()
        while not self.opening and self.session.deadline is not None and self.session.deadline <= end:
            self.advance(self.session.deadline - self.now)
        assert self.opening, "no connection is asked for"
        return self.opening.pop(0)

    def accept(self, within: float = LONGEST_BACKOFF) -> int:
        link = self.next_opening(within)
        self.accepted += 1
        self._links[self.accepted] = link
        self._numbers[link] = self.accepted
        self.session.opened(link)
        self.collect()
        return self.accepted

    def refuse(self, status: int) -> None:
        link, reason = self.next_opening(), f"HTTP {status}"
        if status in (401, 403):
            self.session.refused(link, reason)
        else:
            self.session.failed(link, reason)
        self.collect()

    def reply(self, frame: Fields | str, number: int | None = None) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.session.received(self._links[number or self.accepted], text)
        self.collect()

    def drop(self, number: int) -> None:
        self.session.closed(self._links[number], "the connection broke")
        self.collect()

    def events(self) -> list[parley.Event]:
        events: list[parley.Event] = []
        while event := self.session.next_event():
            events.append(event)
        self.collect()
        return events

    def take(self, action: str) -> Fields:
        """The oldest frame of this action that was not used up."""
        found = next(one for one in self.frames if one[1]["action"] == action)
        self.frames.remove(found)
        return found[1]

    def start(self, chats: list[Fields] | None = None) -> None:
        """Connects, and answers the first sync."""
        self.accept()
        self.reply(sync_reply(self.take("sync")["id"], chats or [], SERVER_TIME))


class CaseDriver(Driver):
    """Carries out the steps of a case: a method for each kind."""

    def __init__(self, case: Case, seed: int) -> None:
        options = dict(case.options)
        chance = Chance(options.pop("random")) if "random" in options else None
        timing = Timing(receipts=options.pop("receipts", 0))
        super().__init__(seed, chance=chance, state=case.saved, timing=timing, **options)
        self._names = Names()
        self._case = case

    def run(self) -> None:
        for number, step in enumerate([*self._case.steps, Step("quiet", {})]):
            try:
                getattr(self, f"on_{step.kind}")(**step.arguments)
            except Exception as error:
                raise AssertionError(f"step {number}, {step}: {error!r}; frames left: {self.frames}") from error

    def on_accept(self, within: float = LONGEST_BACKOFF) -> None:
        self.accept(within)

    def on_refuse(self, status: int) -> None:
        self.refuse(status)

    def on_away(self, times: int) -> None:
        delays = []
        for attempt in range(times):
            began = self.now
            self.refuse(503)
            delays.append(self.now - began)
            assert delays[-1] <= min(LONGEST_BACKOFF, 0.5 * 2**attempt)
            assert isinstance(self.session.next_event(), Disconnected)
        assert min(delays[10:]) < LONGEST_BACKOFF / 3
        assert max(delays) > LONGEST_BACKOFF * 2 / 3

    def on_expect(self, frame: Fields, connection: int | None = None, within: float = 0) -> None:
        end = self.now + within
        while not self._found(frame, connection):
            deadline = self.session.deadline
            assert deadline is not None, "no such frame"
            assert deadline <= end, "no such frame"
            self.advance(deadline - self.now)

    def _found(self, fields: Fields, number: int | None) -> bool:
        for at, frame in self.frames:
            if number in (None, at) and self._names.matches(fields, frame):
                self.frames.remove((at, frame))
                return True
        return False

    def on_reply(self, frame: Fields, connection: int | None = None) -> None:
        self.reply(self._names.filled(frame), connection)

    def on_raw(self, text: str, connection: int | None = None) -> None:
        self.reply(text, connection)

    def on_drop(self, connection: int) -> None:
        self.drop(connection)

    def on_closed(self, connection: int) -> None:
        assert connection in self.closed

    def on_event(self, event: Fields) -> None:
        told = self.session.next_event()
        assert told is not None, "no event"
        assert self._names.matches(event, fields_of(told)), told

    def on_pending(self, texts: list[str], peer: str) -> None:
        assert pending_texts(self.session.conversations, peer) == texts

    def on_chats(self, peers: list[str]) -> None:
        assert [one.peer for one in self.session.conversations] == peers

    def on_total_unread(self, count: int) -> None:
        assert self.session.unread == count

    def on_wait(self, seconds: float) -> None:
        self.advance(seconds)

    def on_idle(self, seconds: float) -> None:
        self.advance(seconds, answer_syncs=True)

    def on_restart(self) -> None:
        self.restart()

    def on_quiet(self) -> None:
        self.collect()
        assert (self.frames, self.opening) == ([], [])
        assert self.session.next_event() is None

    def on_send(self, to: str, text: str, data: Fields | None = None) -> None:
        self.session.post(to, text, data=data)
        self.collect()

    def on_read(self, peer: str, seq: int | None = None, *, fails: bool = False) -> None:
        with pytest.raises(ValueError, match="has no message") if fails else nullcontext():
            self.session.read(peer, seq)
        self.collect()

    def on_block(self, user: str, *, blocked: bool) -> None:
        self.session.ask_block(user, blocked)
        self.collect()

    def on_unsend(self, peer: str, seq: int) -> None:
        self.session.ask_unsend(peer, seq)
        self.collect()

    def on_last_text(self, text: str, peer: str) -> None:
        assert [one.last_text for one in self.session.conversations if one.peer == peer] == [text]

    def on_last_unsent(self, peer: str, *, unsent: bool) -> None:
        assert [one.last_unsent for one in self.session.conversations if one.peer == peer] == [unsent]

    def on_last_has_data(self, peer: str, *, has_data: bool) -> None:
        assert [one.last_has_data for one in self.session.conversations if one.peer == peer] == [has_data]

    def on_all_blocked(self, peers: list[str]) -> None:
        assert self.session.blocked == peers

    def on_type(self, to: str, composing: bool) -> None:
        self.session.typing(to, composing)
        self.collect()

    def on_watch(self, users: list[str] | None) -> None:
        self.session.watch(users)
        self.collect()
