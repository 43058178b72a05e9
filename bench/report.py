"""docs/performance.md, written by the run that it reports, and the page of a run against AWS."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import PROJECT
from bench.history import DATE
from bench.measure import Limit, Section, table, wrap

REPORT = PROJECT / "docs" / "performance.md"
PLOTS = PROJECT / "docs" / "performance"
AWS_REPORT = PLOTS / "aws.md"


def limits(sections: Sequence[Section]) -> str:
    rows = [_row(limit) for section in sections for limit in section.limits]
    return table(["figure", "measured", "at most", ""], rows, has_notes=True)


def _row(limit: Limit) -> tuple[str, ...]:
    verdict = "met" if limit.met else "**not met**"
    note = f"{verdict}; {limit.note}" if limit.note else verdict
    return limit.figure, f"{limit.measured:.3g}", f"{limit.at_most:g}", note


def write(sections: Sequence[Section], seconds: float, path: Path = REPORT) -> None:
    """Writes the report and draws its plots."""
    for section in sections:
        _draw(section)
    path.write_text("\n".join([wrap(_head(sections, seconds)) + "\n", *(_section(section) for section in sections)]))


def write_deployed(section: Section) -> None:
    """Writes and draws the row that was run against a deployment."""
    _draw(section)
    head = f"Written by `python -m bench --url ...` on {datetime.now(UTC):%Y-%m-%d}, on {_machine()}."
    AWS_REPORT.write_text(f"# {section.title}\n\n{wrap(head)}\n\n{wrap(section.text)}\n{_images(section)}")


def _draw(section: Section) -> None:
    PLOTS.mkdir(parents=True, exist_ok=True)
    for name, draw in section.plots.items():
        draw(PLOTS / f"{name}.svg")


def _section(section: Section) -> str:
    return f"## {section.title}\n\n{wrap(section.text)}\n{_images(section, 'performance/')}"


def _images(section: Section, folder: str = "") -> str:
    return "".join(f"\n![{section.title}]({folder}{name}.svg)\n" for name in section.plots)


def _head(sections: Sequence[Section], seconds: float) -> str:
    return f"""\
# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, in {seconds / 60:.1f} minutes, on {_machine()}. The
alternatives of a row are interleaved in one run (the levels of the end-to-end row run one after another). The ratios
carry over to another machine, the milliseconds do not.

*Before*, in rows that have it, is measured in the same turns: what was done otherwise, put into the code of today
(`bench/before.py`), or all of the functions of {DATE}, from the project's history (`bench/history.py`).

{limits(sections)}

A figure with × is a ratio to what is named behind it.

**Not measured: AWS itself.** Nothing here has run on AWS. Calls, units and frames are counted, and priced by the list;
processor time is measured on this machine. No figure includes the network, API Gateway, Lambda's own start or
DynamoDB's response times. On Lambda at 1,024 MB a function has somewhat more than half a core, so processor
time there takes nearly twice as long, or more. To run the end-to-end row against a deployment, with your credentials
and region set:

```
python -m bench --url wss://ID.execute-api.REGION.amazonaws.com/STAGE --token-secret-stack Parley-STAGE
```

It opens up to 100 connections and sends as fast as messages are received, which costs cents. Its figures go to
`docs/performance/aws.md`. `python -m bench ROW` runs a single row; only a whole run writes this page.
"""


def _machine() -> str:
    modules = ", ".join(f"{name} {version(name)}" for name in ("botocore", "boto3", "ministack"))
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {modules}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", information.read_text()) if information.exists() else None
    return found[1] if found else platform.machine()
