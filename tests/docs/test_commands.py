"""The commands of the pages for people: each can be typed, names what there is, and gives what is required."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import Session

from local import __main__ as local_commands
from local import cdk
from local.cdk import REMOVAL
from local.emulator import PROJECT
from tests.docs.pages import blocks, code, pages
from tests.local.test_make import make, project

__all__ = ["project"]  # a fixture

PAGES = (
    "docs/backend.md",
    "docs/clients.md",
    "docs/construct.md",
    "docs/deploying.md",
    "docs/first-deployment.md",
    "docs/integrating.md",
    "docs/operations.md",
    "examples/shop/README.md",
)
"""Those for people who use it, deploy it or run it. Others name commands without what is typed behind them."""

PARSERS = {"local": local_commands.arguments_parser, "local.cdk": cdk.arguments_parser}
AWS = re.compile(r"\baws ([a-z0-9]+) ([a-z0-9-]+)((?: (?!\|)[^\n|;)]*)?)")
INSTALL = re.compile(r"(?:pip|npm) install ['\"]?(?:\./|\.\./parley)/?([\w/]*)(?:\[(\w+)\])?")
GLOBAL_OPTIONS = {"cli-binary-format", "query", "output", "region", "profile"}
HIGH_LEVEL = {("s3", "rb"): {"force"}}
"""What the command line adds to the services' own operations."""


def written(page: str) -> list[str]:
    """Everything on the page that can be typed, without the breaks of lines that go on."""
    texts = [*code(page), *(block.text for block in blocks(page))]
    return [re.sub(r"\\\n\s*", "", text) for text in texts]


def make_commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for text in written(page):
            for line in text.splitlines():
                if found := re.match(r"make ((?:[a-z-]+)(?: [A-Z_]+=(?:\"[^\"]*\"|\S+))*)\s*(?:#.*)?$", line):
                    yield page, found[1]


def installs() -> list[tuple[str, str, str]]:
    """Each page, folder and extra of what is installed from a folder of ours."""
    found = {(page, *one) for page in pages() for text in written(page) for one in INSTALL.findall(text)}
    return sorted(found)


def aws_commands() -> list[tuple[str, str, str]]:
    """Each service, operation and what comes after them."""
    texts = [text for page in pages() for text in written(page)] + list(REMOVAL.values())
    separate = [part for text in texts for part in re.split(r"&&|\$\(|\"\$\(", text)]
    return sorted({(service, name, rest) for text in separate for service, name, rest in AWS.findall(text)})


@pytest.mark.parametrize(("page", "command"), sorted(set(make_commands())))
def test_a_command_of_make_can_be_typed(project: Any, page: str, command: str) -> None:
    words = re.findall(r"(?:[A-Z_]+=\"[^\"]*\"|\S+)", command)
    ended = make(project, *(word.replace('"', "") for word in words))

    assert ended.returncode == 0, (page, ended.stderr)
    if words[1:] or words[0] in {"deploy", "destroy", "diff", "synth", "watch"}:
        _, module, *arguments = re.findall(r"<([^>]*)>", ended.stdout)
        if module in PARSERS:
            PARSERS[module]().parse_args(arguments)


def test_commands_of_make_and_aws_are_found() -> None:
    assert {"deploy STAGE=prod", "rotate-key STACK=Parley-prod RETIRE=now"} <= {
        command for _, command in make_commands()
    }
    assert len(aws_commands()) > 10


@pytest.mark.parametrize(("page", "folder", "extra"), installs())
def test_what_is_installed_from_a_folder_is_there(page: str, folder: str, extra: str) -> None:
    if (PROJECT / folder / "package.json").exists() and not (PROJECT / folder / "pyproject.toml").exists():
        assert not extra
        return
    project = tomllib.loads((PROJECT / folder / "pyproject.toml").read_text())["project"]
    assert not extra or extra in project["optional-dependencies"]


def test_installs_are_found() -> None:
    assert {("docs/backend.md", "clients/python", "aws"), ("docs/integrating.md", "clients/python", "testing")} <= set(
        installs()
    )


@cache
def model(service: str) -> ServiceModel:
    return Session().get_service_model(service)


@pytest.mark.parametrize(("service", "name", "rest"), aws_commands())
def test_a_command_of_aws_names_what_there_is_and_gives_what_is_required(service: str, name: str, rest: str) -> None:
    options = re.findall(r"--(no-)?([a-z0-9-]+)", rest)
    given = {option for _, option in options} - GLOBAL_OPTIONS
    if (service, name) in HIGH_LEVEL:
        assert given <= HIGH_LEVEL[service, name]
        return
    if name == "wait":
        waiters = Session().get_waiter_model(service).waiter_names
        assert rest.split(maxsplit=1)[0] in {xform_name(waiter, "-") for waiter in waiters}
        return
    operations = {xform_name(operation, "-"): operation for operation in model(service).operation_names}
    assert name in operations
    shape = model(service).operation_model(operations[name]).input_shape
    assert shape is not None
    members = {xform_name(member, "-") for member in shape.members}
    assert given <= members
    booleans = {xform_name(member, "-") for member, of in shape.members.items() if of.type_name == "boolean"}
    assert {option for no, option in options if no} <= booleans
    if given:  # else it is the name of the operation, in a sentence
        assert {xform_name(member, "-") for member in shape.required_members} <= given
