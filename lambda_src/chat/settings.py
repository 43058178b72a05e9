"""The functions' settings, from the environment that the stack gives them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

DAY_MS = 86_400_000


class MissingSetting(Exception):
    """An environment variable that the stack sets is not there."""


def required(environment: Mapping[str, str], name: str) -> str:
    """The variable's value. Raises MissingSetting if it is absent or empty."""
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"the environment variable {name} is not set; the stack sets it on this function")
    return value


def epoch_of(table_name: str, epoch: str) -> str:
    """Which history the data is: another one in another table, and in the same one if the operator says so.

    Numbers of messages mean something within one history alone, see `docs/protocol.md`, rule 10.
    """
    history = f"{table_name} {epoch}"
    return blake2b(history.encode(), digest_size=8).hexdigest()  # no client need know what the table is called
