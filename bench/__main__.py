"""`python -m bench`: runs every row, prints it as it comes, and writes docs/performance.md."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

from bench import (
    PROJECT,
    beside_samples,
    cold_start,
    cost,
    early_receipts,
    fan_out,
    first_push,
    growth,
    latency,
    memory,
    month,
    remembered_tail,
    report,
    warm_cpu,
)
from bench.measure import Section, wrap
from chat.budget import budget
from local.progress import StepFailed
from tools.dynamodb_local import MissingJava

ROWS: Mapping[str, Callable[[], Section]] = {
    "cost": cost.run,
    "cold-start": cold_start.run,
    "warm-cpu": warm_cpu.run,
    "fan-out": fan_out.run,
    "first-push": first_push.run,
    "beside-samples": beside_samples.run,
    "early-receipts": early_receipts.run,
    "remembered-tail": remembered_tail.run,
    "memory": memory.run,
    "latency": latency.run,
    "growth": growth.run,
    "month": month.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of {', '.join(ROWS)}; all of them by default")
    parser.add_argument("--url", help="a deployment on AWS: run the end-to-end row against it")
    parser.add_argument(
        "--token-secret-stack", metavar="STACK", help="the deployment's stack, whose secret signs tokens"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; the rows are {', '.join(ROWS)}")
    if bool(arguments.url) != bool(arguments.token_secret_stack):
        parser.error("give --url and --token-secret-stack together")
    if find_spec("matplotlib") is None:
        sys.exit("error: the plots require bench/requirements.txt; `make bench` installs it")
    try:
        if arguments.url:
            run_deployed(arguments.url, arguments.token_secret_stack)
        else:
            run(arguments.rows)
    except (MissingJava, StepFailed) as failure:
        sys.exit(f"\nerror: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def run(rows: Sequence[str]) -> None:
    if "cold-start" in (rows or ROWS) and shutil.which("openssl") is None:
        raise StepFailed("the cold start over TLS requires openssl on PATH (on Debian: apt install openssl)")
    started = time.monotonic()
    sections = [_shown(name, ROWS[name]) for name in rows or ROWS]
    print(f"\n{report.limits(sections)}\n")
    if not rows:
        report.write(sections, time.monotonic() - started)
        print(f"Written to {report.REPORT.relative_to(PROJECT)}.")


def run_deployed(url: str, stack: str) -> None:
    section = _shown("latency", lambda: latency.run_deployed(url, stack))
    report.write_deployed(section)
    print(f"Written to {report.AWS_REPORT}.")


def _shown(name: str, row: Callable[[], Section]) -> Section:
    print(f"\n{name} ...", flush=True)
    budget.begin(math.inf)  # a row that serves events leaves their time limit behind
    started = time.monotonic()
    section = row()
    print(f"{section.title}, {time.monotonic() - started:.0f} s\n\n{wrap(section.text)}", flush=True)
    return section


if __name__ == "__main__":
    main()
