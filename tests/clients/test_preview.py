"""The chat list shows the beginning of a message: in both clients as the server makes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parley.preview import preview_of
from tests.clients.node_program import report_of
from tests.previews import PREVIEWS

PROGRAM = Path(__file__).with_name("preview.mjs")


@cache
def made_by_javascript() -> Any:
    return report_of(PROGRAM, {name: text for name, (text, _) in PREVIEWS.items()})


@pytest.mark.parametrize("name", PREVIEWS)
def test_a_preview_ends_where_a_character_does(name: str) -> None:
    text, preview = PREVIEWS[name]
    assert preview_of(text) == made_by_javascript()[name] == preview
