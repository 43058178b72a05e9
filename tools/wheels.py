"""The wheels of our two distributions, parley-cdk and parley-client, as `pip install` makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.progress import StepFailed

PROJECT = Path(__file__).parent.parent
CONSTRUCT, CLIENT = PROJECT, PROJECT / "clients" / "python"
"""The folder of each, with its pyproject.toml."""

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
"""Without `pip`, which would fetch what it builds with."""


def build(distribution: Path, folder: Path) -> Path:
    """The wheel of the distribution in that folder, made in another, which is new. Raises StepFailed."""
    folder.mkdir(parents=True)
    built = _run(sys.executable, "-c", BUILD, str(folder), folder=distribution)
    return folder / built.splitlines()[-1]


def install(wheel: Path, folder: Path) -> None:
    """Installs the wheel into a folder of its own, without what it depends on. Raises StepFailed."""
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel), folder=folder.parent)


def _run(*command: str, folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "UV_"))}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(f"`{' '.join(command[:2])}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
