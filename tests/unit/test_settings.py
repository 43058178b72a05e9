"""The functions' environment."""

from __future__ import annotations

import pytest

from chat.settings import MissingSetting, epoch_of, required


def test_a_setting_is_its_value() -> None:
    assert required({"TABLE_NAME": "chat"}, "TABLE_NAME") == "chat"


@pytest.mark.parametrize("environment", [{}, {"TABLE_NAME": ""}])
def test_a_setting_that_is_missing_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(MissingSetting, match="TABLE_NAME"):
        required(environment, "TABLE_NAME")


@pytest.mark.parametrize("other", [("chat-restored", "1"), ("chat", "2")])
def test_another_table_is_another_epoch_and_so_is_another_one_of_the_same(other: tuple[str, str]) -> None:
    assert epoch_of("chat", "1") == epoch_of("chat", "1")
    assert epoch_of(*other) != epoch_of("chat", "1")


def test_an_epoch_does_not_tell_the_name_of_the_table() -> None:
    assert "chat" not in epoch_of("chat", "1")
