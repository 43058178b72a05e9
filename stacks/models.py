"""The SDK's description of DynamoDB, as far as the functions call it.

The SDK's own is half a megabyte of JSON, most of it documentation and operations that are never called. Reading it
takes a cold start 6 ms of CPU, reading this one 1 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader

SERVICE, TYPE = "dynamodb", "service-2"
OPERATIONS = ("BatchGetItem", "PutItem", "Query", "UpdateItem")
"""What the functions call; an operation that is missing here is none of the client's methods on AWS."""


def model_path() -> str:
    """Where the SDK looks for the description below a folder of models."""
    return f"{SERVICE}/{Loader().determine_latest_version(SERVICE, TYPE)}/{TYPE}.json"


def dynamodb_model() -> str:
    """The operations in JSON, with the shapes that they are made of and without documentation."""
    model = _without_documentation(Loader().load_service_model(SERVICE, TYPE))
    operations = {name: model["operations"][name] for name in OPERATIONS}
    shapes: dict[str, Any] = {}
    pending = list(_shapes_in(operations))
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            pending += _shapes_in(shapes[name])
    described = {"version": model["version"], "metadata": model["metadata"]}
    return json.dumps({**described, "operations": operations, "shapes": dict(sorted(shapes.items()))})


def _without_documentation(node: Any) -> Any:
    # A member of that name is a dict; what is said about a shape is a string.
    match node:
        case Mapping():
            said = {name for name, value in node.items() if name == "documentation" and isinstance(value, str)}
            return {name: _without_documentation(value) for name, value in node.items() if name not in said}
        case list():
            return [_without_documentation(one) for one in node]
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
        for one in node:
            yield from _shapes_in(one)
