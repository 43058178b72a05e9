"""A run in several processes hands its tests out as conftest.py says, by a method that xdist keeps to itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import TOGETHER
from tools.environment import PROJECT

HOOK = "from tests.conftest import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler\n"
PATHS = (PROJECT, PROJECT / "lambda_src", PROJECT / "clients" / "python")


def _processes(folder: Path) -> dict[str, str]:
    """Which process ran which file, of two."""
    python = f"import sys, pytest; sys.path += {[str(path) for path in PATHS]}; sys.exit(pytest.main(sys.argv[1:]))"
    options = ["-v", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
    command = [sys.executable, "-c", python, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {file: process for process, file in re.findall(r"^\[(gw\d)\].* PASSED (\S+)::", done.stdout, re.MULTILINE)}


def test_files_that_need_the_same_go_to_one_process(tmp_path: Path) -> None:
    shared = TOGETHER[0]
    files = [f"{shared}/test_one.py", f"{shared}/test_two.py", "unit/test_three.py"]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(HOOK)
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("def test_it() -> None: ...\n")

    ran_by = _processes(tmp_path)

    one, two, three = (ran_by[file] for file in files)
    assert one == two != three
