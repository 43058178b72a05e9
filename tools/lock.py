"""`python -m tools.lock`: writes each lock, with a hash for every file, from the list of packages that people edit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

PROJECT = Path(__file__).parent.parent

LOCKS = {
    "requirements": "3.11",  # the oldest Python that the project is developed with
    "lambda_src/requirements": "3.13",  # the functions' own
    "lambda_src/requirements-oidc": "3.13",
    "tests/requirements": "3.11",
    "bench/requirements": "3.11",
    "tests/faults/newest_sdk/requirements": "3.11",
}
"""The locks and the oldest Python that each is for; each is made under the constraints of those before it."""


def main() -> None:
    for name, oldest in LOCKS.items():
        # Neither says where packages come from: that differs from machine to machine.
        quiet = ["--quiet", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        command = [find_uv_bin(), "pip", "compile", *quiet, "--generate-hashes", "--universal"]
        names = ["--custom-compile-command", "make lock", "--output-file", f"{name}.txt", f"{name}.in"]
        done = subprocess.run([*command, "--python-version", oldest, *names], cwd=PROJECT, check=False)
        if done.returncode:
            sys.exit(f"error: could not lock {name}.in (the reason is above)")


if __name__ == "__main__":
    main()
