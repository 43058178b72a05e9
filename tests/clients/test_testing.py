"""The chat on loopback that the client package has for tests of others: as they install it, and what it promises."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import websockets.exceptions
from botocore.exceptions import ClientError
from websockets.sync.client import connect

from parley import Chat, Ended, Message, PresenceChange
from parley.backend import Backend
from parley.testing import LocalChat, chat_on_loopback
from tests.docs.pages import blocks
from tests.environments import environment_with
from tests.hang import HANG_SECONDS, until
from tests.raw_connection import raw_connection
from tools.wheels import CLIENT, build

PAGE = "docs/integrating.md"
NAMES_OF_OURS = ("backend", "chat", "connection", "message")


@pytest.fixture
def chat() -> Iterator[LocalChat]:
    with chat_on_loopback() as chat:
        yield chat


# As others install it


def test_the_suite_of_the_page_passes_where_the_package_is_installed(tmp_path: Path) -> None:
    python = environment_with(build(CLIENT, tmp_path / "wheel"), "testing", tmp_path / "environment")
    project = tmp_path / "project"
    project.mkdir()
    (conftest, tests) = (block.text for block in blocks(PAGE, "python") if "parley.testing" in block.text)
    (project / "conftest.py").write_text(conftest)
    (project / "test_parcels.py").write_text(tests)
    for name in NAMES_OF_OURS:
        (project / f"{name}.py").write_text('raise AssertionError("a module of the project in the place of ours")')

    ran = _pytest(python, project)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^2 passed", ran.stdout, re.MULTILINE)


def test_a_test_that_fails_shows_what_the_functions_logged(tmp_path: Path) -> None:
    conftest = f'import sys; sys.path.insert(0, {str(CLIENT)!r}); pytest_plugins = ["parley.testing"]'
    (tmp_path / "conftest.py").write_text(conftest)
    test = """
def test_it(parley_chat):
    parley_chat.backend.send("shop", "alice", "a secret text")
    raise AssertionError
