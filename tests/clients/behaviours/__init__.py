"""The behaviours that every client is held to: a file for each rule of docs/protocol.md. README.md is the manual."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.clients.behaviours import strict_yaml
from tests.clients.behaviours.examples import filled, is_filled
from tests.clients.behaviours.given import ANY, BadCase, Given
from tests.clients.behaviours.notation import Script, Step

Client = Literal["python", "javascript"]
CLIENTS: tuple[Client, ...] = ("python", "javascript")

OPTIONS = ("backlog", "send_delivered", "receipts", "random")
"""Of the client: `receipts` is how many seconds a `delivered` waits for others, and `random` what all chances come out
as, from 0 up to 1."""

LONGEST_SOCKET_WAIT = 2.0
"""Seconds. Cases in which more time goes by need a clock that can be moved."""

_FOLDER = Path(__file__).parent
_FIRST_LINE = re.compile(r"# .*docs/protocol\.md")


@dataclass(frozen=True)
class Case:
    """What a server, an application and time do, and what the client must make of it."""

    name: str
    steps: tuple[Step, ...]
    options: dict[str, Any]
    """Of the client: those of OPTIONS."""
    saved: Any
    """The state that the client starts with, or None."""
    clients: tuple[Client, ...]

    @property
    def needs_clock(self) -> bool:
        """Whether a client on the real clock cannot be driven by it: chance is fixed, or time has to pass or not to."""
        return not {"random", "receipts"}.isdisjoint(self.options) or any(
            step.duration > LONGEST_SOCKET_WAIT for step in self.steps
        )

    def __str__(self) -> str:
        return self.name

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load(client: Client) -> list[Case]:
    """All cases that hold for the client. Raises BadCase at the first that is badly written."""
    return [case for case in _all() if client in case.clients]


def for_every_client() -> list[Case]:
    """The cases that are not about one client alone: what a client in another language is held to."""
    return [case for case in _all() if set(case.clients) == set(CLIENTS)]


@cache
def _all() -> list[Case]:
    cases = [case for path in sorted(_FOLDER.glob("*.yaml")) for case in parse(path.name, path.read_text("utf-8"))]
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            raise BadCase(f"two cases have the name {name!r}")
    return cases


def parse(file: str, text: str) -> list[Case]:
    """The cases in a file. Raises BadCase, which names the file and the case."""
    if not _FIRST_LINE.match(text):
        raise BadCase(f"{file}: the first line must be a comment that names the rule of docs/protocol.md")
    try:
        document = strict_yaml.parse(text)
    except yaml.YAMLError as error:
        raise BadCase(f"{file}: {error}") from error
    if not isinstance(document, list):
        raise BadCase(f"{file}: expected a list of cases")
    return [case for written in document for case in _cases(file, written)]


def _cases(file: str, written: object) -> Iterable[Case]:
    """The case, or one for each of its examples."""
    given = Given(f"{file}: a case", written)
    name = given.take("case", str)
    given.what = f"{file}: {name}"
    examples = given.take_or([{}], "examples", list)
    body = given.some("clients", "options", "saved", "knows", "from_scratch", "steps")
    given.end()
    for example in examples:
        Given(f"{given.what}: an example", example)
        yield _case(file, filled({"case": name} | body, example))


def _case(file: str, written: dict[str, Any]) -> Case:
    given = Given(f"{file}: {written['case']}", written)
    name = given.take("case", str)
    if not is_filled(name):
        raise BadCase(f"{given.what}: the examples have no value for a name in <>")
    clients = tuple(given.take_or(list(CLIENTS), "clients", list))
    if not clients or not set(clients) <= set(CLIENTS):
        raise BadCase(f"{given.what}: clients are of {', '.join(CLIENTS)}, not {list(clients)}")
    saved = given.take_or(None, "saved", *ANY)
    script = Script(given.what)
    if not given.take_or(False, "from_scratch", bool):
        script.start(given.take_or({}, "knows", dict))
    for number, step in enumerate(given.take("steps", list), 1):
        script.add(number, step)
    options = Given(f"{given.what}: options", given.take_or({}, "options", dict))
    found = {"backlog": 0, "send_delivered": False} | options.some(*OPTIONS)
    options.end()
    given.end()
    return Case(name, tuple(script.steps), found, saved, clients)
