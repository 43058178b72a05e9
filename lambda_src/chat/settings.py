"""The functions' settings, from the environment that the stack gives them."""

from __future__ import annotations

from collections.abc import Mapping


class MissingSetting(Exception):
    """An environment variable that the stack sets is not there."""


def required(environment: Mapping[str, str], name: str) -> str:
    """The variable's value. Raises MissingSetting if it is absent or empty."""
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"the environment variable {name} is not set; the stack sets it on this function")
    return value
