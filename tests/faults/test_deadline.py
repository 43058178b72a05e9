"""The functions' own configuration of the SDK, against a server that never answers."""

from __future__ import annotations

import socket

import pytest
from botocore.exceptions import ReadTimeoutError

from chat.sdk import CONFIG
from tests.fakes.engines import Engine

FUNCTION_SECONDS = 10
ATTEMPTS = 3
LONGEST_PAUSES = 1 + 2
"""Seconds between three attempts at most: the SDK waits up to 1 s before the second and up to 2 s before the third."""


def test_the_slowest_call_ends_well_inside_the_functions_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", pauses.append)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        client = Engine(f"http://127.0.0.1:{silent.getsockname()[1]}").client(CONFIG)
        with pytest.raises(ReadTimeoutError):
            client.get_item(TableName="chat", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})

    assert len(pauses) == ATTEMPTS - 1
    assert sum(pauses) <= LONGEST_PAUSES
    # There is time left to say so, even if connecting took as long as it may, too.
    longest_attempt = client.meta.config.connect_timeout + client.meta.config.read_timeout
    assert LONGEST_PAUSES + ATTEMPTS * longest_attempt < FUNCTION_SECONDS - 0.5
