"""Measures what a message costs, how fast it is, and how both grow. `python -m bench` writes docs/performance.md."""

import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
FUNCTIONS = PROJECT / "lambda_src"

if str(FUNCTIONS) not in sys.path:  # the functions import each other from the root of their asset
    sys.path.insert(0, str(FUNCTIONS))
