"""What every row is made of: interleaved runs, medians, bars, Markdown tables."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")
WIDTH = 120
Draw = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and the most that it may be. `note` says what stands behind it, or in its way."""

    figure: str
    measured: float
    limit: float
    note: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Section:
    """One row of the bench, as it stands in the report. `plots` are drawn by file name."""

    title: str
    text: str
    bars: Sequence[Bar] = ()
    plots: Mapping[str, Draw] = field(default_factory=dict)


def interleave(sides: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Runs each side once a round, so that whatever else the machine does meets all of them alike."""
    results: dict[K, list[T]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            results[name].append(run())
    return results


def medians(results: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in results.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table: the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [header, rule, *rows])


def wrap(text: str) -> str:
    """Paragraphs with the lines that their figures leave them; tables and blocks stay as they are."""
    return "\n\n".join(map(_wrap_one, text.strip().split("\n\n")))


def _wrap_one(paragraph: str) -> str:
    if paragraph.startswith(("|", "`" * 3, "#", "!", " ")):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
