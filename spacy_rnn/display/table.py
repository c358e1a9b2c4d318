"""A matrix as characters, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Optional

import numpy as np

from .labels import printable, short, width


def table(
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: Optional[str] = None,
    line: int = 80,
) -> str:
    """Values in percent, a dot for less than a half.

    matrix, rows, columns, title: see `spacy_rnn.display.heatmap.heatmap`.
    line: columns of the terminal. A wider table is continued below.
    """
    values = [[f"{100 * value:.0f}" for value in row] for row in np.asarray(matrix)]
    values = [["·" if value in ("0", "-0") else value for value in row] for row in values]
    left = _aligned(["", *map(short, rows)], right=False)
    others = [
        _aligned([short(label), *(row[j] for row in values)]) for j, label in enumerate(columns)
    ]
    blocks = [
        "\n".join(map("  ".join, zip(left, *part, strict=True)))
        for part in _parts(others, line - width(left[0]))
    ]
    return "\n\n".join(blocks if title is None else [printable(title), *blocks])


def _aligned(cells: Sequence[str], right: bool = True) -> list[str]:
    """The cells of a column, of one width. (`format` would count characters, some of which are
    wide.)"""
    widest = max(width(cell) for cell in cells)
    spaces = [" " * (widest - width(cell)) for cell in cells]
    pairs = zip(spaces, cells, strict=True) if right else zip(cells, spaces, strict=True)
    return ["".join(pair) for pair in pairs]


def _parts(columns: Sequence[Sequence[str]], line: int) -> Iterator[list[Sequence[str]]]:
    """The columns that fit beside each other, at least one."""
    part: list[Sequence[str]] = []
    free = line
    for column in columns:
        needed = 2 + width(column[0])
        if part and needed > free:
            yield part
            part, free = [], line
        part.append(column)
        free -= needed
    yield part
