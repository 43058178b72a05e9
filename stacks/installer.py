"""Installs exactly what a lock names: with uv, which takes a tenth of pip's time, or else with pip.

It imports the standard library alone: it also makes the environment that everything else runs in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

WHERE_FROM = re.compile(
    r"(PIP|UV)_.*(INDEX|FIND_LINKS|HOST|CERT|TLS|PROXY|TIMEOUT|RETRIES|CACHE|CONFIG_FILE|KEYRING|OFFLINE)"
)
"""The machine may say where packages come from, but not what is installed, or where: PIP_TARGET, PIP_USER and
UV_CONSTRAINT, for instance, would break the environment."""

FOR_UV = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}

EXACT = ("--quiet", "--no-deps", "--require-hashes")


class InstallFailed(Exception):
    """Packages could not be installed; the message is for people."""


def clean(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without variables that would lead an installer, or its Python, elsewhere."""
    kept = {name: value for name, value in variables.items() if not _leads_elsewhere(name)}
    for_uv = {theirs: variables[name] for name, theirs in FOR_UV.items() if variables.get(name)}
    return {**for_uv, **kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _leads_elsewhere(name: str) -> bool:
    if name.startswith(("PIP_", "UV_")):
        return not WHERE_FROM.match(name)
    return name.startswith(("PYTHON", "VIRTUAL_ENV"))


def install(
    lock: Path, python: Path, *, for_both: Sequence[str] = (), uv: Sequence[str] = (), pip: Sequence[str] = ()
) -> None:
    """Installs what the lock names, into the environment of a Python unless the options say otherwise.

    Further options are for both installers, for uv, and for pip. Raises InstallFailed.
    """
    rest = [*for_both, *EXACT, "--requirement", str(lock)]
    commands = []
    if found := shutil.which("uv", path=f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"):
        commands.append([found, "pip", "install", "--python", str(python), *uv, *rest])
    if has_pip(python):
        commands.append([str(python), "-I", "-m", "pip", "install", *pip, *rest])
    if not commands:
        raise InstallFailed("there is neither uv nor pip in this environment; `make clean` and try again")
    if not any(map(succeeds, commands)):
        raise InstallFailed(
            f"could not install {lock.parent.name}/{lock.name} (the reason is above); check the network, "
            "or name an index that can be reached in PIP_INDEX_URL, and try again"
        )


def has_pip(python: Path) -> bool:
    return succeeds(
        [str(python), "-I", "-c", "import importlib.util, sys; sys.exit(not importlib.util.find_spec('pip'))"]
    )


def succeeds(command: Sequence[str]) -> bool:
    """Whether the command does. What it says goes to stderr: the CDK reads the other."""
    return subprocess.run(command, check=False, env=clean(os.environ), stdout=sys.stderr).returncode == 0
