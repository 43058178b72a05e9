"""The handlers, imported as for the unit tests: they read their environment when they are."""

from __future__ import annotations

import tests.unit.conftest  # noqa: F401
