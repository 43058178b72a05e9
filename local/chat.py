"""The stack, deployed and left running: where to connect, and one line for each thing that happens."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from local.deployment import Endpoint
from local.emulator import Emulator
from local.journal import Journal
from local.private import private_file, private_folder
from local.progress import StepFailed, end_of
from local.reload import Reload

POLL_SECONDS = 0.1
PORTS = range(1, 65_536)

INSTRUCTIONS = """
Parley is running. Stop it with Ctrl-C; press Enter to see the addresses again. A file in lambda_src is live
as soon as you save it; connections stay open.

  Web page       {page}    open it twice, and talk
  Terminal       make terminal USER=alice    in another terminal, in this folder
  WebSocket API  {url}

With a tool for WebSockets, any of these:

  .venv/bin/websockets "{url}?token=$(make -s token USER=alice)"
  npx wscat -c "{url}?token=$(make -s token USER=alice)"
  websocat "{url}?token=$(make -s token USER=alice)"

then type a frame, like

  {{"action": "send", "to": "bob", "text": "hello"}}
  {{"action": "sync"}}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The emulator's and the page's: the same at each start, so that what was left open finds the deployment again.

    What a page keeps in the browser belongs to its port, too.
    """

    emulator: int = 8643
    page: int = 8642

    @classmethod
    def remembered(cls, folder: Path) -> Ports:
        """Those of the last start."""
        try:
            ports = cls(**json.loads(_ports_file(folder).read_text(encoding="utf-8")))
            return ports if all(port in PORTS for port in asdict(ports).values()) else cls()
        except (FileNotFoundError, TypeError, ValueError):
            return cls()

    def remember(self, folder: Path) -> None:
        private_file(_ports_file(folder), json.dumps(asdict(self)) + "\n")


def _ports_file(folder: Path) -> Path:
    return folder / "ports.json"


def say_if_taken(wanted: int, used: int) -> None:
    """Says so if it is another port than last time."""
    if used != wanted:
        print(f"Port {wanted} is taken by another program; using {used}, from now on.", flush=True)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the folder: two at a time would overwrite what the other keeps. Raises StepFailed if it is in use."""
    private_folder(folder)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it goes with the process, however that ends
        except BlockingIOError:
            where = f"at {endpoint.url}" if (endpoint := _running()) else "and still starting"
            raise StepFailed(f"`make chat` is running already, {where}; use that one, or stop it first") from None
        Endpoint.forget()  # whatever a killed one has left
        yield


@contextmanager
def epoch(folder: Path) -> Iterator[str]:
    """Which history the data is. If the last run did not come to its end, it did not save: the data has gone back."""
    file = folder / "epoch.json"
    number = _saved_epoch(file) or secrets.token_hex(4)
    private_file(file, json.dumps({"epoch": number, "is_saved": False}))
    yield number
    private_file(file, json.dumps({"epoch": number, "is_saved": True}))


def _saved_epoch(file: Path) -> str | None:
    try:
        last = json.loads(file.read_text(encoding="utf-8"))
        return str(last["epoch"]) if last["is_saved"] else None
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def _running() -> Endpoint | None:
    """What the endpoint file says is running; None if there is none."""
    try:
        return Endpoint.read()
    except StepFailed:
        return None


def instructions(endpoint: Endpoint) -> str:
    """How to connect to the deployment."""
    return INSTRUCTIONS.format(page=endpoint.page, url=endpoint.url)


def follow(running: Emulator, endpoint: Endpoint) -> None:
    """Prints a line for each thing that happens, for ever. Raises StepFailed when the emulator ends."""
    journal = Journal()
    enter = Enter()
    reload = Reload(running, endpoint)
    line = ""
    with running.function_log.open(encoding="utf-8") as log:
        while True:
            has_ended = running.has_ended  # before the reading, so that its last lines are read
            while part := log.readline():
                line += part
                if line.endswith("\n"):  # else the rest of it is still to come
                    journal.take(line)
                    line = ""
            for shown in journal.rest() if has_ended else journal.due():
                print(shown, flush=True)
            if has_ended:
                what = "the emulator ended, and the deployment with it; start it again with `make chat`"
                raise StepFailed(f"{what}\n{end_of(running.log)}")
            for change in reload.changes():
                print(change, flush=True)
            if enter.was_pressed(POLL_SECONDS):
                print(f"  Web page       {endpoint.page}\n  WebSocket API  {endpoint.url}", flush=True)


class Enter:
    """The Enter key, where there is a keyboard."""

    def __init__(self) -> None:
        self._is_there = sys.stdin is not None and sys.stdin.isatty()

    def was_pressed(self, seconds: float) -> bool:
        """Waits that long for it."""
        if not (self._is_there and self._is_ours()):
            time.sleep(seconds)
            return False
        readable, _, _ = select.select([sys.stdin], [], [], seconds)
        if not readable:
            return False
        self._is_there = bool(os.read(sys.stdin.fileno(), 1_000))  # its end, Ctrl-D, is not a key
        return self._is_there

    @staticmethod
    def _is_ours() -> bool:
        """Whether what is typed is for us: started with `&`, reading would stop this process."""
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        except OSError:  # it is not this session's terminal, so nobody is stopped
            return True
