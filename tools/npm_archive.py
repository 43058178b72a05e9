"""Single packages from npm, of which only a few files are needed: fetched as archives, without what they depend on."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

FETCH_SECONDS = 300


class FetchFailed(Exception):
    """The package could not be fetched, or is not the one that was pinned."""


def fetch(package: str, integrity: str, directory: Path) -> Path:
    """The archive of a package (`name@version`), put into the directory if it is what `integrity` says."""
    npm = Path(sys.executable).with_name("npm")
    if not npm.exists():
        raise FetchFailed(f"there is no npm beside {sys.executable}; install requirements.txt into this environment")
    command = [str(npm), "pack", package, "--pack-destination", str(directory), "--loglevel=error"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=directory, timeout=FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        raise FetchFailed(f"npm could not fetch {package}:\n{error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise FetchFailed(f"npm could not fetch {package} within {FETCH_SECONDS} s") from None
    archive = next(directory.glob("*.tgz"))
    _verify(archive, package, integrity)
    return archive


def _verify(archive: Path, package: str, integrity: str) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = f"sha512-{base64.b64encode(digest).decode()}"
    if found != integrity:
        raise FetchFailed(f"{package} is not what was pinned: its integrity is {found}, not {integrity}")
