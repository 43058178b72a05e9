"""The server's data goes back to an earlier state while people talk: every client shows what the server has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asynchronous import asynchronous, until
from tests.together.clients import Client, browser_page, expect_shown, program, terminal_screen
from tests.together.deployment import Deployment, chat_of

BEFORE = ["one", "two", "three"]
LOST = ["four", "five", "six", "seven", "eight"]


def into_a_new_table(deployment: Deployment) -> Callable[[], None]:
    backup = deployment.back_up()
    return lambda: deployment.recover(backup)


def to_an_older_state_of_the_emulator(deployment: Deployment) -> Callable[[], None]:
    saved = deployment.save()
    return lambda: deployment.crash_and_start_from(saved)


@pytest.mark.parametrize("backup", [into_a_new_table, to_an_older_state_of_the_emulator])
@asynchronous
async def test_all_clients_show_what_comes_after_a_recovery(
    browser: Path, deployment: Deployment, backup: Callable[[Deployment], Callable[[], None]]
) -> None:
    """Both know message 8 when number 4 is given out once more."""
    async with (
        browser_page(browser, deployment.page, "alice", "bob") as page,
        program(chat_of(deployment.endpoint, "alice"), "bob") as script,
        terminal_screen(chat_of(deployment.endpoint, "bob"), "alice") as screen,
    ):
        clients: list[Client] = [page, script, screen]
        await _talk(BEFORE, [], screen, clients)
        go_back = await asyncio.to_thread(backup, deployment)
        await _talk(LOST, BEFORE, screen, clients)
        await until(screen.has_sent_all)  # what is not acknowledged is said once more behind the recovery
        await asyncio.to_thread(go_back)
        await _talk(["new from bob"], BEFORE, screen, clients)
        await _talk(["new from alice"], [*BEFORE, "new from bob"], page, clients)
        assert [message.seq for message in script.messages] == [1, 2, 3, 4, 5]


async def _talk(texts: list[str], said: list[str], speaker: Client, clients: list[Client]) -> None:
    """Says the texts behind what was said, and waits until all show everything."""
    for text in texts:
        await speaker.say(text)
    expected = [*said, *texts]
    for client in clients:
        await expect_shown(client, expected)
