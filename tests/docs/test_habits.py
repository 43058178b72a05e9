"""What the habits in tests/README.md say of time: nothing depends on how busy the machine is."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.hang import HANG_SECONDS

TESTS = Path(__file__).parents[1]
LIMITS = {"timeout", "open_timeout"}
KEEPALIVE = "ping_interval"
"""What the library pings by, and how long it waits for an answer: a connection of a busy machine would be ended."""
LIBRARY = re.compile(r"websockets\.(sync|asyncio)\.(client|server)")
CLOCKS = {"time.time", "time.time_ns", "time.monotonic", "datetime.now", "now_ms"}


def impatient(text: str) -> list[int]:
    """The lines with a call that gives up sooner than a hang is told, by a number or by the library's default."""
    tree = ast.parse(text)
    from_the_library = dict(_names_from_the_library(tree))
    return sorted({call.lineno for call in _calls(tree) if _gives_up(call, from_the_library)})


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _names_from_the_library(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What `connect` and `serve` of the library are called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and LIBRARY.fullmatch(node.module or ""):
            yield from ((name.asname or name.name, name.name) for name in node.names)


def _gives_up(call: ast.Call, from_the_library: Mapping[str, str]) -> bool:
    called = ast.unparse(call.func)
    words = {word.arg for word in call.keywords}
    limits = [word.value for word in call.keywords if word.arg in LIMITS]
    if from_the_library.get(called) in ("connect", "serve") and words.isdisjoint({KEEPALIVE, None}):
        return True
    if not limits:
        return called == "Chat.connect" or (from_the_library.get(called) == "connect" and None not in words)
    return any(isinstance(limit, ast.Constant) and _is_soon(limit.value) for limit in limits)


def _is_soon(limit: object) -> bool:
    return isinstance(limit, int | float) and limit < HANG_SECONDS


def early(text: str) -> list[int]:
    """The lines that read the clock when the file is read: what they find may be an hour old when a test needs it."""
    return sorted({call.lineno for call in _calls_at_import(ast.parse(text)) if ast.unparse(call.func) in CLOCKS})


def _calls_at_import(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call):
        yield node
    body = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else []
    later = body if isinstance(body, list) else [body]
    for child in ast.iter_child_nodes(node):
        if child not in later:
            yield from _calls_at_import(child)


def found_in_tests(look: Callable[[str], list[int]]) -> dict[str, list[int]]:
    found = {path: look(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}
    return {str(path.relative_to(TESTS)): lines for path, lines in found.items() if lines}


def test_nobody_gives_up_on_a_busy_machine() -> None:
    assert found_in_tests(impatient) == {}


def test_nobody_reads_the_clock_before_a_test_begins() -> None:
    assert found_in_tests(early) == {}


@pytest.mark.parametrize(
    "text",
    [
        "NOW = time.time()",
        "class A:\n    since = now_ms()",
        "def f(at=datetime.now(UTC)): ...",
        "@parametrize('exp', [int(time.time()) + 60])\ndef test(exp): ...",
    ],
)
def test_who_reads_it_early_is_found(text: str) -> None:
    assert early(text)


@pytest.mark.parametrize("text", ["def f():\n    return time.time()", "clock = lambda: now_ms()", "clock = now_ms"])
def test_who_reads_it_late_is_not(text: str) -> None:
    assert not early(text)


@pytest.mark.parametrize(
    "text",
    [
        "Chat.connect(url, token)",
        "subprocess.run(command, timeout=10)",
        "from websockets.sync.client import connect as join\njoin(url, ping_interval=None)",
        "from websockets.sync.client import connect\nconnect(url, open_timeout=2.5, ping_interval=None)",
        "from websockets.sync.client import connect\nconnect(url, open_timeout=HANG_SECONDS)",
        "from websockets.asyncio.server import serve\nserve(handle)",
    ],
)
def test_who_gives_up_is_found(text: str) -> None:
    assert impatient(text)


@pytest.mark.parametrize(
    "text", ["Chat.connect(url, token, timeout=None)", "run(timeout=HANG_SECONDS)", "connect(url)", "wait(timeout=300)"]
)
def test_who_waits_is_not(text: str) -> None:
    assert not impatient(text)
