"""MiniStack, an emulator of AWS, as a process of ours: on loopback, on a free port, with IAM enforced."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from local.private import private_file, private_folder
from local.progress import StepFailed, end_of

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
REGION = "us-east-1"
ACCOUNT = "000000000000"
SETTINGS = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
"""IAM enforced, for the functions' roles too; on loopback only; and without a port of its own for IoT."""

PROCESS_PAGE = "/_parley/process"
"""Where the emulator says which process it is. It is for programs only, but takes no key."""

ANONYMOUS_READS = "ANONYMOUS_READS"
"""The variable that opens what the emulator publishes to everybody, browsers too; only for tests of a hosted page."""

LOOPBACK = ("127.0.0.1", "localhost")
PYTHON_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")
"""What makes Python import something else than what is here."""

START_SECONDS = 180
SAVE_SECONDS = 180
"""It gives open connections 3 s to end, then saves: what takes longer hangs, on a busy machine too."""

LOOK_SECONDS = 1
"""For one look whether it is there already."""

ANSWER_SECONDS = 30
"""For one that is there and busy."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    port: int
    folder: Path
    """Where it and what is deployed to it leave their logs."""
    scratch: Path
    """A folder that goes with it."""
    access_key_id: str = field(repr=False)
    """Of the account's own key, new in each run. Who knows it may do everything, so it is a secret too."""
    secret_access_key: str = field(repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    """None until it is started."""

    @property
    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def function_log(self) -> Path:
        """What the functions log, a JSON line an event."""
        return self.folder / "functions.log"

    @property
    def calls(self) -> Path:
        """Each call that a function's role was allowed, once: the role's ARN, the action, and the resource's ARN."""
        return self.folder / "calls.log"

    @property
    def state(self) -> Path:
        """What it keeps, if it keeps anything: what is deployed, and the data."""
        return self.folder / "state"

    @property
    def pages(self) -> Path:
        """The origins whose pages may open WebSockets, one a line."""
        return self.folder / "pages"

    def admit(self, page: str) -> None:
        """Lets the page at this address open WebSockets; other pages may not."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page))
        private_file(self.pages, f"{self.pages.read_text(encoding='utf-8')}{origin}\n")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}

    @property
    def environment(self) -> dict[str, str]:
        """What makes the SDK and the CDK talk to the emulator, and to nothing else."""
        return {
            **clean_environment(),
            "AWS_ENDPOINT_URL": self.endpoint,
            **self.credentials,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def forget_aws_settings() -> None:
    """Takes every AWS setting out of this process: no profile is looked up, no account can be reached, and no proxy is
    asked for what is on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(_no_aws_files() | _no_proxy())


def clean_environment() -> dict[str, str]:
    """This environment without what would change how AWS's tools and Python work; our own tools come first."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name not in PYTHON_SETTINGS
    }
    return {**kept, **_no_aws_files(), **_no_proxy(), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def _no_aws_files() -> dict[str, str]:
    return {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _no_proxy() -> dict[str, str]:
    """What is on loopback is reached without a proxy. Programs differ in which of the two names they read."""
    said = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = said if said == "*" else ",".join(filter(None, [said, *LOOPBACK]))
    return {"no_proxy": names, "NO_PROXY": names}


@contextmanager
def emulator(folder: Path, *, port: int = 0, keep: bool = False, anonymous_reads: bool = False) -> Iterator[Emulator]:
    """Starts the emulator, and ends it with all it started. Raises StepFailed if it does not come up, or not save.

    If `port` is taken, it is another one. With `keep` it goes on with what was deployed to it and stored in it when it
    was stopped last, in the same folder; if that one is still saving, it waits. `anonymous_reads` opens what it
    publishes to browsers, see gate.py.
    """
    private_folder(folder)
    with TemporaryDirectory(prefix="parley-") as scratch:
        key_id, key = f"AKIA{secrets.token_hex(16).upper()}", secrets.token_hex(32)
        running = Emulator(_free_port(port), folder.resolve(), Path(scratch), key_id, key)
        for file in (running.log, running.function_log, running.calls, running.pages):
            private_file(file)
        with running.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator_process"],
                cwd=PROJECT,
                env={**_process_environment(running, keep=keep), **({ANONYMOUS_READS: "1"} if anonymous_reads else {})},
                stdin=subprocess.PIPE,  # nothing is written to it; its end is the emulator's, however we end
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we end it, and its workers, when we are done
            )
        try:
            _wait_until_ready(process, running)
            yield replace(running, process=process)
        finally:
            _stop(process)


def _process_environment(running: Emulator, *, keep: bool) -> dict[str, str]:
    return {
        **clean_environment(),
        **SETTINGS,
        **running.credentials,
        "GATEWAY_PORT": str(running.port),
        "TMPDIR": str(running.scratch),
        "FUNCTION_LOG": str(running.function_log),
        "PAGES": str(running.pages),
        "CALLS": str(running.calls),
        **(_kept_in(running.state) if keep else {}),
    }


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
        if process_at(running.endpoint, LOOK_SECONDS) == process.pid:
            return
        time.sleep(0.05)
    what = "ended unexpectedly" if process.poll() is not None else f"did not answer within {START_SECONDS} s"
    raise StepFailed(f"the emulator {what}; its log says why\n{end_of(running.log)}")


def process_at(endpoint: str, seconds: float = ANSWER_SECONDS) -> int | None:
    """The process of the emulator at this address; None if there is none."""
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=seconds)  # which, unlike urllib, asks no proxy
    try:
        connection.request("GET", PROCESS_PAGE)
        answer = connection.getresponse()
        return int(answer.read(20)) if answer.status == HTTPStatus.OK else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.communicate(timeout=SAVE_SECONDS)  # closes its input, and waits
    except subprocess.TimeoutExpired:
        raise StepFailed("the emulator hung and was killed; everything sent to it since it started is lost") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
