"""The wheels of our two distributions, parley-cdk and parley-client, as `pip install` makes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.progress import StepFailed

PROJECT = Path(__file__).parent.parent
CONSTRUCT, CLIENT = Path(), Path("clients/python")
"""Where the pyproject.toml of each is, below the project."""

SOURCES = ("stacks", "lambda_src", "clients")
LEFT_BY_TOOLS = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", "node_modules")

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
"""Without `pip`, which would fetch what it builds with."""


def build(distribution: Path, folder: Path) -> Path:
    """The wheel of a distribution, made in an empty folder. Raises StepFailed."""
    source = folder / "source"
    source.mkdir(parents=True)
    shutil.copy(PROJECT / "pyproject.toml", source)  # a copy: building leaves things beside the sources
    for name in SOURCES:
        shutil.copytree(PROJECT / name, source / name, ignore=LEFT_BY_TOOLS)
    built = _run(sys.executable, "-c", BUILD, str(folder), folder=source / distribution)
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
