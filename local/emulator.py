"""MiniStack, an emulator of AWS, as a process of ours: on loopback, on a free port, with IAM enforced."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from local.progress import StepFailed, end_of

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ACCESS_KEY = "test"  # the emulator's name for the account's own rights; another one is nobody
REGION = "us-east-1"
ACCOUNT = "000000000000"
SETTINGS = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
"""IAM enforced, for the functions' roles too; on loopback only; and without a port of its own for IoT."""

PROCESS_PAGE = "/_parley/process"
"""Where the emulator says which process it is."""

START_SECONDS = 30
SAVE_SECONDS = 15  # it gives open connections 3 s to end, then saves


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    port: int
    folder: Path
    """Where it and what is deployed to it leave their logs."""
    scratch: Path
    """A folder that goes with it."""

    @property
    def log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def function_log(self) -> Path:
        """What the functions log, a JSON line an event."""
        return self.folder / "functions.log"

    @property
    def state(self) -> Path:
        """What it keeps, if it keeps anything: what is deployed, and the data."""
        return self.folder / "state"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes the SDK and the CDK talk to the emulator, and to nothing else."""
        return {
            **clean_environment(),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def forget_aws_settings() -> None:
    """Takes every AWS setting out of this process: a profile is not looked up, and no account can be reached."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]


def clean_environment() -> dict[str, str]:
    """This environment without any AWS setting, for a process of its own; our tools come first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


@contextmanager
def emulator(folder: Path, *, port: int = 0, keep: bool = False) -> Iterator[Emulator]:
    """Starts the emulator, and ends it with all it started. Raises StepFailed if it does not come up.

    If `port` is taken, it is another one. With `keep` it goes on with what was deployed to it and stored in it when it
    was stopped last, in the same folder; if that one is still saving, it waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="parley-") as scratch, (folder / "emulator.log").open("wb") as output:
        running = Emulator(_free_port(port), folder.resolve(), Path(scratch))
        running.function_log.write_text("")
        own = {"TMPDIR": scratch, "FUNCTION_LOG": str(running.function_log), "GATEWAY_PORT": str(running.port)}
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator_process"],
            cwd=PROJECT,
            env={**clean_environment(), **SETTINGS, **own, **(_kept_in(running.state) if keep else {})},
            stdin=subprocess.PIPE,  # nothing is written to it; its end is the emulator's, however we end
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us; we end it, and its workers, when we are done
        )
        try:
            _wait_until_ready(process, running)
            yield running
        finally:
            _stop(process)


def _kept_in(state: Path) -> dict[str, str]:
    return {"PERSIST_STATE": "1", "STATE_DIR": str(state), "S3_PERSIST": "1", "S3_DATA_DIR": str(state / "s3")}


def _free_port(first: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what the one before left behind is not in the way
        try:
            probe.bind(("127.0.0.1", first))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], running: Emulator) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        # Somebody else's answer says nothing: the port was free a moment ago, and another may have taken it since.
        if process_at(running.endpoint) == process.pid:
            return
        time.sleep(0.05)
    what = "ended by itself" if process.poll() is not None else f"did not answer within {START_SECONDS} s"
    raise StepFailed(f"the emulator {what}; its log says why\n{end_of(running.log)}")


def process_at(endpoint: str) -> int | None:
    """The process of the emulator at this address; None if there is none."""
    try:
        with urllib.request.urlopen(f"{endpoint}{PROCESS_PAGE}", timeout=1) as answer:  # noqa: S310
            return int(answer.read(20))
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=SAVE_SECONDS)  # closes its input, and waits
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
