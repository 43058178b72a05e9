"""`make` sets a project up wherever it lies and whatever the shell says; a small project stands in for ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.environment import pin_of

PROJECT = Path(__file__).parents[2]

PROGRAM = """\
import importlib.util, json, os, sys
prefixes = ("PYTHON", "XDG", "npm_", "JSII", "CDK", "VIRTUAL")
variables = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
parley = importlib.util.find_spec("parley").origin
said = {"arguments": sys.argv[1:], "prefix": sys.prefix, "parley": parley, "variables": variables}
print(json.dumps({**said, "text": "👋", "version": sys.version_info[:2]}, ensure_ascii=False))
"""

OTHERS = {
    "AWS_PROFILE": "no-such-profile",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "LC_ALL": "C",
    "PIP_NO_BINARY": ":all:",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "/no/such/folder",
    "PIP_USER": "1",
    "PYTHONHOME": "/no/such/folder",
    "PYTHONINSPECT": "1",
    "PYTHONPATH": "/no/such/folder",
    "PYTHONSAFEPATH": "1",
    "PYTHONWARNINGS": "error",
    "UV_CONSTRAINT": "/no/such/file",
    "UV_PYTHON": "3.8",
    "UV_TARGET": "/no/such/folder",
    "VIRTUAL_ENV": "/no/such/folder",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone where only uv is to be installed, and the demo says what it sees."""
    clone = tmp_path / "a földer" / "мой clone's"
    clone.mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", clone)
    for folder in ("stacks", "tools", "clients/python"):
        shutil.copytree(PROJECT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for lock in ("requirements.txt", "tests/requirements.txt", "bench/requirements.txt"):
        (clone / lock).parent.mkdir(exist_ok=True)
        (clone / lock).write_text(pin_of("uv", PROJECT / "requirements.txt"))
    (clone / "local").mkdir()
    (clone / "local" / "__main__.py").write_text(PROGRAM, "utf-8")
    return clone


def make(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs make in the project; with a Node.js part that is there already."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL", "COV"))}
    return subprocess.run(
        ["make", "--silent", "--old-file=node_modules/installed", *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=project,
        env={**shell, **variables},
    )


def test_it_works_in_any_folder_and_any_shell(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "no" / "home"
    (project / "node_modules").mkdir()
    (project / "node_modules" / "installed").touch()
    gone = project / ".venv/lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "gone.py"
    gone.parent.mkdir(parents=True)
    gone.touch()
    before = os.umask(0o077)
    try:
        done = make(project, "demo", f"PYTHON={sys.executable}", HOME=str(home), **OTHERS)
    finally:
        os.umask(before)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["arguments"] == ["demo"]
    assert Path(said["prefix"]) == project / ".venv"
    assert Path(said["parley"]).is_relative_to(project)
    assert said["text"] == "👋"
    inside = {name: value for name, value in said["variables"].items() if not name.startswith("PYTHON")}
    assert inside.pop("CDK_DISABLE_CLI_TELEMETRY") == "1"
    assert inside.keys() == {"CDK_HOME", "JSII_RUNTIME_PACKAGE_CACHE_ROOT", "XDG_CACHE_HOME", "npm_config_cache"}
    assert all(value.startswith(f"{project}/.local/") for value in inside.values())
    assert said["variables"].keys() - inside.keys() - {"CDK_DISABLE_CLI_TELEMETRY"} == {
        "PYTHONNOUSERSITE",
        "PYTHONUTF8",
    }
    assert "1 packages, " in done.stderr, "how much is installed is shown"
    # pip asks for other programs of the machine, such as a compiler, which may leave something there.
    assert not {path.name for path in home.glob("*")} & {".cache", ".cdk", ".config", ".local", ".npm"}
    assert not gone.exists(), "what no lock names any more"

    # Once: the next one installs nothing.
    assert make(project, "demo", "PYTHON=/no/such/python").stderr == ""


def test_a_home_keeps_the_caches_of_the_installers(project: Path, tmp_path: Path) -> None:
    show = ["--eval", "show: ; @env", "show", f"PYTHON={sys.executable}"]
    lines = make(project, *show, HOME=str(tmp_path)).stdout.splitlines()

    names = {line.partition("=")[0] for line in lines}
    assert not names & {"XDG_CACHE_HOME", "npm_config_cache"} - os.environ.keys()


def test_an_environment_that_is_a_link_is_replaced_and_what_it_leads_to_stays(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (project / ".venv").symlink_to(elsewhere)

    done = make(project, ".venv/installed", f"PYTHON={sys.executable}")

    assert done.returncode == 0, done.stderr
    assert not (project / ".venv").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]


@pytest.mark.parametrize("broken", ["exit 127", "exit 1"])
def test_a_python_that_does_not_work_is_one_sentence(project: Path, tmp_path: Path, broken: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{broken}\n")
    python.chmod(0o700)

    done = make(project, ".venv/installed", f"PYTHON={python}")

    assert done.returncode != 0
    assert done.stderr.startswith("error: Python 3.11 or newer is required")
    assert not (project / ".venv").exists()


def test_the_functions_own_python_is_chosen_if_it_works(project: Path, tmp_path: Path) -> None:
    for name, works in (("python3.13", 0), ("python3", 0), ("python3.12", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {works}\n")
        (tmp_path / name).chmod(0o700)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    show = ["--eval", "show: ; @echo '$(PYTHON)'", "show"]

    assert make(project, *show, PATH=path).stdout == "python3.13\n"

    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")  # as pyenv's is, where the version is not installed
    assert make(project, *show, PATH=path).stdout == "python3\n"
    assert make(project, *show, "PYTHON=python3.12", PATH=path).stdout == "python3.12\n"
