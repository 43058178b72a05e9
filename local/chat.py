"""The stack, deployed and left running: where to connect, and one line for each thing that happens."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed

POLL_SECONDS = 0.1

INSTRUCTIONS = """
Parley is running. Stop it with Ctrl-C. Open this in a browser, twice, and talk:

  {page}

The WebSocket API is at

  {url}

A token for alice (for others: make token USER=bob):

  {token}

Connect with any of these, in another terminal:

  wscat -c "{url}?token=$(make -s token USER=alice)"
  websocat "{url}?token=$(make -s token USER=alice)"
  .venv/bin/websockets "{url}?token=$(make -s token USER=alice)"

then type a frame, like

  {{"action": "send", "to": "bob", "text": "hello", "id": "1"}}
  {{"action": "sync"}}
"""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the folder: two at a time would overwrite what the other keeps. Raises StepFailed if it is in use."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it goes with the process, however that ends
        except BlockingIOError:
            where = f"at {endpoint.url}" if (endpoint := _running()) else "and still starting"
            raise StepFailed(f"`make chat` is running already, {where}; use that one, or stop it first") from None
        Endpoint.forget()  # whatever a killed one has left
        yield


def _running() -> Endpoint | None:
    """What the endpoint file says is running; None if there is none."""
    try:
        return Endpoint.read()
    except StepFailed:
        return None


def instructions(endpoint: Endpoint, page: str) -> str:
    """How to connect to the deployment, whose web client is at `page`."""
    return INSTRUCTIONS.format(page=page, url=endpoint.url, token=token(local_secret(endpoint), "alice"))


def follow(function_log: Path) -> None:
    """Prints a line for each of the functions' log lines, for ever."""
    with function_log.open(encoding="utf-8") as lines:
        while True:
            if line := lines.readline():
                _show(line)
            else:
                time.sleep(POLL_SECONDS)


def _show(message: str) -> None:
    try:
        line = json.loads(message)
    except ValueError:
        return  # not ours: a warning of Python's own, say
    known = ("event", "action", "user", "code", "reason", "error", "taken", "gone", "failed", "duration_ms")
    fields = " ".join(f"{name}={line[name]}" for name in known if name in line)
    print(f"{line['timestamp'][11:23]} {line['message']:18} {fields}", flush=True)
