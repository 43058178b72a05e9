"""The asset and what actions cost, for the tests of more than one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.cost import Cost, costs
from chat import sdk
from stacks.bundle import bundle, compile_sources
from tests.fakes.engines import PATIENT, Engine


@pytest.fixture(scope="session")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset as it is deployed, with bytecode of the Python that runs."""
    folder = tmp_path_factory.mktemp("asset")
    bundle(folder)
    compile_sources(folder)
    return folder


@pytest.fixture(scope="session")
def found(dynamodb: Engine) -> Mapping[str, Cost]:
    """Every action's cost, counted; what a busy machine delays is waited for, since a further try would count too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk, "CONFIG", PATIENT)
        return costs(dynamodb.url)
