"""The stack, deployed once in a run of the tests. Whoever needs it goes on with a copy, on an emulator of its own.

A deploy takes a synth and half a minute; a copy of what it left behind is a folder of a megabyte. In it the emulator's
port stands, which is another one for each copy.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from local.deployment import Endpoint, deploy
from local.emulator import Emulator, emulator

TRIES = 5
"""How often another process may take the port of a copy before its emulator does."""


@dataclass(frozen=True)
class Deployed:
    """What an emulator kept, to which the stack was deployed, and where that was."""

    folder: Path
    endpoint: Endpoint

    @contextmanager
    def copied(self, folder: Path, *, port: int = 0) -> Iterator[tuple[Emulator, Endpoint]]:
        """Runs a copy, which keeps its state in the folder. If `port` is given, it is there, whoever else may be."""
        for _ in range(TRIES):
            chosen = port or _free_port()
            endpoint = self._copy(folder, chosen)
            with emulator(folder, port=chosen, keep=True) as running:
                if running.port == chosen:
                    yield running, endpoint.with_keys_of(running)
                    return
        raise AssertionError(f"{TRIES} times the port of a copy was taken by somebody else")

    def _copy(self, folder: Path, port: int) -> Endpoint:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / "state", folder / "state")
        for path in (folder / "state").glob("*.json"):
            path.write_text(self._moved(path.read_text(), port))
        return Endpoint(**json.loads(self._moved(json.dumps(asdict(self.endpoint)), port)))

    def _moved(self, text: str, port: int) -> str:
        host, _, old = self.endpoint.endpoint_url.removeprefix("http://").partition(":")
        for name in (host, "localhost"):  # by which the emulator knows its queues
            text = text.replace(f"{name}:{old}", f"{name}:{port}")
        return text


def deployed_in(folder: Path) -> Deployed:
    """The deployment of this run, whose processes share the folder: the first that asks deploys, the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "endpoint.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with emulator(folder, keep=True) as running:
                endpoint = deploy(running)
            done.write_text(json.dumps(asdict(endpoint)))
    return Deployed(folder, Endpoint(**json.loads(done.read_text())))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
