"""`python tools/environment.py LOCK`: makes .venv anew, of exactly what the lock names; `--add LOCK` adds to it.

It runs before anything is installed, so it imports the standard library alone.
"""

from __future__ import annotations

import ensurepip
import re
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # started with -I, which leaves it out

from stacks.installer import EXACT, InstallFailed, install, succeeds  # noqa: E402

ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
CLIENT = PROJECT / "clients" / "python"


def make(lock: Path) -> None:
    """Makes the environment, in the place of any other, with uv, our client, and what the lock names."""
    if ENVIRONMENT.is_symlink():
        ENVIRONMENT.unlink()  # and what it leads to stays as it is
    try:
        venv.create(ENVIRONMENT, clear=True, symlinks=True)
    except ValueError as problem:  # a colon in the path
        raise InstallFailed(f"{problem} Move the project to another folder.") from None
    _install_uv(lock)
    install(lock, PYTHON)
    _add_client()


def _install_uv(lock: Path) -> None:
    """Installs uv with the pip that comes with Python; where it cannot be had, pip is installed and does the rest."""
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch) / "uv.txt"
        own.write_text(pin_of("uv", lock))
        options = [*EXACT, "--quiet", "--only-binary=:all:", "--no-compile", "--requirement", str(own)]
        # pip runs from its own wheel, which saves the seconds that its installation takes.
        if (wheel := _bundled_pip()) and succeeds([str(PYTHON), str(wheel / "pip"), "install", *options]):
            return
    print("note: uv could not be installed here; pip installs everything, more slowly", file=sys.stderr)
    if not succeeds([str(PYTHON), "-I", "-m", "ensurepip"]):
        raise InstallFailed(f"{sys.executable} has no pip (on Debian: apt install python3-venv)")


def _bundled_pip() -> Path | None:
    elsewhere = sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"
    folders = (Path(ensurepip.__file__).with_name("_bundled"), Path(elsewhere))
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def pin_of(package: str, lock: Path) -> str:
    """The lines of a lock that pin one package, hashes and all. Raises InstallFailed."""
    found = re.search(rf"^{package}==.*(?:\n +.*)*", lock.read_text(), re.MULTILINE)
    if found is None:
        raise InstallFailed(f"{lock.name} does not pin {package}; `make lock` writes it")
    return found.group() + "\n"


def _add_client() -> None:
    """Makes `import parley` work, by a path relative to the file: a project that is moved keeps its client."""
    (packages,) = ENVIRONMENT.glob("lib/python*/site-packages")
    up = "../" * len(packages.relative_to(PROJECT).parts)
    (packages / "parley.pth").write_text(f"{up}{CLIENT.relative_to(PROJECT).as_posix()}\n")


def contents() -> str:
    """How much is in it, for people."""
    packages = len(list(ENVIRONMENT.glob("lib/python*/site-packages/*.dist-info")))
    size = sum(path.lstat().st_size for path in ENVIRONMENT.rglob("*") if path.is_file())
    return f"{packages} packages, {size / 1_000_000:,.0f} MB, for Python {sys.version.partition(' ')[0]}"


def main(arguments: list[str]) -> None:
    *options, name = arguments
    started = time.monotonic()
    try:
        if options == ["--add"]:
            install(PROJECT / name, PYTHON)
        else:
            make(PROJECT / name)
    except InstallFailed as problem:
        sys.exit(f"error: {problem}")
    print(f"  now {contents()}; it took {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
