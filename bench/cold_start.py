"""Cold start: fresh processes, from the interpreter's first instruction to a handler that is ready, or has pushed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from botocore.httpsession import where

from bench import plots
from bench.functions import BASELINE, NOWHERE, bundled, compile_sdk, copy_asset, environment, event
from bench.history import DATE, NOT_HERE, VERSION, asset_of_before
from bench.measure import Limit, Section, interleave, medians, table
from bench.stub import HOST, stub
from local.emulator import clean_environment
from stacks.bundle import compile_sources

ROUNDS = 20
PROCESS = Path(__file__).with_name("cold_process.py")
HANDLERS = {
    "message": ("dynamodb", "apigatewaymanagementapi"),
    "connection": ("dynamodb", "apigatewaymanagementapi"),
    "authorizer": ("secretsmanager",),
}
UNCOMPILED, UNCOMPILED_PATH = "message, without bytecode", "ours, without bytecode"
BEFORE, BEFORE_PATH = f"message, before ({DATE})", f"ours, before ({DATE})"
COUNTED = ("python", "ours", BEFORE_PATH, "baseline")
COUNTER = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
"""It counts what the kernel does not do for the process, and takes some fifty times as long."""


class Cold(NamedTuple):
    """Milliseconds of CPU, and from the start of the process to the end of what was asked of it."""

    cpu: float
    wall: float
    instructions: float = 0
    """Millions; 0 where they were not counted."""


class Assets(NamedTuple):
    bundle: Path
    uncompiled: Path
    """The same, as another version's Python bundles it."""
    baseline: Path
    nothing: Path
    """An empty asset, with which the SDK of the environment is imported."""
    before: Path | None


def run() -> Section:
    with tempfile.TemporaryDirectory() as folder:
        assets = _assets(Path(folder))
        imports = _medians(_import_sides(assets))
        sides = _path_sides(assets, Path(folder))
        paths = _medians(sides)
        counts = _counts(sides)
    ratios = {handler: _ratio(imports, handler, _plain(handler)) for handler in HANDLERS}
    if BEFORE in imports:
        ratios["message, before"] = _ratio(imports, BEFORE, _plain("message"))
    core, uncompiled = (_ratio(imports, side, _plain("message")) for side in ("botocore", UNCOMPILED))
    path, uncompiled_path = (_ratio(paths, side, "baseline") for side in ("ours", UNCOMPILED_PATH))
    plotted = _plotted(imports, paths)
    ours = [name for name in plotted if name.endswith("ours")]
    figure = "import and clients of the message handler, × boto3 with the same clients"
    return Section(
        "Cold start",
        _text(imports, paths, counts, ratios, core),
        [
            Limit(figure, ratios["message"], 0.65, _condition(uncompiled)),
            Limit("whole cold path over TLS, CPU, × the baseline's", path, 0.55, _condition(uncompiled_path)),
            *_counted_limit(counts),
        ],
        {"cold-start": partial(plots.bars, title="CPU of a cold start, ms", values=plotted, ours=ours)},
    )


def _condition(uncompiled: float) -> str:
    return (
        f"bundled with the functions' own version of Python; with another it is {uncompiled:.2f} "
        "([what was left](decisions.md#what-was-measured-for-the-cold-start-and-left))"
    )


def _assets(folder: Path) -> Assets:
    """What Lambda would unpack."""
    ours, nothing = bundled(folder), folder / "nothing"
    uncompiled = Path(shutil.copytree(ours, folder / "uncompiled", ignore=shutil.ignore_patterns("__pycache__")))
    baseline = copy_asset(BASELINE, folder / "baseline")
    compile_sources(baseline)
    compile_sdk()
    nothing.mkdir()
    return Assets(ours, uncompiled, baseline, nothing, asset_of_before(folder))


def _over(side: Cold, bare: Cold) -> float:
    return side.cpu - bare.cpu


def _ratio(sides: Mapping[str, Cold], one: str, other: str) -> float:
    return _over(sides[one], sides["python"]) / _over(sides[other], sides["python"])


def _plain(handler: str) -> str:
    return f"boto3 for {handler}"


