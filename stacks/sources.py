"""Where the stack's sources are: beside this folder in the project, inside it once installed."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

SOURCES = _HERE if (_HERE / "lambda_src").is_dir() else _HERE.parent
