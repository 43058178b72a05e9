"""The Lambda asset: our sources, the SDK cut down to what is called, and bytecode for all of it.

It imports nothing of the CDK, so that the tests and the bench can make the same asset.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from stacks.ca_roots import ORGANISATIONS, aws_roots
from stacks.sdk_description import ENDPOINTS, OPERATIONS, cut

SOURCE = Path(__file__).parent.parent / "lambda_src"
LOCK, OIDC_LOCK = "requirements.txt", "requirements-oidc.txt"
"""What is installed into the asset; the second adds cryptography, which only the tokens of an issuer need."""

PYTHON_VERSION = "3.13"
"""What the functions run on: the newest version that the project is tested with everywhere."""

CACHE_TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"
"""Of the bytecode that the functions read: with it, a cold start need not compile the sources."""

PLATFORM = "aarch64-manylinux_2_28"  # Amazon Linux 2023 has glibc 2.34
PIP_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")

TASK = "/var/task"
"""Where Lambda unpacks an asset, read-only."""

NOT_SHIPPED = ("__pycache__", ".*", "requirements*")
"""What tools leave beside the sources, and what only bundling reads."""


class BundlingFailed(SystemExit):
    """Ends synth with one sentence: any other exception the CDK would wrap in a page of its own."""


def bundle(folder: Path, source: Path = SOURCE, lock: str = LOCK) -> None:
    """Makes the asset in an empty folder. Raises BundlingFailed."""
    _install(source / lock, folder)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    sdk = folder / "botocore"
    cut(sdk)
    roots = sdk / "cacert.pem"
    roots.write_text(aws_roots(roots))
    for left_over in (*folder.glob("*.dist-info"), folder / "bin"):
        shutil.rmtree(left_over, ignore_errors=True)
    for left_over in (*folder.glob(".lock"), *folder.glob(".gitignore")):
        left_over.unlink()
    if makes_bytecode():
        compile_sources(folder)
    else:
        print(
            f"note: bundling with Python {sys.version_info.major}.{sys.version_info.minor}, so the functions "
            f"get no bytecode and start more slowly; with Python {PYTHON_VERSION} they get it",
            file=sys.stderr,
        )
    _make_readable(folder)


def fingerprint(source: Path = SOURCE, lock: str = LOCK) -> str:
    """A hash of all that the asset is made of, and of nothing else.

    Bytecode follows from the sources and the version that compiles them, so its tag stands for it.
    """
    made_of = hashlib.sha256()
    for path in sorted(path for path in source.rglob("*") if path.is_file() and _is_shipped(path.relative_to(source))):
        made_of.update(f"{path.relative_to(source).as_posix()}\0{len(path.read_bytes())}\0".encode())
        made_of.update(path.read_bytes())
    recipe = (
        _locked(source / lock),
        PYTHON_VERSION,
        PLATFORM,
        sorted(OPERATIONS.items()),
        ENDPOINTS,
        sorted(ORGANISATIONS),
    )
    made_of.update(repr((*recipe, makes_bytecode())).encode())
    return made_of.hexdigest()


def makes_bytecode() -> bool:
    """Whether this Python is of the functions' own version. Another's bytecode would only be carried."""
    return sys.implementation.cache_tag == CACHE_TAG


def _is_shipped(path: Path) -> bool:
    return not any(part == "__pycache__" or part.startswith((".", "requirements")) for part in path.parts)


def _locked(lock: Path) -> list[str]:
    """The lock without what people say in it."""
    lines = (line.strip() for line in lock.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _install(lock: Path, folder: Path) -> None:
    exact = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(folder), "-r", str(lock)]
    version = ["--python-version", PYTHON_VERSION]
    if find_spec("uv") is not None:
        from uv import find_uv_bin  # noqa: PLC0415 - absent where pip made the environment without it

        installer = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
        command = [*installer, *version, "--python-platform", PLATFORM, *exact]
    elif find_spec("pip") is not None:
        installer = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        platforms = [f"--platform={platform}" for platform in PIP_PLATFORMS]
        command = [*installer, *version, "--implementation", "cp", *platforms, *exact]
    else:
        raise BundlingFailed("error: neither uv nor pip is in this environment; `make clean` and try again")
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        raise BundlingFailed(
            f"error: could not install {lock.parent.name}/{lock.name} for Python {PYTHON_VERSION} on arm64 "
            "(the reason is above); check the network, or name an index that it can reach in UV_DEFAULT_INDEX"
        ) from error


def compile_sources(folder: Path) -> None:
    """Bytecode for all Python in the folder, for where Lambda unpacks it."""
    # In a process of its own with a fixed hash seed: the same sources make the same bytes.
    # Checked against the source: a zip keeps times badly, and a source that is edited in the console must count.
    command = [sys.executable, "-m", "compileall", "-q", "-s", str(folder), "-p", TASK]
    subprocess.run(
        [*command, "--invalidation-mode", "checked-hash", str(folder)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def _make_readable(folder: Path) -> None:
    """The functions' user must be able to read the asset, whatever umask it was bundled under."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