"""
    (tmp_path / "test_it.py").write_text(test)

    ran = _pytest(Path(sys.executable), tmp_path)

    assert '"message":"operation","action":"send"' in ran.stdout
    assert "a secret text" not in ran.stdout.partition("Captured stderr")[2]


def _pytest(python: Path, project: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=project, env=clean, capture_output=True, text=True, check=False)


# What it is


def test_a_user_and_a_backend_talk_and_see_each_other(chat: LocalChat) -> None:
    async def talk() -> None:
        async with (
            asyncio.timeout(HANG_SECONDS),
            chat.connect("alice", timeout=HANG_SECONDS) as alice,
            chat.connect("shop", timeout=HANG_SECONDS) as shop,
        ):
            await alice.send("shop", "hello")
            await shop.send("alice", "hi")
            assert chat.backend.send("shop", "alice", "how are you?").delivered == 1
            assert await _until_message(alice, "how are you?") == 3
            assert (await alice.presence("shop"))[0].online

    asyncio.run(talk())
    until(lambda: not chat.backend.presence(["alice"])["alice"].online)


def test_partners_hear_of_an_arrival_and_a_departure(chat: LocalChat) -> None:
    async def watch() -> list[bool]:
        told: list[bool] = []
        async with asyncio.timeout(HANG_SECONDS), chat.connect("alice", timeout=HANG_SECONDS) as alice:
            await alice.send("bob", "hello")
            async with chat.connect("bob", timeout=HANG_SECONDS) as bob:
                await bob.send("alice", "hi")
            async for event in alice:
                if isinstance(event, PresenceChange) and event.user == "bob":
                    told.append(event.online)
                    if told[-2:] == [True, False]:
                        break
        return told

    assert asyncio.run(watch())[-2:] == [True, False]


def test_who_is_kicked_is_told_why_and_is_out(chat: LocalChat) -> None:
    async def be_kicked() -> str:
        async with asyncio.timeout(HANG_SECONDS), chat.connect("alice", timeout=HANG_SECONDS) as alice:
            chat.backend.bar("alice", 1)
            try:
                async for _ in alice:
                    pass
            except Ended as ended:
                return ended.code
        return "not ended"

    assert asyncio.run(be_kicked()) == "kicked"
    with pytest.raises(websockets.exceptions.InvalidStatus, match="429"):
        connect(f"{chat.url}?token={chat.token('alice')}", open_timeout=HANG_SECONDS, ping_interval=None)


def test_frames_are_those_of_the_protocol(chat: LocalChat) -> None:
    with raw_connection(f"{chat.url}?token={chat.token('alice')}") as alice:
        assert alice.ask("sync")["user"] == "alice"
        assert alice.ask("send", to="bob", text="hi", id="1")["seq"] == 1
        assert alice.ask("send", to="bob", text="hi", id="1")["duplicate"]
        alice.say('{"action": "$connect"}')
        assert alice.receive(type="error")["code"] == "unknown_action"


async def _until_message(chat: Chat, text: str) -> int:
    async for event in chat:
        if isinstance(event, Message) and event.text == text:
            return event.seq
    raise AssertionError("the chat has ended")


# Who is let in


@pytest.mark.parametrize("query", ["", "?token=", "?token=none", "?userId=alice"])
def test_without_a_token_nobody_is_let_in(chat: LocalChat, query: str) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        connect(f"{chat.url}{query}", open_timeout=HANG_SECONDS, ping_interval=None)


def test_a_token_of_another_chat_lets_nobody_in(chat: LocalChat) -> None:
    with chat_on_loopback() as other, pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        connect(f"{chat.url}?token={other.token('alice')}", open_timeout=HANG_SECONDS, ping_interval=None)


def test_without_the_key_nobody_invokes_the_function(chat: LocalChat) -> None:
    stranger = boto3.client(
        "lambda",
        endpoint_url=chat.environment["AWS_ENDPOINT_URL_LAMBDA"],
        region_name="us-east-1",
        aws_access_key_id="AKIA0000000000000000",
        aws_secret_access_key="unused",
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        Backend(chat.function, client=stranger).send("shop", "alice", "hi")
    assert list(chat.backend.chats("alice")) == []


def test_it_has_one_function(chat: LocalChat) -> None:
    with pytest.raises(ClientError, match="ResourceNotFound"):
        Backend("another", client=chat.backend._client).send("shop", "alice", "hi")


def test_it_listens_on_loopback_only_and_shows_no_secret(chat: LocalChat) -> None:
    assert {urlsplit(url).hostname for url in (chat.url, chat.environment["AWS_ENDPOINT_URL_LAMBDA"])} == {"127.0.0.1"}
    assert chat.secret not in repr(chat)
    assert chat.environment["AWS_ACCESS_KEY_ID"] not in repr(chat)


# From another process, and to its end


def test_a_program_that_knows_only_the_environment_writes_and_an_event_is_taken(chat: LocalChat) -> None:
    program = """
import boto3, json, sys
for kind in ("RequestResponse", "Event"):
    event = {"action": "send", "user": "shop", "to": "alice", "id": kind, "text": "hi"}
    answer = boto3.client("lambda").invoke(FunctionName=sys.argv[1], InvocationType=kind, Payload=json.dumps(event))
    print(answer["StatusCode"])
"""
    environment = {**os.environ, **chat.environment}
    said = subprocess.check_output([sys.executable, "-c", program, chat.function], env=environment, text=True)

    assert said.split() == ["200", "202"]
    until(lambda: chat.backend.unread("alice").total == 2)


def test_it_is_empty_at_first_and_gone_in_the_end() -> None:
    for _ in range(2):
        with chat_on_loopback() as chat:
            assert list(chat.backend.chats("alice")) == []
            chat.backend.send("shop", "alice", "hi")
    with pytest.raises(ConnectionRefusedError):
        connect(f"{chat.url}?token={chat.token('alice')}", open_timeout=HANG_SECONDS, ping_interval=None)


def test_it_ends_with_the_process_that_started_it() -> None:
    program = "from parley.testing import chat_on_loopback\nwith chat_on_loopback() as chat:\n"
    program += "    import json, os; print(json.dumps([chat.url, chat.token('alice')]), flush=True); os._exit(1)"
    paths = os.pathsep.join(sys.path)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    url, token = json.loads(ran.stdout)

    def has_gone() -> bool:
        try:
            connect(f"{url}?token={token}", open_timeout=HANG_SECONDS, ping_interval=None).close()
        except OSError:
            return True
        return False

    until(has_gone)


def test_it_says_that_it_could_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chat.py").write_text('raise ImportError("this one is broken")')
    monkeypatch.setattr("parley.testing.FUNCTIONS", tmp_path)
    with pytest.raises(RuntimeError, match="the chat did not start"), chat_on_loopback():
        pass
    assert "this one is broken" in capfd.readouterr().err
