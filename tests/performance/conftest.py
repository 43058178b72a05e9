"""The asset, for the tests of more than one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.bundle import bundle, compile_sources


@pytest.fixture(scope="session")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset as it is deployed, with bytecode of the Python that runs."""
    folder = tmp_path_factory.mktemp("asset")
    bundle(folder)
    compile_sources(folder)
    return folder
