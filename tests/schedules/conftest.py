"""What all schedules need."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def _backoff_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.time", SimpleNamespace(sleep=lambda seconds: None))
