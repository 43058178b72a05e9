"""The stack as `cdk synth` would make it from cdk.json, without bundling the asset."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from stacks.chat_stack import ChatStack
from stacks.settings import ChatSettings

ROOT = Path(__file__).parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}

Resource = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """What a synth leaves behind."""

    template: dict[str, Any]
    warnings: list[str]
    environment: str
    lookups: list[Any]
    output: Path
    termination_protection: bool

    def all(self, type: str) -> dict[str, Resource]:
        """The properties of each resource of the type, by logical id."""
        resources = self.template["Resources"].items()
        return {id: resource.get("Properties", {}) for id, resource in resources if resource["Type"] == type}

    def one(self, type: str) -> tuple[str, Resource]:
        """The logical id and the properties of the only resource of the type."""
        ((id, properties),) = self.all(type).items()
        return id, properties

    def function(self, name: str) -> tuple[str, Resource]:
        """The function whose handler is in the module."""
        functions = self.all("AWS::Lambda::Function").items()
        ((id, properties),) = ((id, it) for id, it in functions if it["Handler"] == f"{name}.handler")
        return id, properties


Synthesize = Callable[..., Synthesized]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesizes the stack with context on top of that in cdk.json; once for each context."""

    @cache
    def synthesize(**context: object) -> Synthesized:
        output = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(outdir=str(output), context={**CONTEXT, **NO_BUNDLING, **context})
        settings = ChatSettings.from_context(app.node.get_all_context())
        ChatStack(app, settings.stack_name, settings=settings)
        artifact = app.synth().get_stack_by_name(settings.stack_name)
        return Synthesized(
            template=artifact.template,
            warnings=[str(message.entry.data) for message in artifact.messages],
            environment=artifact.environment.name,
            lookups=json.loads((output / "manifest.json").read_text()).get("missing", []),
            output=output,
            termination_protection=bool(artifact.termination_protection),
        )

    return synthesize


@pytest.fixture(scope="session")
def default(synthesize: Synthesize) -> Synthesized:
    """The stack that `cdk deploy` deploys."""
    return synthesize()


def rendered(value: Any) -> str:
    """A string of a template, its references written as Fn::Sub would have them: ${Table.Arn}."""
    match value:
        case str():
            return value
        case {"Ref": id}:
            return f"${{{id}}}"
        case {"Fn::GetAtt": [id, attribute]}:
            return f"${{{id}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(rendered(part) for part in parts)
        case _:
            raise TypeError(f"not a string of a template: {value}")
