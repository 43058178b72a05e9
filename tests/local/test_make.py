"""What is typed behind `make` reaches the programs as it is: neither make nor the shell reads it, or runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from local.emulator import PROJECT, clean_environment

PROGRAM = """#!/bin/sh
printf '<%s>' "$@"
"""
"""Stands in for Python."""

CDK = ["synth", "diff", "deploy", "watch", "destroy"]

ODD = [
    "alice",
    "a'; touch ran; '",
    'a"; touch ran; "',
    "$(shell touch ran)",
    "$(touch ran)",
    "`touch ran`",
    "a$b",
    "$$HOME",
    "${HOME}",
    "$(HOME)",
    "o'brien",
    "-x",
    "--stack=x",
    "a b",
    "a ",
    "#a",
    "a\\",
    "a,b)",
    "a;b|c&d>e",
    "*",
    "%",
    "münchen",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile where everything is installed and Python only says what it was given."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    show = ["make", "--print-data-base", "--question", "help"]
    rules = subprocess.run(show, check=False, capture_output=True, text=True, cwd=PROJECT).stdout.splitlines()
    installed = (".venv/", "node_modules/")
    needed = {name for rule in rules if rule.startswith(installed) for name in rule.partition(":")[2].split()}
    for name in needed - {name for name in needed if name.startswith(installed)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PROGRAM)
    python.chmod(0o700)
    for folder in (".venv", "node_modules"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "installed").touch()
    return tmp_path


def make(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        ["make", "--silent", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=project,
        env=clean_environment() | environment,
    )
    assert not (project / "ran").exists()
    return ended


@pytest.mark.parametrize("user", ODD)
def test_a_user_id_is_taken_as_it_is(project: Path, user: str) -> None:
    assert make(project, "token", f"USER={user}").stdout == f"<-m><local><token><--><{user}>"
    assert make(project, "terminal", f"USER={user}").stdout == f"<-m><clients.terminal><--user={user}>"


@pytest.mark.parametrize("stack", ODD)
def test_the_name_of_a_stack_is_taken_as_it_is(project: Path, stack: str) -> None:
    words = make(project, "token", "USER=alice", f"STACK={stack}").stdout
    assert words == f"<-m><local><token><--stack={stack}><--><alice>"


@pytest.mark.parametrize("place", [*ODD, "header ; touch ran", "header $(shell touch ran)"])
def test_what_a_smoke_test_is_told_is_taken_as_it_is(project: Path, place: str) -> None:
    words = [f"STACK={place}", f"URL={place}", f"TOKEN_IN={place}"]
    told = f"<-m><local><smoke><--stack={place}><--url={place}><--token-in={place}>"
    assert make(project, "smoke", *words).stdout == told


@pytest.mark.parametrize(("command", "context"), [*product(CDK, ["stage=prod web=true"]), *product(["deploy"], ODD)])
def test_the_context_is_taken_as_it_is(project: Path, command: str, context: str) -> None:
    assert make(project, command, f"CONTEXT={context}").stdout == f"<-m><local.cdk><{command}><--><{context}>"
    assert make(project, command, CONTEXT=context).stdout == f"<-m><local.cdk><{command}><--><{context}>"


@pytest.mark.parametrize("stage", ODD)
def test_the_name_of_a_stage_is_taken_as_it_is_and_never_from_the_environment(project: Path, stage: str) -> None:
    words = make(project, "deploy", f"STAGE={stage}", STAGE="another").stdout
    assert words == f"<-m><local.cdk><deploy><--stage={stage}><--><>"
    assert make(project, "deploy", STAGE=stage).stdout == "<-m><local.cdk><deploy><--><>"


@pytest.mark.parametrize(("said", "word"), [("yes", "<--confirmed>"), ("no", ""), ("", ""), ("$(shell touch ran)", "")])
def test_only_yes_confirms(project: Path, said: str, word: str) -> None:
    assert make(project, "deploy", f"CONFIRM={said}").stdout == f"<-m><local.cdk><deploy>{word}<--><>"


@pytest.mark.parametrize(("said", "word"), [("RETIRE=now", "<--retire>"), ("RETIRE=", "")])
def test_a_key_is_retired_now_or_left(project: Path, said: str, word: str) -> None:
    assert make(project, "rotate-key", "STACK=x", said).stdout == f"<-m><local><rotate-key>{word}<--><x>"


@pytest.mark.parametrize("said", ["yes", "1", "NOW", "now yes", "$(shell touch ran)", "`touch ran`"])
def test_nothing_is_rotated_where_a_leaked_key_would_stay(project: Path, said: str) -> None:
    ended = make(project, "rotate-key", "STACK=x", f"RETIRE={said}")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "RETIRE can be now and nothing else" in ended.stderr


@pytest.mark.parametrize("target", ["token", "terminal"])
def test_the_users_name_on_this_machine_is_not_taken_for_an_argument(project: Path, target: str) -> None:
    for words, environment in (((), {"USER": os.environ.get("USER", "root")}), (("USER=",), {})):
        ended = make(project, target, *words, **environment)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"make {target} USER=alice" in ended.stderr


@pytest.mark.parametrize("target", ["token", "terminal"])
def test_a_name_in_small_letters_is_refused(project: Path, target: str) -> None:
    for name in ("user", "stack", "context", "retire", "url"):
        ended = make(project, target, f"{name}=$(shell touch ran)")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"it is {name.upper()}=..., in capitals, not {name}=..." in ended.stderr


@pytest.mark.parametrize(("command", "name"), [*product(CDK, ["stage"]), ("deploy", "retentionDays")])
def test_a_setting_that_was_given_to_make_is_refused(project: Path, command: str, name: str) -> None:
    ended = make(project, command, f"{name}=$(shell touch ran)")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f'give it in CONTEXT: make deploy CONTEXT="{name}=$(shell touch ran)"' in ended.stderr
