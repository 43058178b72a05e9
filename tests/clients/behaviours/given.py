"""A mapping in a behaviour file, of which every key has to be known and of the right type."""

from __future__ import annotations

from types import NoneType
from typing import Any

ANY = (NoneType, bool, int, float, str, list, dict)
NUMBER = (int, float)


class BadCase(ValueError):
    """A case that is not written as README.md says."""


class Given:
    """Hands out the values of a mapping, each once, and complains about those that are left.

    `what` names the mapping in errors.
    """

    def __init__(self, what: str, fields: object) -> None:
        if not isinstance(fields, dict):
            raise BadCase(f"{what}: expected a mapping, found {fields!r}")
        self.what = what
        self._fields = dict(fields)

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def take(self, key: str, *types: type) -> Any:
        """The value of a key that must be there. Raises BadCase if it is not, or is of none of the types."""
        if key not in self._fields:
            raise BadCase(f"{self.what}: the key {key!r} is missing")
        value = self._fields.pop(key)
        if type(value) not in types:
            wanted = " or ".join(type.__name__ for type in types)
            raise BadCase(f"{self.what}: {key!r} must be of type {wanted}, but is {value!r}")
        return value

    def take_or(self, default: Any, key: str, *types: type) -> Any:
        return self.take(key, *types) if key in self._fields else default

    def some(self, *keys: str) -> dict[str, Any]:
        """Those of the keys that are there, of whatever type."""
        return {key: self.take(key, *ANY) for key in keys if key in self._fields}

    def one_of(self, *keys: str) -> str:
        """Which of the keys is there. Raises BadCase unless it is exactly one."""
        found = [key for key in keys if key in self._fields]
        if len(found) != 1:
            raise BadCase(f"{self.what}: exactly one of {', '.join(keys)} is required, found {list(self._fields)}")
        return found[0]

    def end(self) -> None:
        """Raises BadCase if a key is left."""
        if self._fields:
            raise BadCase(f"{self.what}: unknown key {', '.join(map(repr, self._fields))}")
