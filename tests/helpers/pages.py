"""The pages of the documentation, taken apart: blocks of code, tables, headings and links.

The blocks of one page run in order, in one folder with stand-ins for the files that the page
mentions, and the Python blocks share their variables, as in a notebook.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from thinc.api import Config

from .paths import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
#: other pages that links lead to
OTHER_PAGES = [
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "corpora")),
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG")),
]


def title(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """Code between two fences. line: the number of its first line; heading: the one above it."""

    page: Path
    line: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{title(self.page)}:{self.line}"


@dataclass(frozen=True)
class Table:
    """A table: its columns, and its rows as dicts."""

    page: Path
    line: int
    heading: str
    columns: Tuple[str, ...]
    rows: Tuple[Dict[str, str], ...]

    def __str__(self) -> str:
        return f"{title(self.page)}:{self.line}"


@dataclass(frozen=True)
class Parts:
    blocks: List[Block]
    tables: List[Table]
    headings: List[str]
    links: List[Tuple[int, str]]


@cache
def parts(page: Path) -> Parts:
    """The blocks, tables, headings and links of a page."""
    found = Parts([], [], [], [])
    lines = iter(enumerate(page.read_text(encoding="utf8").splitlines(), start=1))
    for number, line in lines:
        heading = found.headings[-1] if found.headings else ""
        fence = re.fullmatch(r"\s*```(\S*)", line)
        if fence:
            text = "".join(f"{code}\n" for code in _until(lines, "```"))
            found.blocks.append(Block(page, number + 1, heading, fence[1], text))
        elif re.match(r"#+ ", line):
            found.headings.append(line.lstrip("#").strip())
        elif line.startswith("|"):
            rows = [line, *_until(lines, "|", ends=False)]
            columns = cells(rows[0])
            values = (dict(zip(columns, cells(row), strict=True)) for row in rows[2:])
            found.tables.append(Table(page, number, heading, columns, tuple(values)))
            found.links.extend((number, link) for row in rows for link in _links(row))
        found.links.extend((number, link) for link in _links(line) if not line.startswith("|"))
    return found


def _until(lines: Iterator[Tuple[int, str]], start: str, ends: bool = True) -> Iterator[str]:
    """The lines before the first one that starts like this, or does not if `ends` is false."""
    for _, line in lines:
        if line.strip().startswith(start) == ends:
            return
        yield line


def cells(row: str) -> Tuple[str, ...]:
    """The cells of a row of a table."""
    return tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1])


def _links(line: str) -> List[str]:
    """The targets of the links in a line."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line))


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def outputs(page: Path) -> Dict[Block, str]:
    """The Python blocks of a page whose output is shown in a text block right below."""
    found, pairs = {}, zip(parts(page).blocks, parts(page).blocks[1:], strict=False)
    for code, shown in pairs:
        between = shown.line - code.line - code.text.count("\n")
        if (code.language, shown.language, between) == ("python", "text", 3):
            found[code] = shown.text
    return found


def blocks(*languages: str) -> List[Block]:
    """All blocks in these languages."""
    return [block for page in PAGES for block in parts(page).blocks if block.language in languages]


def parse(text: str) -> Config:
    """Parse a part of a config, in which the sections around others may be left out."""
    chunks = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    sections = re.findall(r"^\[(.+)\]$", text, re.MULTILINE)
    around = {section[:i] for section in sections for i, c in enumerate(section) if c == "."}
    chunks += [f"[{section}]\n" for section in around - set(sections)]
    chunks.sort(key=lambda chunk: chunk.partition("]")[0].count("."))
    return Config().from_str("".join(chunks), interpolate=False)
