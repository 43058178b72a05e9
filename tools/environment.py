"""`python tools/environment.py FOLDER LOCK …`: makes a virtual environment of exactly what the locks name.

It runs before anything is installed, so it imports the standard library alone. uv does the installing, in a tenth of
pip's time; where uv cannot be had, pip installs the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CLIENT = PROJECT / "clients" / "python"
OLDEST = (3, 11)

KEPT_OF_PIP = frozenset(
    {"PIP_CERT", "PIP_CLIENT_CERT", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_PROXY"}
    | {"PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_TRUSTED_HOST"}
)
"""Where packages come from is the machine's to say. What is installed, and where to, is not: PIP_TARGET, PIP_USER,
PIP_REQUIRE_VIRTUALENV and the like would break the environment."""

FOR_UV = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


class SetUpFailed(Exception):
    """The environment could not be made; the message is for people."""


def main(arguments: list[str]) -> None:
    folder, *locks = arguments
    if sys.version_info < OLDEST:
        raise SetUpFailed("Python 3.11 or newer is needed; name one: make PYTHON=python3.13 ...")
    started = time.monotonic()
    environment = Environment(Path(folder))
    environment.make()
    environment.install(locks)
    print(f"Installed {environment.contents()} in {time.monotonic() - started:.0f} s", file=sys.stderr)


class Environment:
    """A virtual environment and what installs into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "bin" / "python"
        self._variables = clean(os.environ)

    def make(self) -> None:
        """Makes it, unless it is there; without pip where this Python's own can serve it, which saves ten seconds."""
        if self._python.exists():
            return
        has_pip = find_spec("pip") is not None
        self._run([sys.executable, "-m", "venv", *(["--without-pip"] if has_pip else []), str(self._folder)])

    def install(self, locks: list[str]) -> None:
        """Installs what the locks name and nothing else, and our own client from its folder."""
        exact = [word for lock in locks for word in ("--requirement", lock)]
        pinned = ["--quiet", "--no-deps", "--require-hashes", *exact]
        installer = self._uv() or self._pip()
        self._run([*installer, *pinned])
        self._run([*installer, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(CLIENT)])

    def contents(self) -> str:
        """How much is in it, for people."""
        packages = len(list(self._folder.glob("lib/python*/site-packages/*.dist-info")))
        size = sum(file.lstat().st_size for file in self._folder.rglob("*") if file.is_file())
        return f"{packages} packages, {size / 1_000_000:,.0f} MB"

    def _uv(self) -> list[str] | None:
        """uv, of the version that the lock names; None where its own installation fails."""
        uv = self._folder / "bin" / "uv"
        if not uv.exists():
            lock = self._folder / "uv.txt"
            lock.write_text(pin_of("uv", PROJECT / "requirements.txt"))
            command = [*self._pip(), "--quiet", "--require-hashes", "--no-deps", "--requirement", str(lock)]
            if subprocess.run(command, env=self._variables, check=False, stderr=subprocess.DEVNULL).returncode:
                print("note: uv could not be installed here; pip installs everything, more slowly", file=sys.stderr)
                return None
        return [str(uv), "pip", "install", "--python", str(self._python)]

    def _pip(self) -> list[str]:
        if next(self._folder.glob("lib/python*/site-packages/pip"), None):
            return [str(self._python), "-m", "pip", "install", "--disable-pip-version-check"]
        elsewhere = [sys.executable, "-m", "pip", "--python", str(self._python)]
        return [*elsewhere, "install", "--disable-pip-version-check"]

    def _run(self, command: list[str]) -> None:
        if subprocess.run(command, env=self._variables, check=False).returncode:
            raise SetUpFailed(
                f"could not set up {self._folder.name} (the reason is above); check the network, or name an index that "
                "it can reach in PIP_INDEX_URL"
            )


def clean(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead an installer, or the Python that it is for, elsewhere."""
    kept = {name: value for name, value in variables.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    kept |= {name: value for name, value in variables.items() if name in KEPT_OF_PIP}
    for_uv = {theirs: variables[name] for name, theirs in FOR_UV.items() if name in variables}
    return {**for_uv, **kept}


def pin_of(package: str, lock: Path) -> str:
    """The lines of a lock that pin one package, hashes and all."""
    found = re.search(rf"^{package}==.*(?:\n +.*)*", lock.read_text(), re.MULTILINE)
    if found is None:
        raise SetUpFailed(f"{lock.name} does not pin {package}; `make lock` writes it")
    return found.group() + "\n"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetUpFailed as problem:
        sys.exit(f"error: {problem}")
