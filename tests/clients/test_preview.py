"""The chat list shows the beginning of a message: in both clients as the server makes it."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.emulator import clean_environment
from parley.preview import preview_of
from tests.previews import PREVIEWS

PROGRAM = Path(__file__).with_name("preview.mjs")


@cache
def made_by_javascript() -> Any:
    done = subprocess.run(
        ["node", str(PROGRAM)],
        input=json.dumps({name: text for name, (text, _) in PREVIEWS.items()}),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PREVIEWS)
def test_a_preview_ends_where_a_character_does(name: str) -> None:
    text, preview = PREVIEWS[name]
    assert preview_of(text) == made_by_javascript()[name] == preview
