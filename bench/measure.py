"""What every row is made of: interleaved runs, medians, limits, Markdown tables."""

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
class Limit:
    """A figure and the most that it may be. `note` says what it depends on, or what is in its way."""

    figure: str
    measured: float
    at_most: float
    note: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.at_most


@dataclass(frozen=True, slots=True)
class Section:
    """One row of the bench, as the report shows it. `plots` are drawn by file name."""

    title: str
    text: str
    limits: Sequence[Limit] = ()
    plots: Mapping[str, Draw] = field(default_factory=dict)


def interleave(sides: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Runs each side once a round, so that whatever else the machine does affects all of them alike."""
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


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, has_notes: bool = False) -> str:
    """A Markdown table: the first column is text, as are notes in the last one; the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    if has_notes:
        rule[-1] = "---"
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [header, rule, *rows])


def wrap(text: str) -> str:
    """Wraps paragraphs, whose figures vary in length; tables and blocks stay as they are."""
    return "\n\n".join(map(_wrap_one, text.strip().split("\n\n")))


def _wrap_one(paragraph: str) -> str:
    if paragraph.startswith(("|", "`" * 3, "#", "!", " ")):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
