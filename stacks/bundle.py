"""The Lambda asset: our sources, the SDK cut down to what is called, and bytecode for all of it.

The sources, the lock and the bundling Python's version determine it to the last byte: its hash is that of its content.
It imports nothing of the CDK, so that the tests and the bench can make the same asset.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .ca_roots import aws_roots
from .installer import InstallFailed, install
from .sdk_description import cut
from .sdk_modules import empty
from .sources import SOURCES

SOURCE = SOURCES / "lambda_src"
LOCK, OIDC_LOCK = "requirements.txt", "requirements-oidc.txt"
"""What is installed into the asset; the second adds cryptography, which only the tokens of an issuer need."""

PYTHON_VERSION = "3.13"
"""What the functions run on: the newest version that the project can be tested with everywhere."""

CACHE_TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"
"""The tag of bytecode that the functions can read: with it, a cold start need not compile the sources."""

PLATFORM = "aarch64-manylinux_2_28"  # Amazon Linux 2023 has glibc 2.34
PIP_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")

TASK = "/var/task"
"""Where Lambda unpacks an asset, read-only."""

NOT_SHIPPED = ("__pycache__", ".*", "requirements*")
"""Files that tools leave beside the sources, or that only bundling reads."""


class BundlingFailed(SystemExit):
    """Ends synth with one sentence; the CDK would wrap any other exception in a page of its own."""


def bundle(folder: Path, source: Path = SOURCE, lock: str = LOCK) -> None:
    """Makes the asset in an empty folder. Raises BundlingFailed."""
    _install(source / lock, folder)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    sdk = folder / "botocore"
    cut(sdk)
    empty(folder)
    roots = sdk / "cacert.pem"
    roots.write_text(aws_roots(roots))
    _remove_what_installers_leave(folder)
    if makes_bytecode():
        compile_sources(folder, source)
    else:
        print(
            f"note: bundling with Python {sys.version_info.major}.{sys.version_info.minor}, so the functions "
            f"get no bytecode and start more slowly; with Python {PYTHON_VERSION} they get it",
            file=sys.stderr,
        )
    _make_readable(folder)


def makes_bytecode() -> bool:
    """Whether this Python has the functions' version. Bytecode of another would be dead weight."""
    return sys.implementation.cache_tag == CACHE_TAG


def _install(lock: Path, folder: Path) -> None:
    target = ["--target", str(folder), "--only-binary", ":all:", "--python-version", PYTHON_VERSION]
    platforms = [f"--platform={platform}" for platform in PIP_PLATFORMS]
    try:
        install(
            lock,
            Path(sys.executable),
            for_both=target,
            uv=["--python-platform", PLATFORM, "--link-mode", "copy"],
            pip=["--no-compile", "--implementation", "cp", *platforms],
        )
    except InstallFailed as problem:
        raise BundlingFailed(f"error: {problem}") from problem


def _remove_what_installers_leave(folder: Path) -> None:
    """Each installer leaves its own. METADATA stays, because scanners identify packages by it, and so do licences."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    traces = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
    for trace in (*folder.glob(".*"), *(path for name in traces for path in folder.glob(f"*.dist-info/{name}"))):
        trace.unlink()


def compile_sources(folder: Path, source: Path = SOURCE) -> None:
    """Compiles all Python in the folder, for the path where Lambda unpacks it.

    Our files are checked against their sources: a zip keeps times badly, and a source edited in the console must count.
    The SDK, which nobody edits there, is not checked: reading its sources takes a tenth of a cold start's CPU.
    """
    _compile(folder, [folder], "unchecked-hash")
    ours = [folder / path.name for path in source.iterdir() if path.name == "chat" or path.suffix == ".py"]
    _compile(folder, [path for path in ours if path.exists()], "checked-hash")


def _compile(folder: Path, paths: Sequence[Path], mode: str) -> None:
    # In a fresh process, since what else is in memory shows in the bytes.
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-f", "-s", str(folder), "-p", TASK]
    subprocess.run([*command, "--invalidation-mode", mode, *map(str, paths)], check=True)


def _make_readable(folder: Path) -> None:
    """The functions' user must be able to read the asset, whatever umask it was bundled under."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
