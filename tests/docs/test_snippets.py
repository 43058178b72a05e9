"""What the pages tell people to type works exactly as it stands there."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from chat.protocol import Send, parse
from chat.signing_keys import ALGORITHM
from local.emulator import PROJECT
from tests.docs.conftest import read_until, shell
from tests.docs.pages import Block, blocks, pages

README, PROTOCOL = "README.md", "docs/protocol.md"


def every(language: str) -> list[Any]:
    found = [block for page in pages() for block in blocks(page, language)]
    return [pytest.param(block, id=f"{block.page}-{number}") for number, block in enumerate(found)]


def having(language: str, words: str, page: str = README) -> str:
    (text,) = (block.text for block in blocks(page, language) if words in block.text)
    return text


# In the shell of a newcomer


def test_the_demo_says_what_the_readme_shows(running: Path) -> None:
    *expected, last = having("", "Hello Bob!").splitlines()
    converse = "import asyncio; from local import demo; from local.deployment import Endpoint, local_secret; "
    converse += "there = Endpoint.read(); asyncio.run(demo.converse(demo.Deployed(there.url, local_secret(there))))"
    with shell(f"python -c '{converse}'", running) as process:
        said, _ = process.communicate()
    _assert_in_order(expected, said)
    assert f'print("\\n{last}")' in (PROJECT / "local" / "__main__.py").read_text()


@pytest.mark.soak
def test_make_demo_says_what_the_readme_shows(clone: Path) -> None:
    with shell("make demo", clone) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    _assert_in_order(having("", "Hello Bob!").splitlines(), said)


def _assert_in_order(expected: list[str], said: str) -> None:
    lines = iter(said.splitlines())
    missing = [line for line in expected if line not in lines]  # `in` reads on, up to the line
    assert not missing, said


def test_the_programs_of_the_readme_talk_to_each_other(beside: Path) -> None:
    (beside / "hello.py").write_text(having("python", "from parley import"))
    (beside / "hello.mjs").write_text(having("js", "parley-client"))
    with (
        shell(having("sh", "hello.py"), beside) as python,
        shell(having("sh", "hello.mjs"), beside) as javascript,
    ):
        assert python.stdout
        assert javascript.stdout
        read_until(javascript.stdout, "alice: Hello from Python", "bob: Hello from JavaScript")
        read_until(python.stdout, "alice: Hello from Python", "bob: Hello from JavaScript")


def test_the_programs_of_the_readme_say_when_there_is_no_connection(beside: Path) -> None:
    for language, program, said in (("python", "hello.py", "refused the token"), ("js", "hello.mjs", "No connection.")):
        (beside / program).write_text(having(language, "parley import" if language == "python" else "parley-client"))
        typed = re.sub(r'"\$\(make -sC ../parley token USER=\w+\)"', "a-token-that-is-none", having("sh", program))
        with shell(typed, beside) as process:
            assert process.stdout
            read_until(process.stdout, said)


def test_frames_can_be_typed_as_the_page_says(running: Path) -> None:
    with shell(having("sh", ".venv/bin/websockets", PROTOCOL), running) as process:
        assert process.stdin
        assert process.stdout
        for frame, reply in zip(
            having("json", "Hello by hand", PROTOCOL).splitlines(keepends=True), ("ack", "sync", "history"), strict=True
        ):
            process.stdin.write(frame)
            process.stdin.flush()
            read_until(process.stdout, f'"type":"{reply}"')


# In whatever surroundings


@pytest.mark.parametrize("block", every("sh"))
def test_shell_lines_can_be_parsed(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text], check=True)


@pytest.mark.parametrize("block", every("python"))
def test_python_imports_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            # What is installed elsewhere as parley_cdk is the folder stacks/ here.
            module = importlib.import_module(str(node.module).replace("parley_cdk", "stacks"))
            assert not [name.name for name in node.names if not hasattr(module, name.name)]
        elif isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)


@pytest.mark.parametrize("block", every("js"))
def test_javascript_can_be_parsed(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.mjs"
    program.write_text(block.text)
    subprocess.run(["node", "--check", program], check=True)


def test_frames_to_type_can_be_typed_again() -> None:
    for frame in having("json", "Hello by hand", PROTOCOL).splitlines():
        request = parse(frame)
        if isinstance(request, Send):
            assert request.id is None, "one that is typed again with another text would be refused"


def test_a_token_is_made_as_the_page_says() -> None:
    made: dict[str, Any] = {}
    exec(having("python", "def connection_token", "docs/deploying.md"), made)  # noqa: S102
    secret = "s" * 64
    claims = jwt.decode(made["connection_token"](secret, "alice"), secret, [ALGORITHM])
    assert claims["sub"] == "alice"
    assert claims["exp"] - claims["iat"] == 3600


def test_a_session_is_driven_as_the_page_says() -> None:
    made: dict[str, Any] = {}
    exec(having("python", "def carry_out", "docs/clients.md"), made)  # noqa: S102
    session, done = made["session"], SimpleNamespace(opened=[], written=[], closed=[])

    def carry_out() -> list[Any]:
        written = lambda connection, text: done.written.append((connection, json.loads(text)))  # noqa: E731
        events: list[Any] = made["carry_out"](session, done.opened.append, written, done.closed.append)
        return events

    assert carry_out() == []
    (connection,) = done.opened
    session.opened(connection)
    carry_out()
    ((_, sync),) = done.written
    reply = {"type": "sync", "id": sync["id"], "user": "alice", "chats": [], "server_time": 1}
    session.received(connection, json.dumps(reply | {"heartbeat_ms": 270_000, "max_text_bytes": 8192}))
    (connected,) = carry_out()
    assert connected.user == "alice"
