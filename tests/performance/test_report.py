"""The bench's pages: what they say of a limit, and that a run against AWS leaves all of its page behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import latency, plots, report
from bench.latency import Level
from bench.measure import Limit, Section
from chat.budget import budget

LEVELS: Sequence[Level] = [Level(pairs, [1.0, 2.0], 3.0) for pairs in (1, 10)]


@pytest.mark.parametrize(("measured", "verdict"), [(0.5, "met"), (0.7, "**not met**")])
def test_a_limit_shows_what_it_depends_on_met_or_not(measured: float, verdict: str) -> None:
    shown = report.limits([Section("", "", [Limit("cold start", measured, 0.65, "on a full moon")])])
    assert f"| cold start | {measured} | 0.65 | {verdict}; on a full moon |" in shown


def test_a_run_against_aws_draws_and_says_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "performance"
    monkeypatch.setattr(report, "PLOTS", folder)
    monkeypatch.setattr(report, "AWS_REPORT", folder / "aws.md")
    monkeypatch.setattr(latency, "deployed_secret", lambda stack: f"secret of {stack}")
    monkeypatch.setattr(latency, "measure", lambda url, secret, ways: {latency.SEND: LEVELS, latency.PING: LEVELS})
    monkeypatch.setattr(plots, "lines", lambda path, **_: path.write_text("<svg/>"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    bench.run_deployed("wss://x", "Parley-dev")

    page = (folder / "aws.md").read_text()
    assert "Parley-dev in eu-central-1" in page
    assert report._machine() in " ".join(page.split())
    assert "](latency-aws.svg)" in page
    assert (folder / "latency-aws.svg").exists()


def test_a_row_is_not_out_of_time_because_the_one_before_served_an_event() -> None:
    def serving() -> Section:
        assert budget.allows(0)
        budget._ends = 0.0  # long ago
        return Section("", "", [])

    for _ in range(2):
        bench._shown("a row", serving)
