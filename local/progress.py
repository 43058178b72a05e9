"""Steps that take a while, shown as they happen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TICK_SECONDS = 0.2
LOG_LINES = 30


class StepFailed(Exception):
    """A step that did not work; the message says which, why, and what to do."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Shows the title at once and the seconds when it is done; on a terminal, the seconds run."""
    started = time.monotonic()
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(title, started, done), daemon=True)
    if sys.stdout.isatty():
        ticker.start()
    else:
        print(f"  {title} ...", end="", flush=True)
    ending = "failed"
    try:
        yield
        ending = f"{time.monotonic() - started:.1f} s"
    finally:
        done.set()
        if ticker.ident is not None:
            ticker.join()
            print(f"\r  {title} ...", end="")
        print(f" {ending}", flush=True)


def _tick(title: str, started: float, done: threading.Event) -> None:
    while not done.wait(TICK_SECONDS):
        print(f"\r  {title} ... {time.monotonic() - started:.0f} s", end="", flush=True)


def run(command: Sequence[str], *, environment: Mapping[str, str], log: Path, advice: str, folder: Path) -> None:
    """Runs a command in a folder with its output in `log`. Raises StepFailed with the end of the log and the advice."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait()
        finally:
            # The group: a command may have started another that would outlive it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if status:
        raise StepFailed(f"`{' '.join(command[:2])}` ended with {status}. {advice}\n{end_of(log)}")


def end_of(log: Path) -> str:
    """The last lines of a log, for people."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"--- the end of {log}:", *lines[-LOG_LINES:]])
