"""The chat in your tests: the functions as they are deployed, on loopback, without AWS.

In your `conftest.py`:

    pytest_plugins = ["parley.testing"]

Then each test that asks for `parley_chat` has a chat of its own, which is empty, and gone when the test ends:

    def test_the_customer_is_told(parley_chat):
        shop.parcel_left(parley_chat.backend, order="17", customer="alice")
        assert [message.text for message in parley_chat.backend.history("alice", "shop").messages] == [...]

It requires `parley-client[testing]`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore.config import Config

from parley import Chat
from parley.backend import CONFIG, Backend

REGION = "us-east-1"

_HERE = Path(__file__).parent
FUNCTIONS = installed if (installed := _HERE / "functions").is_dir() else _HERE.parents[3] / "lambda_src"
"""The functions' sources: inside of this folder where it is installed, in the project in their place there."""


@dataclass(frozen=True)
class LocalChat:
    """A chat on loopback, with its table in memory. To connect requires a token, to invoke its function the key."""

    url: str
    """Where clients connect, with a token behind `?token=`."""
    function: str
    """What a backend invokes."""
    environment: Mapping[str, str] = field(repr=False)
    """Variables by which any AWS SDK invokes the function here: for a backend in another process or language."""
    secret: str = field(repr=False)
    """What tokens are signed with, by HS256: for your own sign-in."""

    def token(self, user: str, *, seconds: int = 3600) -> str:
        """A connection token for the user."""
        now = int(time.time())
        return jwt.encode({"sub": user, "iat": now, "exp": now + seconds}, self.secret, algorithm="HS256")

    def connect(self, user: str, **options: Any) -> Chat:
        """A client of the user's, to be entered with `async with`; the options are those of `Chat.connect`."""
        return Chat.connect(self.url, lambda: self.token(user), **options)

    @cached_property
    def backend(self) -> Backend:
        """Your backend's side."""
        session = boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        here = CONFIG.merge(Config(proxies={}))
        endpoint = self.environment["AWS_ENDPOINT_URL_LAMBDA"]
        return Backend(self.function, client=session.client("lambda", endpoint_url=endpoint, config=here))


@contextmanager
def chat_on_loopback() -> Iterator[LocalChat]:
    """Starts a chat that is empty, and ends it. Raises RuntimeError if it does not start; its log says why."""
    # It imports as we do, but that the functions' modules come first: yours may have the same names.
    command = [sys.executable, "-P", "-m", "parley.testing.server"]
    path = os.pathsep.join(filter(None, [str(FUNCTIONS), *sys.path]))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdin=pipe, stdout=pipe, text=True
    ) as server:
        try:
            yield _started(server)
        finally:
            server.kill()


def _started(server: subprocess.Popen[str]) -> LocalChat:
    line = server.stdout.readline() if server.stdout else ""
    if not line:
        raise RuntimeError(f"the chat did not start: it exited with {server.wait()}, and its output above says why")
    said = json.loads(line)
    environment = {
        "AWS_ENDPOINT_URL_LAMBDA": said["lambda_url"],
        "AWS_ACCESS_KEY_ID": said["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    return LocalChat(said["url"], said["function"], environment, said["secret"])


@pytest.fixture
def parley_chat() -> Iterator[LocalChat]:
    """A chat of the test's own, with all of its functions, on loopback."""
    with chat_on_loopback() as chat:
        yield chat
