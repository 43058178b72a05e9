"""The client's core against a server whose network loses, repeats and reorders whatever it can.

However the dice fall, in the end every message was told once and in order,
and every message that was sent is stored once and in order.
"""

from __future__ import annotations

import copy
import json
import random
from collections import defaultdict

import pytest

from parley import Event, Message
from tests.clients.behaviours.notation import SERVER_TIME, Fields
from tests.clients.drivers.core import Driver
from tests.clients.drivers.names import pending_texts
from tests.fakes.chat_server import ChatServer

PEERS = ("bob", "carol")
STEPS = 400
"""So many that no log outgrows the page that a client starts with."""


class Chaos(Driver):
    """A client, a server, and a network between them that the dice rule."""

    def __init__(self, seed: int, *, peers_post: int = 6) -> None:
        super().__init__(seed, backlog=100)
        self.peers_post = peers_post
        """How often they do, beside what else happens."""
        self.dice = random.Random(seed)
        self.server = ChatServer(dice=self.dice)
        self.told: dict[str, list[str]] = defaultdict(list)
        self.posted: dict[str, list[str]] = defaultdict(list)
        self.on_the_way: list[tuple[int, Fields]] = []
        self.alive: set[int] = set()
        self.posts = 0
        self.save()
        self.refusals = 0
        """How many more connections a server that is away refuses."""

    def collect(self) -> None:
        super().collect()
        self.server.now = max(self.server.now, SERVER_TIME + int(self.now * 1_000))
        for _, frame in self.frames:
            frame.setdefault("received_at", self.server.now)  # a frame may lie there until others are served

    def step(self) -> None:
        acts = [self.peer_posts, self.post, self.read_events, self.wait, self.fail, self.connect]
        self.dice.choices([*acts, self.serve, self.deliver], [self.peers_post, 5, 5, 3, 1, 4, 20, 20])[0]()
        self.alive -= self.closed

    def peer_posts(self) -> None:
        peer = self.dice.choice(PEERS)
        number = len(self.server.logs[peer])
        message, _ = self.server.store(peer, "alice", f"{peer}-{number}")
        self.push(message, lost=0.3)

    def push(self, message: Fields, lost: float, but: int = 0) -> None:
        for link in self.alive - {but}:
            if self.dice.random() >= lost:
                self.on_the_way.append((link, {"type": "message"} | message))

    def post(self) -> None:
        peer = self.dice.choice(PEERS)
        text = f"alice-{self.posts}"
        self.posts += 1
        self.session.post(peer, text)
        self.posted[peer].append(text)
        self.collect()

    def read_events(self) -> None:
        for _ in range(self.dice.randint(1, 10)):
            event = self.session.next_event()
            self.hear(event)
            if isinstance(event, Message) and self.dice.random() < 0.2:
                self.session.read(event.peer)
        self.collect()

    def hear(self, event: Event | None) -> None:
        if isinstance(event, Message):
            self.told[event.peer].append(event.text)

    def hear_all(self) -> None:
        while event := self.session.next_event():
            self.hear(event)

    def wait(self) -> None:
        self.advance(self.dice.choice([0.1, 0.5, 1, 1, 5, 40]))

    def connect(self) -> None:
        if not self.opening:
            return
        if self.refusals:
            self.refusals -= 1
            self.refuse(503)
        elif self.dice.random() < 0.3:
            self.refuse(self.dice.choice([403, 500]))
        else:
            self.alive.add(self.accept())

    def fail(self) -> None:
        match self.dice.choice(["drop", "drop", "expire", "restart", "move", "away", "save", "crash"]):
            case "restart":
                self.restart()
                self.alive.clear()
            case "save":
                self.save()
            case "crash":
                self.crash()
            case "drop" if self.alive:
                link = self.dice.choice(sorted(self.alive))
                self.alive.discard(link)
                self.drop(link)
            case "expire" if self.alive:
                error = {"type": "error", "code": "token_expired", "message": "", "temporary": False}
                self.reply(error, self.dice.choice(sorted(self.alive)))
            case "move":
                self.advance(3_600, answer_syncs=False)
            case "away":
                self.leave()

    def save(self) -> None:
        """The application saves the state, with what it was told so far."""
        self.saved = copy.deepcopy((self.session.state, self.told, self.posted))

    def crash(self) -> None:
        """The application goes on with what it has saved. What it has posted since is stored, or gone."""
        state, self.told, posted = copy.deepcopy(self.saved)
        for peer in PEERS:
            stored = [message["text"] for message in self.server.logs[peer]]
            self.posted[peer] = [text for text in self.posted[peer] if text in stored or text in posted[peer]]
        self.restart(state)
        self.alive.clear()

    def leave(self) -> None:
        """The server goes away for a while. What was sent to it may be done, but nobody hears of it."""
        self.refusals = self.dice.randint(1, 20)
        frames, self.frames = self.frames, []
        for _, frame in frames:
            if self.dice.random() < 0.5:
                self.server.answer(frame)
        for link in sorted(self.alive):
            self.drop(link)
        self.alive.clear()

    def serve(self) -> None:
        if not self.frames:
            return
        link, frame = self.frames.pop(self.dice.randrange(len(self.frames)))
        luck = self.dice.random()
        if luck < 0.1:
            temporary = {"type": "error", "id": frame["id"], "code": "internal", "message": "", "temporary": True}
            gateway = {"message": "Internal server error", "connectionId": "c", "requestId": "r"}
            self.on_the_way.append((link, self.dice.choice([temporary, gateway])))
        if luck < 0.05:
            return
        self.answer(link, frame, lost=0.1 <= luck < 0.15)

    def answer(self, link: int, frame: Fields, *, lost: bool = False) -> None:
        reply = self.server.answer(frame)
        if frame["action"] == "send":
            self.push(self.server.logs[frame["to"]][-1], lost=0.2, but=link)
        if reply and not lost:
            self.on_the_way.append((link, reply))

    def deliver(self) -> None:
        if not self.on_the_way:
            return
        number = self.dice.randrange(len(self.on_the_way))
        link, frame = self.on_the_way[number]
        if self.dice.random() > 0.1:
            del self.on_the_way[number]
        if link in self.alive:
            self.reply(frame, link)

    def check_that_nothing_is_shown_twice(self) -> None:
        for peer in PEERS:
            assert not set(pending_texts(self.session.conversations, peer)) & set(self.told[peer])

    def settle(self) -> None:
        """From here on the network works."""
        for _ in range(200):
            while self.frames or self.on_the_way or self.opening:
                self.alive -= self.closed
                if self.opening:
                    self.alive.add(self.accept())
                for link, frame in self.on_the_way[:]:
                    if link in self.alive:
                        self.reply(frame, link)
                self.on_the_way.clear()
                frames, self.frames = self.frames, []
                for link, frame in frames:
                    if link in self.alive:
                        self.answer(link, frame)
            self.advance(5)
        self.hear_all()


@pytest.mark.parametrize("seed", range(60))
def test_every_message_is_told_and_stored_once_and_in_order(seed: int) -> None:
    play(Chaos(seed), STEPS)


@pytest.mark.parametrize("seed", [*range(20), 24, 93])
def test_so_it_is_while_the_peers_write_a_lot(seed: int) -> None:
    """A server that recognised a retry among the latest messages alone would store some of seeds 24 and 93 twice."""
    play(Chaos(seed, peers_post=40), 300)


def play(chaos: Chaos, steps: int) -> None:
    chaos.alive.add(chaos.accept())
    for _ in range(steps):
        chaos.step()
        chaos.check_that_nothing_is_shown_twice()
    chaos.settle()
    for peer in PEERS:
        log = chaos.server.logs[peer]
        assert chaos.told[peer] == [message["text"] for message in log]
        assert [message["text"] for message in log if message["from"] == "alice"] == chaos.posted[peer]
    assert chaos.session.is_connected
    assert all(not chat["outbox"] for chat in chaos.session.state["chats"])
    assert json.loads(json.dumps(chaos.session.state)) == chaos.session.state
