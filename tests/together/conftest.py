"""What these tests share: a browser, and a deployment that can be stopped and started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import chromium
from tests.deployed import Deployed
from tests.together.deployment import Deployment


@pytest.fixture
def browser() -> Path:
    return chromium()


@pytest.fixture
def deployment(tmp_path: Path, deployed: Deployed) -> Iterator[Deployment]:
    one = Deployment(tmp_path / "emulator")
    try:
        one.deploy(deployed)
        yield one
    finally:
        one.stop()
