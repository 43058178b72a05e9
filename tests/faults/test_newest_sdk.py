"""What must hold whatever the SDK does, with a newer one than the functions' own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import botocore

from local.emulator import PROJECT
from stacks.installer import install

LOCK = Path(__file__).parent / "newest_sdk" / "requirements.txt"
SAME = "tests/faults/test_deadline.py"


def test_the_time_of_an_event_is_kept_with_a_newer_sdk(tmp_path: Path) -> None:
    target = ["--target", str(tmp_path)]
    install(LOCK, Path(sys.executable), for_both=target)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    newer = run("-c", "import botocore; print(botocore.__version__)").stdout.strip()
    assert _parts(newer) > _parts(botocore.__version__)
    ended = run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", SAME)
    assert ended.returncode == 0, ended.stdout


def _parts(version: str) -> list[int]:
    return list(map(int, version.split(".")))
