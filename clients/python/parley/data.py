"""Custom data of docs/protocol.md: what a message may carry beside its text, or instead of it.

Only what JSON carries without loss between all languages, so that the other side gets what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

Data: TypeAlias = dict[str, Any]
"""A JSON object."""

MAX_DATA_BYTES = 2 * 1024
"""In UTF-8, as JSON without spaces."""
MAX_DATA_DEPTH = 32
"""Objects and lists within each other, the data itself included."""
MAX_WHOLE = 2**53 - 1


def is_data(value: object) -> bool:
    """Whether a message may carry this, whatever its size: a later server may take more."""
    return _problem(value) is None


def encode_data(data: Data) -> str:
    """The data as JSON. Raises ValueError, with advice, if the server could never take it."""
    if problem := _problem(data):
        raise ValueError(problem)
    encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    size = len(encoded.encode())
    if size > MAX_DATA_BYTES:
        raise ValueError(f"the data has {size} bytes of JSON, and the limit is {MAX_DATA_BYTES}")
    return encoded


def _problem(data: object) -> str | None:
    if not isinstance(data, dict) or not data:
        return "the data of a message must be a dict that is not empty"
    return _problem_in(data, 1)


def _problem_in(value: object, depth: int) -> str | None:
    match value:
        case None | bool():
            return None
        case str():
            return None if _is_unicode(value) else "the data contains a lone surrogate, which is not a character"
        case int() | float():
            is_whole = isinstance(value, int) and abs(value) <= MAX_WHOLE
            return None if is_whole else f"a number in data must be an int of at most {MAX_WHOLE}; pass others as str"
        case dict() | list() if depth > MAX_DATA_DEPTH:
            return f"the data has more than {MAX_DATA_DEPTH} nested dicts and lists"
        case dict():
            return _first(_key_problem(key) for key in value) or _first_in(value.values(), depth)
        case list():
            return _first_in(value, depth)
        case _:
            return f"data may contain dicts, lists, str, int, bool and None, but not {type(value).__name__}"


def _first_in(values: Iterable[object], depth: int) -> str | None:
    return _first(_problem_in(value, depth + 1) for value in values)


def _first(problems: Iterable[str | None]) -> str | None:
    return next((problem for problem in problems if problem), None)


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str):
        return f"a key in data must be a str, not {type(key).__name__}"
    if key == "__proto__":
        return "'__proto__' cannot be a key in data: it can change an object's prototype in JavaScript"
    return _problem_in(key, 0)


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
