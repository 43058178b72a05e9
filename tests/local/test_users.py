"""What is asked before a user is erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from local.progress import StepFailed
from local.users import confirm, run_erase
from parley.backend import Backend, Erased


class Portions:
    """A backend that erases in three portions."""

    def erase(self, _: str) -> Iterator[Erased]:
        yield from (Erased(100, 0), Erased(100, 0), Erased(7, 1))


class Terminal:
    def isatty(self) -> bool:
        return True


def test_it_says_what_was_removed(capsys: pytest.CaptureFixture[str]) -> None:
    run_erase(cast("Backend", Portions()), "alice")

    assert capsys.readouterr().out.startswith(
        "alice is erased. Messages that have lost their text: 207. Chats that are gone: 1."
    )


def test_it_says_what_is_going_to_happen_and_goes_on_when_the_id_is_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = _typing(monkeypatch, "alice ")

    confirm("alice")

    assert asked == ["Type alice to go on: "]
    assert "This cannot be undone, but by recovering the table." in capsys.readouterr().out


def test_another_id_erases_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    _typing(monkeypatch, "yes")
    with pytest.raises(StepFailed, match="nothing was erased"):
        confirm("alice")


def test_where_nobody_is_there_it_says_how_to_confirm() -> None:
    with pytest.raises(StepFailed, match="give CONFIRM=yes to erase alice"):
        confirm("alice")


def _typing(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    asked: list[str] = []

    def answer(question: str) -> Any:
        asked.append(question)
        return text

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", answer)
    return asked
