"""The protocol document as a judge: does a frame that crossed the wire stand in `docs/asyncapi.yaml`?

Clients ignore unknown fields, so the document allows them. Here the server's schemas are closed: a field that the
server sends and the document does not name is a mistake in one of the two.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT7

DOCUMENT = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"

Side = Literal["client", "server"]

_URI = "urn:parley:asyncapi"
_SELECTOR = {"client": "action", "server": "type"}
_GATEWAY_ERROR = "gatewayError"


def check_client_frame(text: str) -> None:
    """Raises AssertionError unless the text is a frame that a client may send."""
    _check("client", text)


def check_server_frame(text: str) -> None:
    """Raises AssertionError unless the text is a frame that the server may send, with no field beyond its schema."""
    size, most = len(text.encode()), document()["channels"]["connection"]["x-max-frame-bytes"]
    assert size <= most, f"a frame of {size} bytes; there may be {most}"
    if text:  # API Gateway may send an empty frame; clients ignore it
        _check("server", text)


def _check(side: Side, text: str) -> None:
    frame = _object(text)
    candidates = [name for name in message_names(side) if _is_about(side, name, frame)]
    assert candidates, f"the document knows no {side} frame like {text}"
    problems = {name: problem(name, frame, closed=side == "server") for name in candidates}
    fitting = [name for name, found in problems.items() if found is None]
    assert fitting, f"{text} is not as documented: " + "; ".join(f"{name}: {why}" for name, why in problems.items())
    assert len(fitting) == 1, f"{text} is documented twice: {', '.join(fitting)}"


def _object(text: str) -> dict[str, object]:
    try:
        frame = json.loads(text)
    except ValueError as error:
        raise AssertionError(f"not JSON: {text}") from error
    assert isinstance(frame, dict), f"not a JSON object: {text}"
    return frame


def _is_about(side: Side, name: str, frame: dict[str, object]) -> bool:
    """Whether the frame claims to be this message: by its `action` or `type`, which only API Gateway's own lacks."""
    selector = _SELECTOR[side]
    if name == _GATEWAY_ERROR:
        return selector not in frame
    return bool(frame.get(selector) == message(name)["payload"]["properties"][selector]["const"])


@cache
def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def message(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["messages"][name]
    return found


def message_names(side: Side) -> list[str]:
    """The messages that the operations say this side sends."""
    operations = document()["operations"].values()
    received = [one for operation in operations if operation["action"] == "receive" for one in operation["messages"]]
    sent = [one for operation in operations if operation["action"] == "send" for one in operation["messages"]]
    replies = [one for operation in operations for one in operation.get("reply", {}).get("messages", [])]
    references = received if side == "client" else replies + sent
    return list(dict.fromkeys(reference["$ref"].rpartition("/")[2] for reference in references))


def problem(name: str, frame: object, *, closed: bool) -> str | None:
    """What is wrong with the frame as this message; None if nothing is."""
    error = best_match(_validator(name, closed).iter_errors(frame))
    return None if error is None else f"{error.json_path}: {error.message}"


@cache
def _validator(name: str, closed: bool) -> Draft7Validator:
    contents = _closed(document()) if closed else document()
    registry = Registry().with_resource(_URI, DRAFT7.create_resource(contents))
    return Draft7Validator({"$ref": f"{_URI}#/components/messages/{name}/payload"}, registry=registry)


def _closed(node: Any) -> Any:
    """A copy in which no object has a field that is not named."""
    if isinstance(node, dict):
        return {key: False if key == "additionalProperties" else _closed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_closed(value) for value in node]
    return node
