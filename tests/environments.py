"""Environments of Python that have one of our distributions, as people install it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from local.emulator import PROJECT


def environment(wheel: Path, folder: Path) -> Path:
    """The Python of an environment in the folder with the wheel, and without what it depends on."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    quiet = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    run(python, "-m", "pip", "install", *quiet, wheel, cwd=folder)
    return python


def environment_with(wheel: Path, extra: str, folder: Path) -> Path:
    """The Python of an environment with the wheel and what its extra depends on, in the versions that we have."""
    python, uv = folder / "bin" / "python", Path(sys.executable).with_name("uv")
    constraints = (PROJECT / "requirements.txt", PROJECT / "tests" / "requirements.txt")
    pins = [word for constraint in constraints for word in ("--constraint", constraint)]
    run(uv, "venv", "--quiet", "--python", sys.executable, folder, cwd=folder.parent)
    run(uv, "pip", "install", "--quiet", "--python", python, *pins, f"{wheel}[{extra}]", cwd=folder)
    return python


def packages_of(python: Path) -> Path:
    """Where it imports packages from."""
    return Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=python.parent).strip())


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What the command says; it knows nothing of this environment but the variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    done = subprocess.run(command, cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
