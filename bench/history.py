"""The functions as they were before, from the project's own history, for rows that have them beside those of today."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from bench import PROJECT

VERSION, DATE = "cd6ab35", "2026-11-24"
"""The last one before the message went first, and its day."""

BUNDLE = """
import sys
from pathlib import Path
from stacks.bundle import compile_sources, write_sources

write_sources(Path("lambda_src"), Path(sys.argv[1]))
compile_sources(Path(sys.argv[1]))
"""
"""What its own `cdk deploy` did. The SDK was not in the asset yet: it is this environment's."""

NOT_HERE = f"The version of {DATE} is not measured here: this copy of the project has no history that goes back so far."


def asset_of_before(folder: Path) -> Path | None:
    """The asset of that version; None where the history is not at hand, as in a shallow clone."""
    command = ["git", "archive", VERSION, "lambda_src", "stacks"]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    if found.returncode:
        return None
    sources, asset = folder / "sources-of-before", folder / "before"
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(sources, filter="data")
    subprocess.run([sys.executable, "-c", BUNDLE, str(asset)], cwd=sources, check=True)
    return asset
