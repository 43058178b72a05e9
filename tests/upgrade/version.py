"""A version of the functions that serves events, beside others, on one table and one stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.clock import now_ms
from chat.sessions import Connection
from tests.hang import HANG_SECONDS
from tests.unit.conftest import ENVIRONMENT
from tests.unit.events import websocket_event

WORKER = Path(__file__).parent / "worker.py"
TRIES = 20
"""Of a frame that is answered with a temporary error, as on a machine that is busy: a client sends it again, too."""


@dataclass(frozen=True)
class Version:
    """What API Gateway would call, and Lambda."""

    name: str
    process: subprocess.Popen[str]

    def invoke(self, function: str, event: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([function, event]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the {self.name} version ended"
        return json.loads(line)

    def connect(self, user: str, device: str) -> Connection:
        one = Connection(user, f"{user}-{device}=", now_ms())
        self._handshake(one, "CONNECT")
        return one

    def disconnect(self, one: Connection) -> None:
        self._handshake(one, "DISCONNECT")

    def _handshake(self, one: Connection, event_type: str) -> None:
        event = websocket_event(event_type, user=one.user, connection=one.id, connected_at=one.connected_at)
        assert any(self.invoke("connection", event)["statusCode"] == 200 for _ in range(TRIES))

    def ask(self, caller: Connection, frame: dict[str, Any]) -> Any:
        """The reply to the frame; None if there is none. One that fails for a moment is sent again, like a client."""
        for attempt in range(TRIES):
            again = {"retry": True} if attempt and frame["action"] == "send" else {}
            body = json.dumps({**frame, **again})
            event = websocket_event(
                "MESSAGE",
                user=caller.user,
                connection=caller.id,
                connected_at=caller.connected_at,
                received_at=now_ms(),
                body=body,
            )
            response = self.invoke("message", event)
            reply = json.loads(response["body"]) if "body" in response else None
            if not (reply and reply.get("temporary")):
                return reply
        raise AssertionError(f"the {self.name} version answers nothing but {reply}")


@contextmanager
def running(
    name: str, folder: Path, table_name: str, dynamodb: str, stage: str, *, grace_seconds: int = 0
) -> Iterator[Version]:
    """The version whose sources are in the folder. What is invoked on Lambda or queued goes to the stage, too."""
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "GRACE_SECONDS": str(grace_seconds),
        "DEPARTURES_QUEUE": f"{stage}/departures",
        "TABLE_NAME": table_name,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": stage,
        "AWS_ENDPOINT_URL_LAMBDA": stage,
        "AWS_ENDPOINT_URL_SQS": stage,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Version(name, process)
    finally:
        process.communicate(timeout=HANG_SECONDS)