def _import_sides(assets: Assets) -> Mapping[str, Callable[[], Cold]]:
    start = partial(cold, assets.bundle, environment(NOWHERE, NOWHERE))
    beside = partial(cold, assets.nothing, environment(NOWHERE, NOWHERE))
    sides: dict[str, Callable[[], Cold]] = {"python": partial(beside, ""), "boto3": partial(beside, "-c import boto3")}
    sides["botocore"] = partial(beside, "-c import botocore.session")
    for handler, services in HANDLERS.items():
        calls = "; ".join(f"boto3.client({service!r})" for service in services)
        sides[handler] = partial(start, handler)
        sides[_plain(handler)] = partial(beside, f"-c import boto3; {calls}")
    sides[UNCOMPILED] = partial(cold, assets.uncompiled, environment(NOWHERE, NOWHERE), "message")
    if assets.before:
        sides[BEFORE] = partial(cold, assets.before, environment(NOWHERE, NOWHERE), "message")
    return sides


def _path_sides(assets: Assets, folder: Path) -> Mapping[str, Callable[..., Cold]]:
    """A `send` whose first push ends the measurement; both sides trust the stub beside what they trust anyway."""
    trusted = certificate(folder)
    sdk, small = folder / "sdk.pem", folder / "small.pem"
    sdk.write_text(Path(where()).read_text() + trusted.read_text())
    small.write_text((assets.bundle / "botocore" / "cacert.pem").read_text() + trusted.read_text())
    serve = partial(first_push, trusted)
    before = {BEFORE_PATH: partial(serve, assets.before, "message", small)} if assets.before else {}
    return {
        "python": partial(cold, assets.nothing, environment(NOWHERE, NOWHERE), ""),
        "ours": partial(serve, assets.bundle, "message", small),
        **before,
        UNCOMPILED_PATH: partial(serve, assets.uncompiled, "message", small),
        "ours, with all of the SDK's roots": partial(serve, assets.bundle, "message", sdk),
        "baseline": partial(serve, assets.baseline, "handler", sdk),
    }


def _counts(sides: Mapping[str, Callable[..., Cold]]) -> dict[str, float]:
    """Millions of instructions over bare Python; nothing where valgrind is not installed."""
    if shutil.which(COUNTER[0]) is None:
        return {}
    counts = {name: sides[name](under=COUNTER).instructions for name in COUNTED if name in sides}
    return {name: count - counts["python"] for name, count in counts.items()}


def _share(counts: Mapping[str, float], side: str) -> float:
    return counts[side] / counts["baseline"]


def _counted_limit(counts: Mapping[str, float]) -> list[Limit]:
    if not counts:
        return []
    return [Limit("whole cold path over TLS, instructions, × the baseline's", _share(counts, "ours"), 0.55)]


def first_push(
    trusted: Path,
    asset: Path,
    module: str,
    roots: Path,
    first: Callable[[], None] | None = None,
    *,
    under: Sequence[str] = (),
) -> Cold:
    """A fresh process up to its first push over TLS, to a stub with the `trusted` certificate that answers at once."""
    with stub(certificate=trusted) as url:
        variables = {**environment(url, f"{url}/stage"), "AWS_CA_BUNDLE": str(roots)}
        return cold(asset, variables, module, json.dumps(event(1)), first=first, under=under)


def certificate(folder: Path) -> Path:
    """A self-signed certificate, its key in the same file."""
    path, key = folder / "certificate.pem", folder / "key.pem"
    extensions = [f"subjectAltName=IP:{HOST}", "keyUsage=critical,digitalSignature,keyCertSign"]
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stub", "-keyout", str(key)]
    added = [word for extension in extensions for word in ("-addext", extension)]
    command = ["openssl", "req", "-x509", *options, *added, "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def cold(
    asset: Path,
    variables: Mapping[str, str],
    module: str,
    event: str = "",
    *,
    first: Callable[[], None] | None = None,
    under: Sequence[str] = (),
) -> Cold:
    """One fresh process, which does `first` before anything. It writes no bytecode, as on Lambda, where it may not.

    `under` is the command that runs it: `COUNTER`, where its instructions are counted.
    """
    environment = {**clean_environment(), **variables, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*under, sys.executable, str(PROCESS), str(asset), module, event]
    started = time.perf_counter() * 1_000  # the same clock in every process
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, preexec_fn=first)
    cpu, ended = map(float, done.stdout.split())
    counted = re.search(r"Collected : (\d+)", done.stderr)
    return Cold(cpu, ended - started, int(counted[1]) / 1_000_000 if counted else 0)


