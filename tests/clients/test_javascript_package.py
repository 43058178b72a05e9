"""The JavaScript client as people install it: packed, installed into an empty folder, and used."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from local.emulator import PROJECT, clean_environment
from tests.fakes.chatting_server import chatting

PACKAGE = PROJECT / "clients" / "javascript"
TSC = PROJECT / "node_modules" / ".bin" / "tsc"
SAMPLE = Path(__file__).with_name("typescript") / "program.ts"
PYTHON = PROJECT / "clients" / "python" / "parley"
ONLY_PYTHON = {
    "backend": "boto3 is its way; any other SDK sends the same JSON",
    "dialer": "a browser's WebSocket opens connections",
    "effects": "there is no I/O to leave out",
    "errors": "they stand with what raises them",
    "mailbox": "events are told at once",
    "chat": "chat-client.js is both",
    "questions": "a promise's value is the answer",
    "session": "chat-client.js is both",
    "__init__": "chat-client.js exports the public names",
}


def run(*command: str | Path, cwd: Path) -> str:
    environment = clean_environment() | {"npm_config_cache": str(cwd / "cache"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the packed package was installed, without a network."""
    folder = tmp_path_factory.mktemp("program")
    quiet = ("--silent", "--offline", "--no-audit", "--no-fund")
    archive = run("npm", "pack", *quiet, "--pack-destination", folder, PACKAGE, cwd=folder).strip()
    run("npm", "install", *quiet, f"./{archive}", cwd=folder)
    return folder


def program() -> str:
    """The program in the package's own README."""
    (text,) = re.findall(r"```js\n(.*?)```", (PACKAGE / "README.md").read_text("utf-8"), re.DOTALL)
    return str(text)


def test_the_program_of_its_readme_talks_and_ends(installed: Path) -> None:
    assert len(program().splitlines()) <= 10
    (installed / "program.mjs").write_text(program(), "utf-8")
    with chatting() as (url, paths):
        assert run("node", "program.mjs", url, "alices-token", cwd=installed) == "alice: hello\nbob: bye\n"
    assert paths == ["/dev?token=alices-token"]


def test_without_a_websocket_it_says_what_it_requires(installed: Path) -> None:
    """As in Node.js before 22, where each attempt to connect would fail, and another be made, for ever."""
    (installed / "program.mjs").write_text(program(), "utf-8")
    command = ("node", "--no-experimental-websocket", "program.mjs", "ws://127.0.0.1:1/dev", "alices-token")
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "TypeError: There is no WebSocket here: Node.js 22 or newer is required, or a browser" in done.stderr


def test_a_typescript_program_is_checked_against_its_types(installed: Path) -> None:
    (installed / "program.ts").write_text(SAMPLE.read_text("utf-8"), "utf-8")
    options = ("--strict", "--noEmit", "--target", "ES2024", "--lib", "ES2024,DOM")
    for module in (("--module", "NodeNext"), ("--module", "ESNext", "--moduleResolution", "bundler")):
        run(TSC, *options, *module, "program.ts", cwd=installed)


def test_it_holds_its_modules_and_types_and_depends_on_nothing(installed: Path) -> None:
    folder = installed / "node_modules" / "parley-client"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    modules = sorted(path.name for path in (PACKAGE / "parley").iterdir())
    types = [f"types/{name.removesuffix('.js')}.d.ts" for name in modules]
    assert names == sorted(["LICENSE", "README.md", "package.json", *(f"parley/{name}" for name in modules), *types])
    assert [path.name for path in (installed / "node_modules").iterdir() if path.is_dir()] == ["parley-client"]


@pytest.mark.parametrize("page", [PACKAGE / "README.md", PROJECT / "docs" / "clients.md"], ids=lambda page: page.stem)
def test_each_event_is_in_its_documents(page: Path) -> None:
    (described,) = re.findall(
        r"type ChatEvents = \{\n(.*?)\n\};", (PACKAGE / "types/events.d.ts").read_text("utf-8"), re.DOTALL
    )
    events = re.findall(r"^    (\w+): ", described, re.MULTILINE)
    assert len(events) > 10
    text = page.read_text("utf-8").partition("Events are ")[2].partition("\n\n")[0]
    assert [event for event in events if f"`{event}`" not in text] == []


def test_everything_that_an_application_uses_is_described() -> None:
    page = (PROJECT / "docs" / "clients.md").read_text("utf-8")
    described = page.partition("## JavaScript\n")[2].partition("\n## Tokens")[0]
    names = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", "".join(re.findall(r"^\| (`.*?`) \|", described, re.MULTILINE))))
    types = (PACKAGE / "types/chat-client.d.ts").read_text("utf-8")
    client = types.partition("export class ChatClient ")[2].partition("\n}\n")[0]
    members = set(re.findall(r"^    (?:get )?(\w+)\(", client, re.MULTILINE)) - {"constructor"}
    options = set(re.findall(r"^    (\w+)\??: ", types.partition("export type Options = {")[2], re.MULTILINE))
    assert len(members) > 20
    assert len(options) > 5
    assert (members | options) - names == set()


def test_what_a_method_throws_can_be_caught_by_its_name() -> None:
    source = (PACKAGE / "parley/chat-client.js").read_text("utf-8")
    (exported,) = re.findall(r"^export \{(.*?)\};", source, re.DOTALL | re.MULTILINE)
    ours = set(re.findall(r"^(?:export )?class (\w+) extends \w*Error ", _sources(), re.MULTILINE))
    sentences = re.findall(r"Throws ([^.]*)", re.sub(r"\n\s*\* ", " ", source))
    thrown = {name for sentence in sentences for name in re.findall(r"\w+", sentence)} & ours
    assert thrown == {"Closed", "Lost", "Refused"}
    assert thrown - set(re.findall(r"\w+", exported)) == set()


def _sources() -> str:
    return "".join(path.read_text("utf-8") for path in (PACKAGE / "parley").glob("*.js"))


def test_its_types_are_those_of_its_comments(tmp_path: Path) -> None:
    """If this fails: `npx tsc --project clients/javascript`, and look at what has changed for whoever uses it."""
    run(TSC, "--project", PACKAGE, "--outDir", tmp_path, cwd=tmp_path)
    assert _files(tmp_path) == _files(PACKAGE / "types")


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.d.ts")}


def _names(folder: Path, suffix: str) -> Sequence[str]:
    return [path.stem for path in folder.glob(f"*{suffix}")]


def test_each_rule_has_a_file_of_the_same_name_in_both_languages() -> None:
    javascript, python = set(_names(PACKAGE / "parley", ".js")), set(_names(PYTHON, ".py"))
    assert javascript - python == {"chat-client"}
    assert python - javascript <= ONLY_PYTHON.keys()


@pytest.mark.parametrize("name", sorted(_names(PACKAGE / "parley", ".js")))
def test_a_file_says_first_what_it_is_about(name: str) -> None:
    first = (PACKAGE / "parley" / f"{name}.js").read_text("utf-8").split("*/")[0]
    assert first.startswith("/**")
    if name not in {"bounds", "timers", "conversations", "events"}:
        assert "docs/protocol.md" in first
