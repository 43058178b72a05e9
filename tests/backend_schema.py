"""`docs/backend.schema.json` as a judge of events and results."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

DOCUMENT = Path(__file__).parent.parent / "docs" / "backend.schema.json"

Side = Literal["events", "results"]
_SELECTOR = {"events": "action", "results": "type"}


@cache
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def names(side: Side) -> dict[str, str]:
    """The name in the schema of each action, or type of result."""
    of_side = schema()["$defs"][side].items()
    return {one["properties"][_SELECTOR[side]]["const"]: name for name, one in of_side}


def problem(side: Side, value: object) -> str | None:
    """What is wrong with the event or the result; None if nothing is. A result has no field that is not named."""
    name = names(side).get(str(value.get(_SELECTOR[side]))) if isinstance(value, dict) else None
    if name is None:
        return f"the document knows no {_SELECTOR[side]} of it"
    error = best_match(_validator(side, name).iter_errors(value))
    return None if error is None else f"{error.json_path}: {error.message}"


@cache
def _validator(side: Side, name: str) -> Any:
    definitions = schema()["$defs"] if side == "events" else closed(schema()["$defs"])
    return Draft202012Validator({"$ref": f"#/$defs/{side}/{name}", "$defs": definitions})


def closed(node: Any) -> Any:
    match node:
        case {"type": "object", "properties": _}:
            return {"additionalProperties": False} | {key: closed(value) for key, value in node.items()}
        case dict():
            return {key: closed(value) for key, value in node.items()}
        case list():
            return [closed(value) for value in node]
        case _:
            return node
