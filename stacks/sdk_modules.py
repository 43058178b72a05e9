"""Modules that a cold start of the SDK imports and never uses: in the asset they are empty, or next to it.

The way back is not to call `empty` where the asset is bundled.
"""

from __future__ import annotations

import shutil
from pathlib import Path

UNDOCUMENTED = Path(__file__).with_name("undocumented.py")

DOCUMENTING = ("docstring", "utils")
"""The modules of `botocore.docs` that its clients import: a generator of documentation, with an HTML parser."""

SWITCH_TO_HTTP2 = Path("urllib3", "http2", "__init__.py")
"""Two functions that switch to HTTP/2, which nothing calls; it imports a reader of package metadata."""


def empty(packages: Path) -> None:
    """Empties the modules of installed packages that only cost an import."""
    documentation = packages / "botocore" / "docs"
    shutil.rmtree(documentation)
    documentation.mkdir()
    (documentation / "__init__.py").touch()
    for name in DOCUMENTING:
        shutil.copyfile(UNDOCUMENTED, documentation / f"{name}.py")
    (packages / SWITCH_TO_HTTP2).write_text("")