def _medians(sides: Mapping[str, Callable[[], Cold]]) -> dict[str, Cold]:
    results = interleave(sides, ROUNDS)
    cpu = medians({name: [one.cpu for one in runs] for name, runs in results.items()})
    wall = medians({name: [one.wall for one in runs] for name, runs in results.items()})
    return {name: Cold(cpu[name], wall[name]) for name in results}


def _plotted(imports: Mapping[str, Cold], paths: Mapping[str, Cold]) -> dict[str, float]:
    shown = {
        "import, ours": imports["message"],
        "import, before": imports.get(BEFORE),
        "import, boto3": imports[_plain("message")],
        "to first push, ours": paths["ours"],
        "to first push, before": paths.get(BEFORE_PATH),
        "to first push, baseline": paths["baseline"],
    }
    return {name: side.cpu for name, side in shown.items() if side}


def _text(
    imports: Mapping[str, Cold],
    paths: Mapping[str, Cold],
    counts: Mapping[str, float],
    ratios: Mapping[str, float],
    core: float,
) -> str:
    rows = [(name, *_figures(side, imports["python"])) for name, side in imports.items()]
    path_rows = [
        (name, *_figures(side, paths["python"]), f"{counts[name]:.0f}" if name in counts else "")
        for name, side in paths.items()
    ]
    header = ["", "CPU, ms", "over bare Python", "wall, ms"]
    path_header = [*header, "instructions over it, millions"]
    return f"""\
Fresh processes, {ROUNDS} of each, interleaved; medians. The asset is as `cdk deploy` bundles it with the
functions' own version of Python, which here is the one that runs: it holds the SDK, and bytecode for all of it. So do
the baseline's asset and the SDK that the baseline imports. Bundled with another version ours holds no bytecode, and
the sources are compiled at each cold start, as in the rows without bytecode. Import and creation of the clients that
the handler makes at its start:

{table(header, rows)}

Of boto3 with the same clients: {", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())}; without bytecode,
message {_ratio(imports, UNCOMPILED, _plain("message")):.2f}. `import botocore.session` alone, which has no client and
none of our code, is {core:.2f}. Ours turns the garbage collector down before it imports the SDK; the rows of the SDK do
not. Here the folders that boto3 lists are in the file cache; otherwise listing them takes longer.

From the start of the process to the first push, over TLS to a local stub: the whole handler serves one `send`, on new
connections. The stub's certificate is added to the roots that each side trusts.

{table(path_header, path_rows)}

{_counted(counts)} {_before(paths)}
"""


def _counted(counts: Mapping[str, float]) -> str:
    if not counts:
        return "Instructions are counted where valgrind is installed, which it was not here."
    before = f", those of before {_share(counts, BEFORE_PATH):.2f}" if BEFORE_PATH in counts else ""
    return f"""\
Of the instructions of the baseline, which valgrind counts once, ours takes {_share(counts, "ours"):.2f}{before}.
No other load changes them, nor how fast the machine is; what the kernel does is not among them."""


def _before(paths: Mapping[str, Cold]) -> str:
    if BEFORE_PATH not in paths:
        return NOT_HERE
    return f"""\
*Before* is the asset of {DATE} (`{VERSION}`), bundled from the project's history as it was then. The SDK was not in it,
so it is this environment's; what that reads was cut down at run time, and a push went through a client of it."""


def _figures(side: Cold, bare: Cold) -> tuple[str, str, str]:
    return f"{side.cpu:.0f}", f"{_over(side, bare):.0f}", f"{side.wall:.0f}"
