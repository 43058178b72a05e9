"""Where that lies which the stack is made of: beside this folder in the project, inside of it where it is installed."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

SOURCES = _HERE if (_HERE / "lambda_src").is_dir() else _HERE.parent
