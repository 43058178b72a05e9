"""The packages are built from the sources as they lie there, and nothing is left beside them."""

from __future__ import annotations

import re
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.wheels import CLIENT, CONSTRUCT, PROJECT, build

SOURCES = ("stacks", "lambda_src", "clients")
DISTRIBUTIONS = pytest.mark.parametrize("distribution", [CONSTRUCT, CLIENT], ids=["construct", "client"])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    for name in SOURCES:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(PROJECT / name, folder)
    return folder


@DISTRIBUTIONS
def test_building_leaves_nothing_beside_the_sources(distribution: Path, clone: Path, tmp_path: Path) -> None:
    before = sorted(clone.rglob("*"))

    build(clone / distribution.relative_to(PROJECT), tmp_path / "wheel")

    assert sorted(clone.rglob("*")) == before


@pytest.mark.parametrize(
    ("distribution", "module"),
    [(CONSTRUCT, "stacks/gone.py"), (CLIENT, "clients/python/parley/gone.py"), (CLIENT, "lambda_src/chat/gone.py")],
)
def test_a_module_that_was_deleted_is_in_no_later_wheel(
    distribution: Path, module: str, clone: Path, tmp_path: Path
) -> None:
    source = clone / distribution.relative_to(PROJECT)
    (clone / module).write_text("")
    assert _holds_gone(build(source, tmp_path / "before"))

    (clone / module).unlink()

    assert not _holds_gone(build(source, tmp_path / "after"))


def _holds_gone(wheel: Path) -> bool:
    with zipfile.ZipFile(wheel) as archive:
        return any(name.endswith("/gone.py") for name in archive.namelist())


@DISTRIBUTIONS
def test_a_wheel_carries_the_licence(distribution: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(build(distribution, tmp_path / "wheel")) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/LICENSE"))
        assert archive.read(name) == (PROJECT / "LICENSE").read_bytes()


def test_the_licence_is_the_same_in_each_package() -> None:
    licences = {path.read_bytes() for path in PROJECT.glob("clients/*/LICENSE")}
    assert licences == {(PROJECT / "LICENSE").read_bytes()}


@DISTRIBUTIONS
def test_a_package_is_built_with_the_version_that_its_tests_use(distribution: Path) -> None:
    (pinned,) = re.findall(r"^hatchling==.*$", (PROJECT / "requirements.in").read_text(), re.MULTILINE)
    assert tomllib.loads((distribution / "pyproject.toml").read_text())["build-system"]["requires"] == [pinned]
