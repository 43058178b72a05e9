"""Packages come from locks alone, whatever the shell says, and by whichever installer is there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from stacks import installer
from stacks.installer import InstallFailed, clean, install
from tools.environment import pin_of

PROJECT = Path(__file__).parents[2]
LOCKS = [PROJECT / name / "requirements.txt" for name in ("", "lambda_src", "tests", "bench")]
NEWER = PROJECT / "tests" / "faults" / "newest_sdk" / "requirements.txt"
"""Which is to differ from the others."""

LEADS_ELSEWHERE = {
    "PIP_TARGET": "/elsewhere",
    "PIP_USER": "1",
    "PIP_NO_BINARY": ":all:",
    "PIP_CONSTRAINT": "/elsewhere",
    "UV_TARGET": "/elsewhere",
    "UV_CONSTRAINT": "/elsewhere",
    "UV_PYTHON": "3.8",
    "PYTHONPATH": "/elsewhere",
    "PYTHONHOME": "/elsewhere",
    "PYTHONSAFEPATH": "1",
    "VIRTUAL_ENV": "/elsewhere",
}
WHERE_FROM = {
    "PIP_EXTRA_INDEX_URL": "https://packages.example",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/wheels",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_CONFIG_FILE": "/dev/null",
    "UV_DEFAULT_INDEX": "https://packages.example",
    "UV_NATIVE_TLS": "1",
    "UV_NO_CACHE": "1",
    "http_proxy": "http://proxy.example",
    "PATH": "/bin",
}


def test_a_shell_may_say_where_packages_come_from_and_not_what_is_installed() -> None:
    cleaned = clean({**LEADS_ELSEWHERE, **WHERE_FROM})

    assert WHERE_FROM.items() <= cleaned.items()
    assert not LEADS_ELSEWHERE.keys() & cleaned.keys()


def test_uv_is_told_of_pip_s_index_unless_it_has_its_own() -> None:
    theirs, own = "https://pip.example", "https://uv.example"

    assert clean({"PIP_INDEX_URL": theirs})["UV_DEFAULT_INDEX"] == theirs
    assert clean({"PIP_INDEX_URL": theirs, "UV_DEFAULT_INDEX": own})["UV_DEFAULT_INDEX"] == own
    assert "UV_DEFAULT_INDEX" not in clean({"PIP_INDEX_URL": ""})


@pytest.mark.parametrize(
    ("there", "failing", "used"),
    [
        ({"uv", "pip"}, set(), ["uv"]),
        ({"uv", "pip"}, {"uv"}, ["uv", "pip"]),
        ({"pip"}, set(), ["pip"]),
        ({"uv"}, set(), ["uv"]),
    ],
)
def test_uv_installs_and_pip_where_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: set[str], failing: set[str], used: list[str]
) -> None:
    asked: list[str] = []

    def succeeds(command: Sequence[str]) -> bool:
        asked.append("pip" if "-m" in command else "uv")
        assert {"--no-deps", "--require-hashes", "--both", f"--{asked[-1]}"} <= set(command)
        return asked[-1] not in failing

    _pretend(monkeypatch, there)
    monkeypatch.setattr(installer, "succeeds", succeeds)
    install(tmp_path / "lock.txt", tmp_path / "python", for_both=["--both"], uv=["--uv"], pip=["--pip"])
    assert asked == used


def test_an_environment_with_neither_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, set())
    with pytest.raises(InstallFailed, match="neither uv nor pip"):
        install(tmp_path / "lock.txt", tmp_path / "python")


def _pretend(monkeypatch: pytest.MonkeyPatch, there: set[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: name if name in there else None)
    monkeypatch.setattr(installer, "has_pip", lambda _: "pip" in there)


# The locks


@pytest.mark.parametrize("lock", [*LOCKS, NEWER], ids=lambda lock: lock.parent.name)
def test_a_lock_names_each_package_exactly_with_hashes_and_nothing_of_where_it_came_from(lock: Path) -> None:
    text = lock.read_text()
    entries = re.findall(r"^[^#\s].*(?:\n +.*)*", text, re.MULTILINE)

    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert "--" not in re.sub(r"--hash", "", text)


@pytest.mark.parametrize("lock", [*LOCKS, NEWER], ids=lambda lock: lock.parent.name)
def test_a_lock_is_of_what_people_edit(lock: Path) -> None:
    asked = lock.with_suffix(".in").read_text().lower()
    locked = lock.read_text()
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", asked, re.MULTILINE):
        assert re.search(rf"^{name}=={re.escape(version)} ", locked, re.MULTILINE), name


def test_locks_agree_on_what_more_than_one_of_them_names() -> None:
    locked: dict[str, set[frozenset[str]]] = {}
    for lock in LOCKS:
        versions: dict[str, set[str]] = {}  # of a package; more than one where a newer Python gets a newer version
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
        for name, found in versions.items():
            locked.setdefault(name, set()).add(frozenset(found))
    assert not {name: found for name, found in locked.items() if len(found) > 1}


def test_the_pin_of_one_package_is_taken_with_all_its_hashes() -> None:
    pin = pin_of("uv", PROJECT / "requirements.txt")

    assert pin.startswith("uv==")
    assert pin.count("==") == 1
    assert pin.count("--hash") > 5


def test_a_package_that_the_lock_does_not_name_is_said_to_be_missing() -> None:
    with pytest.raises(InstallFailed, match="does not pin parley-no-such"):
        pin_of("parley-no-such", PROJECT / "requirements.txt")
