"""How the terminal client starts, and why it does not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from clients.terminal import Terminal
from clients.terminal import __main__ as command_line
from clients.terminal.__main__ import Refusal, converse, local_access, main
from clients.terminal.keys import Keys
from local import deployment
from local.deployment import Endpoint, local_client
from local.emulator import PROJECT
from parley import Chat, ParleyError, TokenRefused, WrongUser
from tests.asynchronous import asynchronous, until
from tests.hang import HANG_SECONDS
from tests.terminal.screen import FAST, running
from tests.terminal.server import Server, serving


@asynchronous
async def test_a_token_that_expires_ends_the_client_with_its_reason(server: Server) -> None:
    async with serving(server), Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST) as chat:
        app = Terminal(chat)
        async with app.run_test():
            server.push({"type": "error", "code": "token_expired", "message": "", "temporary": True})
            await until(lambda: isinstance(app.chat_screen.failure, TokenRefused))
            await until(lambda: not app.is_running)


@asynchronous
async def test_a_refused_token_is_one_sentence(server: Server) -> None:
    server.refuses_connections = 403
    async with serving(server):
        with pytest.raises(Refusal, match="did not accept the token") as refusal:
            await converse(Chat.connect(server.url, "secret-token", timeout=HANG_SECONDS))
    assert "secret-token" not in str(refusal.value)
    assert not isinstance(refusal.value.__cause__, TokenRefused)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Endpoint:
    """A local deployment that runs, as far as its file says."""
    monkeypatch.setattr(deployment, "ENDPOINT_FILE", tmp_path / "endpoint.json")
    endpoint = Endpoint("ws://127.0.0.1:1/local", "http://127.0.0.1:1", "local", "table", "http://127.0.0.1:1", "here")
    endpoint.write()
    return endpoint


def test_a_local_token_is_minted_anew_for_each_connection(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    url, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    first = mint()
    monkeypatch.setattr("time.time", lambda clock=time.time: clock() + 24 * 3600)
    assert url == endpoint.url
    assert expiry(mint()) >= expiry(first) + 24 * 3600


def expiry(token: str) -> int:
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "alice"
    return int(claims["exp"])


def test_a_local_deployment_that_is_stopped_may_come_back(endpoint: Endpoint) -> None:
    _, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    deployment.ENDPOINT_FILE.unlink()
    assert mint()


def test_another_local_deployment_is_not_taken_for_the_first(endpoint: Endpoint) -> None:
    _, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    dataclasses.replace(endpoint, url="ws://127.0.0.1:2/local").write()
    with pytest.raises(ParleyError, match="Another local deployment"):
        mint()


@pytest.mark.usefixtures("environment")
def test_without_a_local_deployment_there_is_one_sentence(endpoint: Endpoint) -> None:
    deployment.ENDPOINT_FILE.unlink()
    with pytest.raises(SystemExit, match="no local deployment is running; start one with `make chat`"):
        main(["--user", "alice"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--url", "https://example.com"], "error: The address starts with https://"),
        (["--url", "nonsense"], "error: The address must be of the form wss://HOST/STAGE"),
        (["--user", "no one"], "error: 'no one' is not a valid user id."),
        (["--url", "ws://127.0.0.1:9/dev"], "error: This client fills a terminal."),
        ([], "error: one of the arguments --user --url is required"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "clients.terminal", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=HANG_SECONDS,
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def environment() -> Iterator[None]:
    """The client forgets AWS settings for its whole process; here that is one of many tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("config", ["", "[default", "[default]\nmax_attempts = zero", "[default]\nsso_session = none"])
def test_no_aws_setting_gets_to_the_local_deployment(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(config)
    for name, value in {"AWS_PROFILE": "nosuch", "AWS_MAX_ATTEMPTS": "zero"}.items():
        monkeypatch.setenv(name, value)

    def secret_of(endpoint: Endpoint) -> str:
        client = local_client("cloudformation", endpoint)  # reads all of boto3's settings
        return str(client.meta.endpoint_url).ljust(32)

    monkeypatch.setattr(command_line, "local_access", lambda user: local_access(user, secret_of))
    with pytest.raises(SystemExit, match="This client fills a terminal"):  # so it has come past the deployment
        main(["--user", "alice"])


def test_what_a_server_says_cannot_touch_the_terminal_on_which_the_client_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(chat: Chat) -> None:
        raise WrongUser("The token is for al\x1b[2Jice\x1b]0;owned\x07.")

    monkeypatch.setattr(command_line, "check_terminal", lambda: None)
    monkeypatch.setattr(command_line, "converse", refuse)
    with pytest.raises(SystemExit) as ended:
        main(["--url", "ws://127.0.0.1:9/dev", "--token", "token"])
    assert str(ended.value) == "error: The token is for al�[2Jice�]0;owned�."


@asynchronous
async def test_the_line_of_keys_is_made_anew_only_if_a_key_has_changed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Keys] = []
    recompose = Keys.recompose

    async def count(self: Keys) -> None:
        made.append(self)
        await recompose(self)

    monkeypatch.setattr(Keys, "recompose", count)
    async with running(server) as screen:
        await screen.shows("New", "Quit")
        before = len(made)
        screen.app.screen.refresh_bindings()
        await screen.settles()
        assert len(made) == before
        screen.app.screen.set_focus(None)
        await screen.settles()
        assert len(made) == before + 1
