"""A conversation over real sockets, told as it happens; every line of it is an expectation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.deployment import DEPLOYED_TOKEN_SECONDS, token
from local.progress import StepFailed
from parley import Chat, Ended, Event, Message, ParleyError, PresenceChange, Sent, State, TokenPlace, TokenRefused

ANSWER_SECONDS = 60
"""A busy laptop takes long to start each function for the first time."""


def expect(truth: bool, what: str) -> None:
    """Tells what was expected, and raises StepFailed if it did not hold."""
    print(f"    {'ok ' if truth else 'NOT'} {what}", flush=True)
    if not truth:
        raise StepFailed(f"this was expected, but did not happen: {what}")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that takes tokens, wherever it is."""

    url: str
    secret: str = field(repr=False)
    token_in: TokenPlace = "query"  # noqa: S105

    def chat(self, credentials: str | None, state: State | None = None) -> Chat:
        return Chat.connect(self.url, credentials, token_in=self.token_in, state=state, timeout=ANSWER_SECONDS)


class DemoDevice:
    """A client of a user. What it tells is kept until it is looked for."""

    def __init__(self, name: str, user: str, chat: Chat) -> None:
        self.name = name
        self.user = user
        self.chat = chat
        self._told: list[Event] = []

    async def __aenter__(self) -> DemoDevice:
        print(f"  {self.name} connects", flush=True)
        await self.chat.__aenter__()
        return self

    async def __aexit__(self, *problem: Any) -> None:
        await self.chat.__aexit__(*problem)
        print(f"  {self.name} disconnects", flush=True)

    async def send(self, to: str, text: str, id: str | None = None) -> Sent:
        print(f"  {self.name} -> {to}: {text}", flush=True)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.chat.send(to, text, id=id)
        except TimeoutError:
            raise StepFailed(f"{self.name} waited {ANSWER_SECONDS} s for an acknowledgement") from None

    async def gets(self, seq: int, sender: str, text: str, what: str) -> None:
        def is_it(event: Event) -> bool:
            return isinstance(event, Message) and (event.seq, event.sender, event.text) == (seq, sender, text)

        await self.is_told(is_it, what)

    async def is_told(self, wanted: Callable[[Event], bool], what: str) -> None:
        """Waits until the client tells what is wanted. Raises StepFailed if it does not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not any(map(wanted, self._told)):
                    self._told.append(await anext(self.chat))
        except TimeoutError:
            expect(False, what)
        self._told.remove(next(filter(wanted, self._told)))
        expect(True, what)

    async def ended(self) -> str:
        """Waits until the server ends this client for good, and says with which code. Raises StepFailed if not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async for event in self.chat:
                    self._told.append(event)
        except Ended as ended:
            return ended.code
        except TimeoutError:
            pass
        raise StepFailed(f"{self.name} was not ended within {ANSWER_SECONDS} s")

    def was_told(self, wanted: Callable[[Event], bool]) -> bool:
        """Whether it was told such a thing beside what was waited for."""
        return any(map(wanted, self._told))


async def converse(deployed: Deployed, alice: str = "alice", bob: str = "bob") -> None:
    """Holds the conversation between two users who never talked before.

    Raises StepFailed at the first expectation that does not hold, and if there is no connection.
    """
    try:
        await _converse(deployed, alice, bob)
    except ParleyError as error:
        raise StepFailed(f"the conversation ended early. {error}") from None


async def _converse(deployed: Deployed, alice: str, bob: str) -> None:
    def device(name: str, user: str, state: State | None = None) -> DemoDevice:
        return DemoDevice(name, user, deployed.chat(token(deployed.secret, user, DEPLOYED_TOKEN_SECONDS), state))

    async with device("alice's laptop", alice) as laptop, device("alice's phone", alice) as phone:
        async with device("bob", bob) as at_bob:
            await _live(laptop, phone, at_bob)
        sent = await _while_away(laptop, bob)
        async with device("bob", bob, at_bob.chat.state) as at_bob:
            await at_bob.gets(3, alice, "Are you still there?", "bob received what was said while he was away")
        await _retry(phone, bob, sent)
    await _refused(deployed, alice)


async def _live(laptop: DemoDevice, phone: DemoDevice, bob: DemoDevice) -> None:
    print("\nLive, both ways, on every device")
    sent = await laptop.send(bob.user, "Hello Bob!")
    expect((sent.seq, sent.delivered) == (1, 0), "stored as number 1; to a stranger, bob's devices are not counted")
    await bob.gets(1, laptop.user, "Hello Bob!", "bob received it, from alice")
    await phone.gets(1, laptop.user, "Hello Bob!", "alice's phone received a carbon copy")
    sent = await bob.send(laptop.user, "Hi Alice 👋")
    expect((sent.seq, sent.delivered) == (2, 2), "stored as number 2, taken by both of alice's devices")
    for device in (laptop, phone):
        await device.gets(2, bob.user, "Hi Alice 👋", f"{device.name} received it, from bob")


async def _while_away(laptop: DemoDevice, bob: str) -> Sent:
    print("\nTo somebody who is away")

    def is_offline(event: Event) -> bool:
        return isinstance(event, PresenceChange) and event.user == bob and not event.online

    await laptop.is_told(is_offline, "alice's laptop was told that bob went offline")
    sent = await laptop.send(bob, "Are you still there?")
    expect((sent.seq, sent.delivered) == (3, 0), "stored as number 3, taken by nobody yet")
    return sent


async def _retry(phone: DemoDevice, bob: str, sent: Sent) -> None:
    print("\nThe same message once more, as from a client that got no acknowledgement")
    again = await phone.send(bob, "Are you still there?", id=sent.id)
    expect(again.seq == sent.seq, "recognised: acknowledged again as number 3")
    history = await phone.chat.history(bob)
    expect([message.seq for message in history.messages] == [1, 2, 3], "stored once: the log is 1, 2, 3")


async def _refused(deployed: Deployed, alice: str) -> None:
    print("\nA token that somebody else signed")
    forged = token("a secret that is not the deployment's own", alice)
    for what, credentials in (("a forged token", forged), ("no token", None)):
        try:
            async with deployed.chat(credentials):
                is_refused = False
        except TokenRefused:
            is_refused = True
        expect(is_refused, f"{what} is refused")
