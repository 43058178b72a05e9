"""The client's core under chaos, while the server's data goes back to earlier states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parley import Event, Reset, Session
from parley.conversation import ConversationState
from parley.epoch import Epoch
from tests.clients.test_core_under_chaos import PEERS, Chaos

STEPS = 400
SEEDS = range(40)


class Recovering(Chaos):
    """Every now and then the server keeps a backup, or goes back to the last one."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.epochs = 1
        self.backup = self.server.backup()
        self.must_be_stored: set[str] = set()
        """What was unsent when data was lost last, and so is not among it."""

    def step(self) -> None:
        match self.dice.random():
            case luck if luck < 0.01:
                self.backup = self.server.backup()
            case luck if luck < 0.02:
                self.recover()
            case _:
                super().step()

    def recover(self) -> None:
        """The operator stops the server first, so no reply is on its way."""
        self.on_the_way.clear()
        self.epochs += 1
        self.server.recover(self.backup, f"e{self.epochs}")
        outboxes = [chat["outbox"] for chat in self.session.state["chats"]]
        unsent = {outgoing["text"] for outbox in outboxes for outgoing in outbox if not outgoing["found"]}
        self.must_be_stored = (self.must_be_stored & unsent) | unsent

    def crash(self) -> None:
        self.restart()
        self.alive.clear()

    def hear(self, event: Event | None) -> None:
        if isinstance(event, Reset):
            self.told.clear()
        super().hear(event)

    def check_that_nothing_is_shown_twice(self) -> None:
        self.hear_all()  # a reset that waits to be read has changed already what is shown as waiting
        super().check_that_nothing_is_shown_twice()

    def play(self) -> None:
        self.alive.add(self.accept())
        for number in range(STEPS):
            self.step()
            if number % 20 == 0:
                self.check_that_nothing_is_shown_twice()
        self.settle()
        for peer in PEERS:
            log = [message["text"] for message in self.server.logs[peer]]
            own = [message["text"] for message in self.server.logs[peer] if message["from"] == "alice"]
            assert self.told[peer] == log
            assert [text for text in self.posted[peer] if text in own] == own, "in order, and none of them twice"
            assert self.must_be_stored.intersection(self.posted[peer]) <= set(own)
        assert all(not chat["outbox"] for chat in self.session.state["chats"])


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_server_has_is_told_in_the_end_and_what_was_unsent_is_stored(seed: int) -> None:
    Recovering(seed).play()


def _survivors() -> list[int]:
    survived = []
    for seed in SEEDS:
        try:
            Recovering(seed).play()
        except AssertionError:
            continue
        survived.append(seed)
    return survived


def test_a_client_that_does_not_look_at_the_epoch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Epoch, "holds", lambda *_: True)
    assert len(_survivors()) < len(SEEDS) / 2


def test_a_client_that_keeps_its_numbers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps_numbers(conversation: ConversationState) -> ConversationState:
        return replace(conversation)

    monkeypatch.setattr(ConversationState, "anew", keeps_numbers)
    assert len(_survivors()) < len(SEEDS) / 2


def test_a_client_that_does_not_say_so_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    next_event = Session.next_event

    def without_reset(session: Session) -> object:
        event = next_event(session)
        return next_event(session) if isinstance(event, Reset) else event

    monkeypatch.setattr(Session, "next_event", without_reset)
    assert len(_survivors()) < len(SEEDS) / 2
