"""A figure has one home; where another page repeats it, it is the same."""

from __future__ import annotations

import re

from tests.docs.pages import table, text


def _dollars(action: str) -> str:
    section = text("docs/performance.md").partition("## Cost of an action")[2]
    row = rf"^\| {action} \|.*\| ([0-9.]+) \| [0-9.]+ \|$"  # the last column is the logs'
    (dollars,) = re.findall(row, section.partition("## ")[0], re.MULTILINE)
    return f"${dollars}"


def test_the_readme_has_the_price_of_the_last_run() -> None:
    (price,) = (row[1] for row in table("README.md", "") if row[0].startswith("a million messages"))
    assert re.findall(r"\$[0-9.]*[0-9]", price) == [_dollars("send"), _dollars("plain baseline")]


def test_the_readme_has_the_price_of_an_idle_stack() -> None:
    costs = {row[0]: row[1] for row in table("docs/deploying.md", "what | a month")}
    (alarms,) = (cost for what, cost in costs.items() if re.fullmatch(r"[\w-]+ alarms, .*", what))
    secret = costs["one secret"]
    total = float(alarms.removeprefix("$")) + float(secret.removeprefix("$"))
    (price,) = (row[1] for row in table("README.md", "") if row[0] == "an idle stack")
    assert f"${total:.2f} a month" in price
