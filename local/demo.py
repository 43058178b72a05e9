"""A conversation over real sockets, told as it happens; every line of it is an expectation."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import websockets

from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed

ANSWER_SECONDS = 10

Frame = Mapping[str, Any]


def expect(truth: bool, what: str) -> None:
    """Tells what was expected, and raises StepFailed if it did not hold."""
    print(f"    {'ok ' if truth else 'NOT'} {what}", flush=True)
    if not truth:
        raise StepFailed(f"the demo expected: {what}")


class Device:
    """One connection of a user. What arrives unasked is kept until it is looked for."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._connecting = websockets.connect(url)
        self._arrived: list[Frame] = []

    async def __aenter__(self) -> Device:
        self._socket = await self._connecting.__aenter__()
        print(f"  {self.name} connects", flush=True)
        return self

    async def __aexit__(self, *problem: Any) -> None:
        await self._connecting.__aexit__(*problem)
        print(f"  {self.name} disconnects", flush=True)

    async def ask(self, action: str, **fields: object) -> Frame:
        """Sends a frame and waits for its reply."""
        id = fields.setdefault("id", uuid.uuid4().hex)
        await self._socket.send(json.dumps({"action": action, **fields}))
        return await self.receive(id=id)

    async def send(self, to: str, text: str, id: str) -> Frame:
        print(f"  {self.name} -> {to}: {text}", flush=True)
        return await self.ask("send", to=to, text=text, id=id)

    async def receive(self, **fields: object) -> Frame:
        """The first frame, arrived or arriving, that has these fields. Raises StepFailed if none comes."""
        return await self._first(f"with {fields}", lambda frame: fields.items() <= frame.items())

    async def is_told_offline(self, user: str) -> None:
        """Waits for the news that the user went offline. Raises StepFailed if it does not come."""

        def tells(frame: Frame) -> bool:
            users = frame["users"] if frame["type"] == "presence" else []
            return any(one["user"] == user and not one["online"] for one in users)

        await self._first(f"that tells that {user} went offline", tells)

    async def _first(self, what: str, wanted: Callable[[Frame], bool]) -> Frame:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not any(map(wanted, self._arrived)):
                    self._arrived.append(json.loads(await self._socket.recv()))
        except TimeoutError:
            raise StepFailed(f"{self.name} waited {ANSWER_SECONDS} s for a frame {what}") from None
        frame = next(filter(wanted, self._arrived))
        self._arrived.remove(frame)
        return frame


async def converse(endpoint: Endpoint) -> None:
    """Holds the conversation. Raises StepFailed at the first expectation that does not hold."""
    secret = local_secret(endpoint)

    def device(name: str, user: str) -> Device:
        return Device(name, f"{endpoint.url}?token={token(secret, user)}")

    async with device("alice's laptop", "alice") as laptop, device("alice's phone", "alice") as phone:
        async with device("bob", "bob") as bob:
            await _live(laptop, phone, bob)
        await _while_away(laptop)
        async with device("bob", "bob") as bob:
            await _catch_up(bob)
        await _retry(laptop)
    await _refused(endpoint)


async def _live(laptop: Device, phone: Device, bob: Device) -> None:
    print("\nLive, both ways, on every device")
    ack = await laptop.send("bob", "Hello Bob!", "hello-1")
    expect(ack["seq"] == 1 and ack["delivered"] == 1, "stored as number 1, taken by bob's device")
    message = await bob.receive(type="message", seq=1)
    expect(message["from"] == "alice" and message["text"] == "Hello Bob!", "bob received it, from alice")
    carbon = await phone.receive(type="message", seq=1)
    expect(carbon["text"] == "Hello Bob!", "alice's phone received a carbon copy")
    ack = await bob.send("alice", "Hi Alice 👋", "hi-1")
    expect(ack["seq"] == 2 and ack["delivered"] == 2, "stored as number 2, taken by both of alice's devices")
    for device in (laptop, phone):
        message = await device.receive(type="message", seq=2)
        expect(message["from"] == "bob" and message["text"] == "Hi Alice 👋", f"{device.name} received it")


async def _while_away(laptop: Device) -> None:
    print("\nTo somebody who is away")
    await laptop.is_told_offline("bob")
    print("    ok  alice's laptop was told that bob went offline", flush=True)
    ack = await laptop.send("bob", "Are you still there?", "away-1")
    expect(ack["seq"] == 3 and ack["delivered"] == 0, "stored as number 3, taken by nobody yet")


async def _catch_up(bob: Device) -> None:
    sync = await bob.ask("sync")
    chat = sync["chats"][0]
    expect(chat["peer"] == "alice" and chat["seq"] == 3, "bob's sync says that the chat with alice goes to number 3")
    history = await bob.ask("history", peer="alice", after=2)
    texts = [message["text"] for message in history["messages"]]
    expect(texts == ["Are you still there?"], "bob's history holds what was said while he was away")


async def _retry(laptop: Device) -> None:
    print("\nA retry, after a lost acknowledgement")
    ack = await laptop.send("bob", "Are you still there?", "away-1")
    expect(ack["duplicate"] is True and ack["seq"] == 3, "recognised: acknowledged again as number 3")
    history = await laptop.ask("history", peer="bob")
    expect([message["seq"] for message in history["messages"]] == [1, 2, 3], "stored once: the log is 1, 2, 3")


async def _refused(endpoint: Endpoint) -> None:
    print("\nA token that somebody else signed")
    forged = token("a secret that is not the deployment's own", "alice")
    for what, url in (("a forged token", f"{endpoint.url}?token={forged}"), ("no token", endpoint.url)):
        try:
            async with websockets.connect(url):
                status = 101
        except websockets.InvalidStatus as refusal:
            status = refusal.response.status_code
        expect(status in (401, 403), f"{what} is refused with {status}")
