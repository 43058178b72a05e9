"""What a function's memory buys: Lambda gives CPU with it, which here a control group of the kernel does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.capacity import model
from bench.cold_start import Cold, certificate, first_push
from bench.functions import TEXT, bundled, environment, event
from bench.history import DATE, NOT_HERE, VERSION, asset_of_before
from bench.measure import Section, interleave, table
from bench.meter import Bill
from bench.prices import MEMORY_GB, dollars, duration_ms, prices, running
from bench.stub import stub
from local.emulator import clean_environment

CGROUPS = Path("/sys/fs/cgroup")
DEFAULT_MB = 1_024 * MEMORY_GB
SIZES_MB = (512, DEFAULT_MB, 1_769, 2_048)
CORE_MB = 1_769
"""Of a whole core, as Lambda's documentation says."""
PERIOD_US = 20_000
"""How often Lambda is known to give a function its share anew; with the kernel's 100 ms, short work would get more."""
TABLE_MS, PUSH_MS = 5, 10
"""As the costs assume."""
ROUNDS = 3
PROCESS = Path(__file__).with_name("memory_process.py")
FRAMES: Mapping[str, Mapping[str, object]] = {
    "ping": {"action": "ping"},
    "presence": {"action": "presence", "users": ["PEER"]},
    "receipt": {"action": "receipt", "peer": "PEER", "kind": "read", "seq": 8},
    "send": {"action": "send", "to": "PEER", "text": TEXT},
}


class Spent(NamedTuple):
    """Milliseconds."""

    ping: float
    presence: float
    receipt: float
    send: float
    fan_out: float
    cold: float


class Side(NamedTuple):
    """The functions of a version, with a memory."""

    version: str
    size: int


NOW, BEFORE = "now", "before"


def run() -> Section:
    controller = _controller()
    if controller is None:
        return Section("Memory", f"Not measured here: it takes a Linux on which this user may write to {CGROUPS}.\n")
    with tempfile.TemporaryDirectory() as folder, stub(table_ms=TABLE_MS, push_ms=PUSH_MS) as url:
        assets, trusted = _assets(Path(folder)), certificate(Path(folder))
        roots = Path(folder, "roots.pem")
        roots.write_text((assets[NOW] / "botocore" / "cacert.pem").read_text() + trusted.read_text())
        sides: dict[Side, Callable[[], Spent]] = {}
        for size in SIZES_MB:
            for version, asset in assets.items():
                start = partial(first_push, trusted, asset, "message", roots)
                sides[Side(version, size)] = partial(_spent, controller, url, asset, start, size)
        found = {side: Spent(*map(median, zip(*runs, strict=True))) for side, runs in interleave(sides, ROUNDS).items()}
    return Section("Memory", _text(found))


def _assets(folder: Path) -> dict[str, Path]:
    """What Lambda would unpack, of each version that is at hand."""
    before = asset_of_before(folder)
    return {NOW: bundled(folder), **({BEFORE: before} if before else {})}


def _text(found: Mapping[Side, Spent]) -> str:
    header = ["", "cores", "warm send, ms", "fan-out of 100, ms", "cold start, ms", "a million sends, $", "ms × $"]
    versions = dict.fromkeys(side.version for side in found)
    rows = [_row(side, found[side]) for version in versions for side in found if side.version == version]
    default = found[Side(NOW, DEFAULT_MB)]._asdict()
    priced = [
        (f"`{name}`", f"{bill.calls + bill.pushes:g}", f"{default[name]:.0f}", f"{duration_ms(bill):.0f}")
        for name, bill in ((name, _priced(name)) for name in FRAMES)
    ]
    before = f"*Before* are the functions of {DATE} (`{VERSION}`, from the project's history)."
    return f"""\
Wall time of fresh processes with a share of this machine's cores, given anew each {PERIOD_US // 1_000} ms; medians of
{ROUNDS}, interleaved. A call of the table takes {TABLE_MS} ms, a push {PUSH_MS} ms. The cold start is that of the row
above, to the first push over TLS, from a stub that answers at once. The dollars are those of Lambda's time alone;
the product is that of a send's time and its whole price.
{before if BEFORE in versions else NOT_HERE}

{table(header, rows)}

With {DEFAULT_MB:,} MB, beside what [the prices](#cost-of-an-action) assume for it:

{table(["", "calls and pushes", "measured, ms", "priced, ms"], priced)}
"""


def _priced(name: str) -> Bill:
    """What a frame asks for, as the costs count it."""
    if name == "ping":
        return Bill()
    counted = model().of("counted", name)
    return Bill(
        calls=counted["calls"],
        read_units=counted["reads"],
        write_units=counted["writes"],
        table_round_trips=counted["table_trips"],
        pushes=counted["push_trips"],
        push_round_trips=counted["push_trips"],
        beside_pushes=counted.get("beside_pushes", 0),
    )


def _row(side: Side, spent: Spent) -> tuple[str, ...]:
    name = f"{side.size:,} MB" if side.version == NOW else f"{side.size:,} MB, {side.version}"
    time = spent.send * 1_000 * side.size / 1_024 * prices()["list_prices_in_dollars"]["lambda_gb_second_arm64"]
    send = _priced("send")
    whole = dollars(send, frames=2).total - running(duration_ms(send)) + time
    milliseconds = (f"{ms:.0f}" for ms in (spent.send, spent.fan_out, spent.cold))
    product = f"{spent.send * whole:.0f}" if side.version == NOW else ""  # the price is that of today's calls
    return name, f"{side.size / CORE_MB:.2f}", *milliseconds, f"{time:.2f}", product


def _spent(controller: Path, url: str, asset: Path, start: Callable[[Callable[[], None]], Cold], size: int) -> Spent:
    variables = {**clean_environment(), **environment(url, f"{url}/stage"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(PROCESS), str(asset), json.dumps(event(1)), json.dumps(FRAMES)]
    with _share(controller, size / CORE_MB) as join:
        done = subprocess.run(command, check=True, capture_output=True, env=variables, preexec_fn=join)
        return Spent(**json.loads(done.stdout), cold=start(join).wall)


def _controller() -> Path | None:
    """Where groups with a share of the CPU are made: in the CPU's own hierarchy, or in the one of newer kernels."""
    for folder in (CGROUPS / "cpu", CGROUPS):
        is_one = (folder / "cpu.cfs_quota_us").exists() or "cpu" in _read(folder / "cgroup.subtree_control")
        if is_one and os.access(folder, os.W_OK):
            return folder
    return None


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def _share(controller: Path, cores: float) -> Iterator[Callable[[], None]]:
    """A group with this many cores, and what a process does to join it."""
    group = controller / f"parley-bench-{os.getpid()}"
    group.mkdir()
    quota_us = int(cores * PERIOD_US)
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota_us))

    def join() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    try:
        yield join
    finally:
        group.rmdir()
