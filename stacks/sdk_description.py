"""The SDK's descriptions of services, as far as the functions call them.

The SDK reads a description of each service that it makes a client for, most of it documentation and operations that are
never called: half a megabyte for DynamoDB alone. Reading it takes a cold start 6 ms of CPU, reading this one 1 ms.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "dynamodb": ("BatchGetItem", "DeleteItem", "PutItem", "Query", "UpdateItem"),
    "events": ("PutEvents",),
    "lambda": ("Invoke",),
    "secretsmanager": ("GetSecretValue",),
    "sqs": ("SendMessage",),
}
"""What the functions call through the SDK's clients, which in the asset know no other operation. The grants come from
the same list. `@connections` is called without a client (`api_gateway.py`)."""

DOCUMENT: Mapping[str, Any] = {"type": "structure", "members": {}, "document": True}
"""A shape that the SDK passes on as the JSON that it is, without looking into it.

DynamoDB's answers hold nothing that has to be converted but binary attributes, which are not ours: `dynamo` skips them
by their type. Walking through all the ten types that each attribute could have is a tenth of a warm send's
CPU. The way back is to describe those shapes as AWS does."""

ENDPOINTS = '{"partitions": []}'
"""In place of a megabyte of JSON about the hosts of all services. The rules in each service's own folder have replaced
it; with no partitions in it, they alone decide."""


def cut(sdk: Path) -> None:
    """Reduces the data of an installed botocore to our services, and of those to the operations that are called."""
    data = sdk / "data"
    full = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    descriptions = {service: described(full, service) for service in OPERATIONS}
    versions = {service: full.determine_latest_version(service, "service-2") for service in OPERATIONS}
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in OPERATIONS:
            shutil.rmtree(folder)
    for service, text in descriptions.items():
        for version in (data / service).iterdir():
            if version.name != versions[service]:
                shutil.rmtree(version)
                continue
            for file in version.iterdir():
                if not file.name.startswith("endpoint-rule-set-1."):
                    file.unlink()
            (version / "service-2.json").write_text(text)
    (data / "endpoints.json").write_text(ENDPOINTS)


def described(loader: Loader, service: str) -> str:
    """The operations of a service in JSON, with the shapes that they use and without documentation."""
    model = _without_documentation(loader.load_service_model(service, "service-2"))
    operations = {name: model["operations"][name] for name in OPERATIONS[service]}
    if service == "dynamodb":
        _pass_on(operations, model["shapes"])
    shapes: dict[str, Any] = {}
    pending = list(_shapes_in(operations))
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            pending += _shapes_in(shapes[name])
    rest = {name: value for name, value in model.items() if name not in {"operations", "shapes"}}
    return json.dumps({**rest, "operations": operations, "shapes": dict(sorted(shapes.items()))})


def _pass_on(operations: Mapping[str, Any], shapes: dict[str, Any]) -> None:
    """Makes the SDK pass on DynamoDB's answers, and attributes in both directions, as they are."""
    for operation in operations.values():
        # A batch's table names: if they are ARNs, the account in them may decide the host.
        operation.pop("operationContextParams", None)
        shapes[operation["output"]["shape"]] = DOCUMENT
    for name, shape in shapes.items():
        if shape["type"] == "map" and shape["value"]["shape"] == "AttributeValue":
            shapes[name] = DOCUMENT


def _without_documentation(node: Any) -> Any:
    # A member of that name is a dict; a shape's documentation is a string.
    match node:
        case Mapping():
            said = {name for name, value in node.items() if name == "documentation" and isinstance(value, str)}
            return {name: _without_documentation(value) for name, value in node.items() if name not in said}
        case list():
            return [_without_documentation(part) for part in node]
        case _:
            return node


def _shapes_in(node: Any) -> Iterator[str]:
    """The names of the shapes that a part of the model refers to."""
    if isinstance(node, Mapping):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from _shapes_in(value)
    elif isinstance(node, list):
        for part in node:
            yield from _shapes_in(part)
