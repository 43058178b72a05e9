"""The Python client on a real deployment: what a program sees of its conversations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TypeAlias

import pytest

from chat.identity import LEEWAY_SECONDS
from local.deployment import Endpoint, token
from parley import Chat, Event, Message, Receipt
from tests.hang import HANG_SECONDS

Open: TypeAlias = Callable[..., Chat]


@pytest.fixture
def opened(endpoint: Endpoint, secret: str) -> Open:
    """Opens the client of a user."""
    return lambda user, **options: Chat.connect(
        endpoint.url, lambda: token(secret, user), timeout=HANG_SECONDS, **options
    )


def run(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, HANG_SECONDS))


async def events(chat: Chat, is_wanted: Callable[[Event], bool], number: int) -> list[Event]:
    """The next ones of a kind."""
    found: list[Event] = []
    async with asyncio.timeout(HANG_SECONDS):
        while len(found) < number:
            event = await anext(chat)
            if is_wanted(event):
                found.append(event)
    return found


async def texts(chat: Chat, number: int) -> list[str]:
    """Those of the next messages, which come in the order of their numbers."""
    found = await events(chat, lambda event: isinstance(event, Message), number)
    messages = [event for event in found if isinstance(event, Message)]
    first = messages[0].seq
    assert [message.seq for message in messages] == list(range(first, first + number))
    return [message.text for message in messages]


def test_what_was_said_while_one_was_away_comes_once(opened: Open, alice: str, bob: str) -> None:
    async def scenario() -> None:
        async with opened(alice) as at_alice:
            async with opened(bob) as at_bob:
                await at_alice.send(bob, "before")
                assert await texts(at_bob, 1) == ["before"]
            said = [f"while away {number}" for number in range(20)]
            for text in said:
                await at_alice.send(bob, text)
            async with opened(bob, state=at_bob.state) as again:
                assert await texts(again, 20) == said
            async with opened(bob, state=again.state) as once_more:
                await at_alice.send(bob, "after")
                assert await texts(once_more, 1) == ["after"]

    run(scenario())


def test_all_devices_of_both_see_one_order(opened: Open, alice: str, bob: str) -> None:
    async def scenario() -> None:
        async with opened(alice) as laptop, opened(alice) as phone, opened(bob) as at_bob:
            for number in range(10):
                laptop.post(bob, f"from the laptop {number}")
                phone.post(bob, f"from the phone {number}")
                at_bob.post(alice, f"from bob {number}")
            seen = await asyncio.gather(*(texts(chat, 30) for chat in (laptop, phone, at_bob)))
            assert len(set(seen[0])) == 30
            assert seen[0] == seen[1] == seen[2]
            from_bob = [text for text in seen[0] if text.startswith("from bob")]
            assert from_bob == [f"from bob {number}" for number in range(10)]

    run(scenario())


def test_the_sender_is_told_what_was_delivered_and_read(opened: Open, alice: str, bob: str) -> None:
    async def scenario() -> None:
        async with opened(alice) as at_alice, opened(bob) as at_bob:
            await at_bob.send(alice, "hi")  # to a stranger nothing is told
            sent = await at_alice.send(bob, "hello")
            assert await texts(at_bob, 2) == ["hi", "hello"]
            told = [await events(at_alice, lambda event: isinstance(event, Receipt), 1)]
            at_bob.read(alice)
            told.append(await events(at_alice, lambda event: isinstance(event, Receipt), 1))
            receipts = [event for [event] in told if isinstance(event, Receipt)]
            assert [(one.sender, one.kind, one.seq) for one in receipts] == [
                (bob, "delivered", sent.seq),
                (bob, "read", sent.seq),
            ]

    run(scenario())


def test_a_token_that_ends_is_fetched_anew(endpoint: Endpoint, secret: str, alice: str, bob: str) -> None:
    ends = time.time() + 1
    seconds = iter([1 - LEEWAY_SECONDS])

    def mint() -> str:
        return token(secret, alice, next(seconds, 3600))

    async def scenario() -> None:
        async with Chat.connect(endpoint.url, mint, timeout=HANG_SECONDS) as chat:
            await chat.send(bob, "in time")
            await asyncio.sleep(max(0.0, ends + 1 - time.time()))
            sent = await chat.send(bob, "over time")
            assert sent.seq == 2
            assert next(seconds, None) is None

    run(scenario())
