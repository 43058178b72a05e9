"""`docs/events.schema.json` as a judge of events."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.backend_schema import closed

DOCUMENT = Path(__file__).parent.parent / "docs" / "events.schema.json"


@cache
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def types() -> set[str]:
    """The detail type of each event."""
    return set(schema()["$defs"]["details"])


def problem(type: str, detail: object) -> str | None:
    """What is wrong with the event; None if nothing is. It has no field that is not named."""
    if type not in types():
        return f"the document knows no event {type}"
    error = best_match(_validator(type).iter_errors(detail))
    return None if error is None else f"{error.json_path}: {error.message}"


@cache
def _validator(type: str) -> Any:
    return Draft202012Validator({"$ref": f"#/$defs/details/{type}", "$defs": closed(schema()["$defs"])})
