"""Two people at every kind of client at once, and the deployment stopped and started under them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.asynchronous import asynchronous, until
from tests.together.clients import (
    Client,
    CommandLine,
    browser_page,
    command_line,
    expect_shown,
    program,
    terminal_screen,
)
from tests.together.deployment import Deployment, chat_of, url_of

EACH = 30
"""Messages that a client says while the deployment is stopped and started."""

PAUSE_SECONDS = 0.2


@asynchronous
async def test_no_client_shows_a_message_twice_or_out_of_order_or_not_at_all(
    browser: Path, deployment: Deployment
) -> None:
    """alice at a browser and with a program, bob at a terminal and with a tool for WebSockets."""
    endpoint, address = deployment.endpoint, deployment.page
    async with (
        browser_page(browser, address, "alice", "bob") as page,
        program(chat_of(endpoint, "alice"), "bob") as script,
        terminal_screen(chat_of(endpoint, "bob"), "alice") as screen,
    ):
        clients: list[Client] = [page, script, screen]
        async with command_line(url_of(endpoint, "bob"), "alice") as typist:
            said = await _one_after_the_other(clients, typist)
            said += await _through_a_restart(deployment, clients)
            await typist.ended()
        async with command_line(url_of(deployment.endpoint, "bob"), "alice") as typist:
            await typist.say("back again")
            log = await _stored(typist, [*said, "back again"])
        for client in clients:
            await expect_shown(client, log)
        assert [message.seq for message in script.messages] == list(range(1, len(log) + 1))
        assert (deployment.endpoint, deployment.page) == (endpoint, address)


async def _one_after_the_other(clients: list[Client], typist: CommandLine) -> list[str]:
    """Each says something, and all show it before the next one speaks."""
    said: list[str] = []
    for number, client in enumerate([*clients, typist]):
        said.append(f"hello from {number}")
        await client.say(said[-1])
        for one in clients:
            await expect_shown(one, said)
    assert await typist.shown() == said[:-1]
    return said


async def _through_a_restart(deployment: Deployment, clients: list[Client]) -> list[str]:
    """All talk at once, and go on when the deployment stops, is away, and comes back."""
    talking = [asyncio.create_task(_talk(client, str(number))) for number, client in enumerate(clients)]
    await asyncio.sleep(2 * PAUSE_SECONDS)
    await asyncio.to_thread(deployment.stop)
    await asyncio.sleep(PAUSE_SECONDS)
    await asyncio.to_thread(deployment.start)
    return [text for said in await asyncio.gather(*talking) for text in said]


async def _talk(client: Client, name: str) -> list[str]:
    said = [f"{name} says {number}" for number in range(EACH)]
    for text in said:
        await client.say(text)
        await asyncio.sleep(PAUSE_SECONDS)
    return said


async def _stored(typist: CommandLine, texts: list[str]) -> list[str]:
    """The texts in the order of the log, as soon as it has each of them. It must never have one twice."""
    log: list[dict[str, Any]] = []

    async def holds_all() -> bool:
        log[:] = await typist.history()
        copies = Counter(message["text"] for message in log)
        twice = [message for message in log if copies[message["text"]] > 1]
        assert not twice, f"stored twice: {twice}"
        return copies == Counter(texts)

    try:
        await until(holds_all)
    except TimeoutError:
        stored = [message["text"] for message in log]
        missing, foreign = sorted({*texts} - {*stored}), sorted({*stored} - {*texts})
        pytest.fail(f"not stored: {missing}; never said: {foreign}; the log: {log}")
    return [message["text"] for message in log]
