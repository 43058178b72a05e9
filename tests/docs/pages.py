"""The project's pages of Markdown, as tests read them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local.emulator import PROJECT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code, with the language that is written behind the fence."""

    page: str
    language: str
    text: str


@cache
def files() -> frozenset[str]:
    """Everything in the project, as paths below it; what is ignored is not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()
    return frozenset(path for path in found if (PROJECT / path).exists())


@cache
def folders() -> frozenset[str]:
    return frozenset(str(parent) for path in files() for parent in Path(path).parents)


def pages() -> list[str]:
    return sorted(path for path in files() if path.endswith(".md"))


@cache
def text(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


@cache
def prose(page: str) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", text(page))


def blocks(page: str, language: str = "") -> list[Block]:
    """The page's blocks of code; with `language` only those."""
    found = [Block(page, name, code) for name, code in FENCE.findall(text(page))]
    return [block for block in found if not language or block.language == language]


def links(page: str) -> Iterator[str]:
    for in_brackets, in_html in LINK.findall(prose(page)):
        yield in_brackets or in_html


def code(page: str) -> list[str]:
    """What stands in backticks in the page's prose."""
    return CODE.findall(prose(page))


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors that GitHub gives to the page's headings."""
    return frozenset(map(_slug, HEADING.findall(prose(page))))


def _slug(heading: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the page's first table whose heading begins so."""
    lines = text(page).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |".replace("  ", " ")))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows
