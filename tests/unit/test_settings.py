"""The functions' environment."""

from __future__ import annotations

import pytest

from chat.settings import MissingSetting, required


def test_a_setting_is_its_value() -> None:
    assert required({"TABLE_NAME": "chat"}, "TABLE_NAME") == "chat"


@pytest.mark.parametrize("environment", [{}, {"TABLE_NAME": ""}])
def test_a_setting_that_is_missing_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(MissingSetting, match="TABLE_NAME"):
        required(environment, "TABLE_NAME")
