"""The report's plots, as SVG. matplotlib draws them: it is what the field uses, and what keeps being maintained.

It is imported when something is drawn: the tests use the rows, and need not install it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 7.2, 3.2  # inches


@contextmanager
def _axes(path: Path, title: str) -> Iterator[Any]:
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = "parley"  # the same ids for the same figures, so that a new run changes what changed
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    yield axes
    figure.savefig(path, format="svg", metadata={"Date": None})


def bars(path: Path, *, title: str, values: Mapping[str, float], ours: Collection[str]) -> None:
    """One horizontal bar a value, in order from the top. What is not ours is grey."""
    with _axes(path, title) as axes:
        colours = ["#3367b1" if name in ours else "#9aa3ad" for name in values]
        drawn = axes.barh(list(values), list(values.values()), color=colours)
        axes.bar_label(drawn, fmt="%.4g", padding=3)
        axes.invert_yaxis()


def stacked(path: Path, *, title: str, parts: Mapping[str, Sequence[float]], names: Sequence[str]) -> None:
    """One horizontal bar a name, made of its parts."""
    with _axes(path, title) as axes:
        left = [0.0] * len(names)
        for part, values in parts.items():
            drawn = axes.barh(names, values, left=left, label=part)
            left = [start + value for start, value in zip(left, values, strict=True)]
        axes.bar_label(drawn, labels=[f"${total:.2f}" for total in left], padding=3)
        axes.xaxis.set_major_formatter("${x:g}")
        axes.invert_yaxis()
        _legend(axes)


def lines(
    path: Path, *, title: str, x: str, y: str, series: Mapping[str, Mapping[int, float]], log_y: bool = False
) -> None:
    """One line a series, over a logarithmic x."""
    with _axes(path, title) as axes:
        for name, points in series.items():
            axes.plot(list(points), list(points.values()), marker="o", label=name)
        ticks = sorted({point for points in series.values() for point in points})
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        _legend(axes)


def _legend(axes: Any) -> None:
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
