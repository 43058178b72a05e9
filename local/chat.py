"""The stack, deployed and left running: where to connect, and one line for each thing that happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from local.deployment import Endpoint, local_client, local_secret, token

POLL_SECONDS = 0.5

INSTRUCTIONS = """
Parley is running. Stop it with Ctrl-C.

  {url}

A token for alice (for others: make token USER=bob):

  {token}

Connect with any of these, in another terminal:

  wscat -c "{url}?token=$(make -s token USER=alice)"
  websocat "{url}?token=$(make -s token USER=alice)"
  .venv/bin/python -m websockets "{url}?token=$(make -s token USER=alice)"

then type a frame, like

  {{"action": "send", "to": "bob", "text": "hello", "id": "1"}}
  {{"action": "sync"}}
"""


def instructions(endpoint: Endpoint) -> str:
    """How to connect to the deployment."""
    return INSTRUCTIONS.format(url=endpoint.url, token=token(local_secret(endpoint), "alice"))


def follow(endpoint: Endpoint) -> None:
    """Prints a line for each of the functions' log lines, for ever."""
    logs = local_client("logs", endpoint)
    since, seen = int(time.time() * 1_000), set[str]()
    while True:
        for event in sorted(_events(logs, since), key=lambda event: int(event["timestamp"])):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                _show(event["message"])
        time.sleep(POLL_SECONDS)


def _events(logs: Any, since: int) -> Iterator[dict[str, Any]]:
    for group in logs.describe_log_groups()["logGroups"]:
        yield from logs.filter_log_events(logGroupName=group["logGroupName"], startTime=since)["events"]


def _show(message: str) -> None:
    try:
        line = json.loads(message)
    except ValueError:
        return  # the emulator's own START, END and REPORT
    known = ("event", "action", "user", "code", "reason", "error", "taken", "gone", "failed", "duration_ms")
    fields = " ".join(f"{name}={line[name]}" for name in known if name in line)
    print(f"{line['timestamp'][11:23]} {line['message']:18} {fields}", flush=True)
