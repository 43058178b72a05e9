"""What an operator is asked and told, and what an export leaves."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from local.progress import StepFailed
from local.users import confirm, run_erase, run_export
from parley.backend import Backend, BackendError, Erased


class Portions:
    """A backend that erases in three portions."""

    def erase(self, _: str) -> Iterator[Erased]:
        yield from (Erased(100, 0), Erased(100, 0), Erased(7, 1))


class Items:
    """A backend that exports two items, or breaks off behind the first."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.breaks = breaks

    def export(self, user: str) -> Iterator[dict[str, str | int]]:
        yield {"pk": f"USER#{user}", "seq": 1}
        if self.breaks:
            raise BackendError("internal", "no more", temporary=True)
        yield {"text": "Grüße"}


class Terminal:
    def isatty(self) -> bool:
        return True


def test_it_says_what_was_removed(capsys: pytest.CaptureFixture[str]) -> None:
    run_erase(cast("Backend", Portions()), "alice")

    assert capsys.readouterr().out.startswith(
        "alice is erased. Messages whose text was removed: 207. Chats removed: 1."
    )


def test_it_says_what_is_going_to_happen_and_goes_on_when_the_id_is_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = _typing(monkeypatch, "alice ")

    confirm("alice")

    assert asked == ["Type alice to go on: "]
    assert "This cannot be undone, except by recovering the table." in capsys.readouterr().out


def test_another_id_erases_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    _typing(monkeypatch, "yes")
    with pytest.raises(StepFailed, match="nothing was erased"):
        confirm("alice")


def test_where_nobody_is_there_it_says_how_to_confirm() -> None:
    with pytest.raises(StepFailed, match="give CONFIRM=yes to erase alice"):
        confirm("alice")


def test_an_export_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "alice.jsonl"
    file.write_text("old")
    file.chmod(0o644)

    with pytest.raises(BackendError):
        run_export(cast("Backend", Items(breaks=True)), "alice", file)
    assert file.read_text() == "old"

    run_export(cast("Backend", Items()), "alice", file)
    assert [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] == list(Items().export("alice"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def _typing(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    asked: list[str] = []

    def answer(question: str) -> Any:
        asked.append(question)
        return text

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", answer)
    return asked
