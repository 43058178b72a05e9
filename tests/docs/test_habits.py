"""What the habits in tests/README.md say of time: nothing depends on how busy the machine is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hang import HANG_SECONDS

TESTS = Path(__file__).parents[1]
LIMITS = {"timeout", "open_timeout"}
LIBRARY = "websockets.sync.client"
CLOCKS = {"time.time", "time.time_ns", "time.monotonic", "datetime.now", "now_ms"}


def impatient(text: str) -> list[int]:
    """The lines with a call that gives up sooner than a hang is told, by a number or by the library's default."""
    tree = ast.parse(text)
    names_of_connect = set(_names_of_connect(tree))
    return sorted({call.lineno for call in _calls(tree) if _gives_up(call, names_of_connect)})


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _names_of_connect(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == LIBRARY:
            yield from (name.asname or name.name for name in node.names if name.name == "connect")


def _gives_up(call: ast.Call, names_of_connect: set[str]) -> bool:
    limits = [word.value for word in call.keywords if word.arg in LIMITS]
    if not limits:
        return ast.unparse(call.func) in {"Chat.connect", *names_of_connect}
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
        "from websockets.sync.client import connect as join\njoin(url)",
        "from websockets.sync.client import connect\nconnect(url, open_timeout=2.5)",
    ],
)
def test_who_gives_up_is_found(text: str) -> None:
    assert impatient(text)


@pytest.mark.parametrize(
    "text", ["Chat.connect(url, token, timeout=None)", "run(timeout=HANG_SECONDS)", "connect(url)", "wait(timeout=300)"]
)
def test_who_waits_is_not(text: str) -> None:
    assert not impatient(text)
