"""Tables of percentages for a terminal."""

from collections.abc import Iterator, Sequence

import numpy as np

from .heatmap import HeatMap
from .strings import display_width, printable, shorten


def render_table(heatmap: HeatMap, line: int = 80) -> str:
    """Render a heat map as text: values in percent, a dot for less than half a percent.

    heatmap (HeatMap): The heat map.
    line (int): The width of the terminal. Columns that do not fit are continued below.
    RETURNS (str): The table.
    """
    values = [[f"{100 * value:.0f}" for value in row] for row in np.asarray(heatmap.matrix)]
    values = [["·" if value in ("0", "-0") else value for value in row] for row in values]
    left = _aligned(["", *map(shorten, heatmap.rows)], right=False)
    others = [
        _aligned([shorten(label), *(row[j] for row in values)])
        for j, label in enumerate(heatmap.columns)
    ]
    blocks = [
        "\n".join(map("  ".join, zip(left, *part, strict=True)))
        for part in _parts(others, line - display_width(left[0]))
    ]
    caption = (
        f"{heatmap.value_name} in percent; rows: {heatmap.row_name}, columns: {heatmap.column_name}"
    )
    return "\n\n".join([f"{printable(heatmap.title)}\n{caption}", *blocks])


def _aligned(cells: Sequence[str], right: bool = True) -> list[str]:
    """Pad the cells of a column to the same width. `format` would count characters, some of which
    are wide."""
    widest = max(display_width(cell) for cell in cells)
    spaces = [" " * (widest - display_width(cell)) for cell in cells]
    pairs = zip(spaces, cells, strict=True) if right else zip(cells, spaces, strict=True)
    return ["".join(pair) for pair in pairs]


def _parts(columns: Sequence[Sequence[str]], line: int) -> Iterator[list[Sequence[str]]]:
    """Split columns into parts that fit on a line, each of at least one column."""
    part: list[Sequence[str]] = []
    free = line
    for column in columns:
        needed = 2 + display_width(column[0])
        if part and needed > free:
            yield part
            part, free = [], line
        part.append(column)
        free -= needed
    yield part
