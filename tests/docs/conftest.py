"""A copy of the project as a newcomer has it, with `make chat` running in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from local.emulator import PROJECT, clean_environment
from tests.docs.pages import files
from tests.hang import HANG_SECONDS

CONNECT = """
import asyncio
from parley import Chat
from local.deployment import Endpoint, local_secret, token

async def connect():
    endpoint = Endpoint.read()
    async with Chat.connect(endpoint.url, token(local_secret(endpoint), "nobody"), timeout=300):
        pass

asyncio.run(connect())
"""
"""The first start of the functions may take long on a busy machine; what people type does not wait for it that long."""


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files in a folder called `parley`; what was installed for the project is installed for it."""
    folder = tmp_path_factory.mktemp("clone") / "parley"
    for path in files():
        copy = folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, copy)
        os.utime(copy, (0, 0))  # older than what was installed from it, or make would install it anew
    for installed in (".venv", "node_modules"):
        (folder / installed).symlink_to(PROJECT / installed)
    return folder


@pytest.fixture(scope="session")
def running(clone: Path) -> Iterator[Path]:
    """The clone, in which `make chat` runs."""
    with shell("make chat", clone) as process:
        assert process.stdout
        read_until(process.stdout, "  ws://")
        subprocess.run([PROJECT / ".venv/bin/python", "-c", CONNECT], cwd=clone, check=True)
        yield clone


@pytest.fixture(scope="session")
def beside(running: Path) -> Path:
    """An empty folder beside the clone."""
    folder = running.parent / "hello"
    folder.mkdir()
    return folder


@contextmanager
def shell(commands: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs what is typed into a shell in the folder; what is still running at the end is ended."""
    path = os.pathsep.join([str(PROJECT / ".venv" / "bin"), os.environ["PATH"]])
    process = subprocess.Popen(
        ["bash", "-eu", "-c", commands],
        cwd=folder,
        env={**clean_environment(), "PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # SIGINT is ignored below a shell in the background
        process.communicate(timeout=HANG_SECONDS)


def read_until(output: IO[str], *expected: str) -> list[str]:
    """Reads up to the line that completes what is expected, in whatever order."""
    missing, read = set(expected), list[str]()
    for line in output:
        read.append(line)
        missing = {words for words in missing if words not in line}
        if not missing:
            return read
    raise AssertionError(f"it ended without {missing}:\n{''.join(read)}")
