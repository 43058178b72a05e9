"""`python -m tests.upgrade.keep COMMIT`: keeps that commit's functions as those that run beside the present ones.

They are kept as an archive, not looked up in the history: a clean checkout may have none. To be run at each release.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from local.emulator import PROJECT

PREVIOUS = Path(__file__).parent / "previous.zip"


def kept_commit() -> str:
    """The commit whose functions are kept: git writes it into the archive."""
    with ZipFile(PREVIOUS) as archive:
        return archive.comment.decode()


def unpack(folder: Path) -> Path:
    """The kept functions' sources, below the folder."""
    with ZipFile(PREVIOUS) as archive:
        archive.extractall(folder)
    return folder / "lambda_src"


def main() -> None:
    (commit,) = sys.argv[1:]
    command = ["git", "archive", "--format=zip", "-9", f"--output={PREVIOUS}", commit, "lambda_src"]
    sys.exit(subprocess.run(command, cwd=PROJECT, check=False).returncode)


if __name__ == "__main__":
    main()
