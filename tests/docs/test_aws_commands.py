"""The `aws` commands on the pages are ones that there are, with options that they have."""

from __future__ import annotations

import re

import pytest
from botocore import xform_name
from botocore.session import get_session

from tests.docs.pages import pages, text

COMMAND = re.compile(r"\baws ([a-z0-9-]+) ([a-z-]+)((?:(?!\baws )[^\n])*)")
OPTION = re.compile(r"(?<=\s)--[a-z-]+")
OF_ALL = {"--query", "--output", "--region"}
"""Options that every command has."""

FOUND = sorted(
    (service, command, rest)
    for page in pages()
    for service, command, rest in COMMAND.findall(text(page).replace("\\\n", ""))
    if "--" in rest
)


def _cli(name: str) -> str:
    return xform_name(name, "-")


@pytest.mark.parametrize(("service", "command", "rest"), FOUND)
def test_a_command_is_one_that_there_is(service: str, command: str, rest: str) -> None:
    model = get_session().get_service_model(service)
    if command == "wait":
        waiters = get_session().get_waiter_model(service)
        names = {_cli(name): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        operation = names[rest.split(maxsplit=1)[0]]
    else:
        operation = {_cli(name): name for name in model.operation_names}[command]
    given = model.operation_model(operation).input_shape
    assert given
    options = {f"--{_cli(name)}" for name in given.members}
    options |= {f"--no-{_cli(name)}" for name, shape in given.members.items() if shape.type_name == "boolean"}
    assert set(OPTION.findall(rest)) <= options | OF_ALL


def test_there_are_commands() -> None:
    assert ("dynamodb", "wait") in {(service, command) for service, command, _ in FOUND}
