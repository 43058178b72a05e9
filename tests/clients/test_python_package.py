"""The Python client as people install it: built, installed into an empty environment, and used."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import threading
import zipfile
from pathlib import Path
from typing import get_args

import pytest
import websockets

from parley import Chat, Event
from tests.environments import environment, packages_of, run
from tests.fakes.chatting_server import chatting
from tests.hang import HANG_SECONDS
from tools.wheels import CLIENT, build

PROJECT = Path(__file__).parents[2]
PACKAGE = CLIENT
FUNCTIONS = PROJECT / "lambda_src"
MODULES = {path.stem: path.read_text("utf-8") for path in sorted((PACKAGE / "parley").glob("*.py"))}
LAYERS = (
    ("bounds", "data", "errors", "preview", "timers"),
    ("events",),
    ("effects", "frames", "mailbox", "conversation"),
    ("conversations", "connections", "requests", "dialer"),
    ("expiry", "questions"),
    ("receipts", "hints", "state", "unsending"),
    ("arrivals", "blocks", "epoch"),
    ("gaps", "outbox"),
    ("sync",),
    ("incoming",),
    ("session",),
    ("chat", "backend"),
    ("__init__",),
)
"""Calls go one way only: a module imports from the layers before its own."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CLIENT, tmp_path_factory.mktemp("build") / "wheel")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the package and what it depends on, and nothing else of ours."""
    python = environment(wheel, tmp_path_factory.mktemp("environment"))
    (packages_of(python) / "websockets").symlink_to(Path(websockets.__file__).parent)
    return python


def test_the_wheel_holds_every_module_and_says_that_it_has_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        described = archive.read(metadata).decode()
    testing = [f"parley/{path.relative_to(PACKAGE / 'parley')}" for path in (PACKAGE / "parley/testing").glob("*.py")]
    functions = [f"parley/testing/functions/{path.relative_to(FUNCTIONS)}" for path in FUNCTIONS.rglob("*.py")]
    modules = [f"parley/{name}.py" for name in MODULES]
    assert sorted(names) == sorted(["parley/py.typed", *modules, *testing, *functions])
    assert re.findall(r"^Requires-Dist: (\w+)[^;\n]*(;.*)?$", described, re.MULTILINE) == [
        ("websockets", ""),
        ("boto3", "; extra == 'aws'"),
        ("boto3", "; extra == 'testing'"),
        ("pyjwt", "; extra == 'testing'"),
        ("pytest", "; extra == 'testing'"),
    ]
    assert "Name: parley-client\n" in described


def test_the_program_of_its_readme_talks(python: Path, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(list(filter(None, program.splitlines()))) <= 10
    (tmp_path / "program.py").write_text(program, "utf-8")
    with chatting() as (url, paths):
        command = [str(python), "-I", "program.py", url, "alices-token"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout
            watchdog = threading.Timer(HANG_SECONDS, running.kill)
            watchdog.start()
            said = [running.stdout.readline(), running.stdout.readline()]
            watchdog.cancel()
            running.kill()
    assert said == ["alice: hello\n", "bob: bye\n"]
    assert paths == ["/dev?token=alices-token"]


@pytest.mark.parametrize("page", [PACKAGE / "README.md", PROJECT / "docs" / "clients.md"], ids=lambda page: page.stem)
def test_each_event_is_in_its_documents(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [event.__name__ for event in get_args(Event) if not re.search(rf"`{event.__name__}\b", text)] == []


def test_everything_that_an_application_uses_is_described() -> None:
    page = (PROJECT / "docs" / "clients.md").read_text("utf-8")
    described = page.partition("## Python\n")[2].partition("\n## JavaScript")[0]
    arguments = set(inspect.signature(Chat.connect).parameters) - {"url"}
    used = {name for name in vars(Chat) if not name.startswith("_")} - {"connect"}
    assert {name for name in arguments if f"| `{name}` |" not in described} == set()
    assert {name for name in used if f"chat.{name}" not in described} == set()


def test_what_is_public_can_be_imported_where_it_is_installed(python: Path, tmp_path: Path) -> None:
    exported = ast.literal_eval(MODULES["__init__"].partition("__all__ = ")[2])
    program = f"import parley; print(parley.__file__); [getattr(parley, name) for name in {exported}]"
    assert run(python, "-I", "-c", program, cwd=tmp_path).startswith(str(python.parents[1]))


# How it is put together


def _imported(source: str) -> set[str]:
    """The modules of the package that a module of it imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return {name for name in found if name}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_knows_only_what_lies_below_it(name: str) -> None:
    (at,) = (number for number, layer in enumerate(LAYERS) if name in layer)
    assert _imported(MODULES[name]) <= {module for layer in LAYERS[:at] for module in layer}


def test_each_rule_of_the_protocol_has_its_file() -> None:
    protocol = (PROJECT / "docs" / "protocol.md").read_text("utf-8").partition("## Rules for a client")[2]
    rules = re.findall(r"^(\d+)\. ", protocol, re.MULTILINE)
    firsts = [source.splitlines()[0] for name, source in MODULES.items() if name != "__init__"]
    named = {number for first in firsts for number in re.findall(r"\d+", re.sub(r" of docs/protocol.*", "", first))}
    assert sorted(named, key=int) == rules == [str(number) for number in range(1, 12)]
