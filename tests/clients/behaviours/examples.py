"""`<name>` in a case: what each of its examples, or each round of an `each` step, puts another value for."""

from __future__ import annotations

import re
from typing import Any

_PLACEHOLDER = re.compile(r"<(\w+)>")


def filled(value: Any, example: dict[str, Any]) -> Any:
    """The value with the example's values in place of their names. A name that the example has not stays as it is."""
    match value:
        case dict():
            return {key: filled(one, example) for key, one in value.items()}
        case list():
            return [filled(one, example) for one in value]
        case str() if (whole := _PLACEHOLDER.fullmatch(value)) and whole[1] in example:
            return example[whole[1]]
        case str():
            return _PLACEHOLDER.sub(lambda found: str(example.get(found[1], found[0])), value)
        case _:
            return value


def is_filled(value: Any) -> bool:
    """Whether no name is left in the value."""
    match value:
        case dict():
            return all(map(is_filled, value.values()))
        case list():
            return all(map(is_filled, value))
        case str():
            return _PLACEHOLDER.search(value) is None
        case _:
            return True
