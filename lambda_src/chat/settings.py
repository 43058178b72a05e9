"""The functions' settings, from the environment that the stack gives them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

DAY_MS = 86_400_000


class MissingSetting(Exception):
    """An environment variable that the stack sets is missing."""


def required(environment: Mapping[str, str], name: str) -> str:
    """The variable's value. Raises MissingSetting if it is absent or empty."""
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"the environment variable {name} is not set; the stack sets it on this function")
    return value


def epoch_of(table_name: str, epoch: str) -> str:
    """The history of the data: a new one in another table, or if the operator sets another epoch.

    Message numbers have a meaning within one history only: `docs/protocol.md`, rule 10.
    """
    history = f"{table_name} {epoch}"
    return blake2b(history.encode(), digest_size=8).hexdigest()  # clients need not know the table's name
