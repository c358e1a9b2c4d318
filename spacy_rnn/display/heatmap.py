"""Heat maps: a shaded cell for each value of a matrix, with labels of rows and columns, names of
the axes, and a legend of the colors.

Values lie in [-1, 1]. 0 has the color of the page.
"""

import os
from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import Any, List, NamedTuple, Tuple, Union

import numpy as np

from ..optional import optional_import
from .strings import display_width, printable, shorten, text_width
from .style import DARK, FONT, FONT_SIZE, LIGHT, MARGIN, figure_style

LARGEST = 200  # rows or columns
CELL, GAP = 28, 8  # of an SVG, pixels
INCH = 0.35  # of a PNG, a cell
NARROW = 2  # columns of a terminal: labels that need not be rotated
SHORTEST_LINE = 60  # of a title, columns of a terminal


class HeatMap(NamedTuple):
    """A matrix to show.

    matrix (ndarray): The values (R, C), in [-1, 1].
    rows (Sequence[str]), columns (Sequence[str]): The R and C labels. Characters that cannot be
        printed are escaped, and long labels are cut.
    title (str): The title above the heat map.
    row_name (str), column_name (str): What a row and a column are.
    value_name (str): What a value is.
    """

    matrix: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]
    title: str
    row_name: str
    column_name: str
    value_name: str

    @property
    def lowest(self) -> float:
        """The lowest value of the legend: -1, or 0 if no value is negative."""
        return -1.0 if (np.asarray(self.matrix) < 0).any() else 0.0


# Colors of the light scheme are attributes, which every viewer knows; the style sheet is for
# browsers. The direction of a label is that of its text.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" class="heatmap" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}" font-size="{size}" font-family="{font}" \
color="{light.text}" style="max-width: none; direction: ltr">
<style>
@media (prefers-color-scheme: dark) {{
.heatmap {{ color: {dark.text} }}
.heatmap-page {{ fill: {dark.page} }}
.heatmap-cell, .heatmap-key {{ stroke: {dark.grid} }}
.heatmap [fill="{light.positive}"] {{ fill: {dark.positive} }}
.heatmap [fill="{light.negative}"] {{ fill: {dark.negative} }}
}}
</style>
<rect class="heatmap-page" width="100%" height="100%" fill="{light.page}"/>
{content}
</svg>"""
TEXT = """\
<text class="heatmap-{kind}" fill="currentColor" text-anchor="{anchor}" font-weight="{weight}" \
transform="translate({x:.1f},{y:.1f}) rotate({angle})" style="unicode-bidi: plaintext">\
{text}</text>"""
RECT = """\
<rect class="heatmap-{kind}" x="{x:.1f}" y="{y:.1f}" width="{size}" height="{size}" \
fill="{fill}" fill-opacity="{opacity:.3f}" stroke="{grid}"><title>{text}</title></rect>"""


def render_heatmap(heatmap: HeatMap) -> str:
    """Render a heat map as SVG, with the values as tooltips.

    heatmap (HeatMap): The heat map.
    RETURNS (str): The SVG markup.
    RAISES (ValueError): If the number of labels does not match, the matrix is too large, or values
        are out of range.
    """
    matrix = _checked(heatmap)
    rows, columns = _labels(heatmap)
    angle = _angle(columns)
    tallest = max(map(_length, columns), default=0)
    # Rotated labels of columns rise to the right.
    slant = tallest * 0.71 + FONT_SIZE if angle else FONT_SIZE
    row_names = max(map(_length, [*rows, heatmap.row_name]), default=0)
    left = MARGIN + row_names + GAP
    width = CELL * len(columns) + (slant if angle else 0)
    title = _wrapped(heatmap.title, (left + width) / _length("x"))
    line = 1.4 * FONT_SIZE
    parts = [
        _text("title", text, MARGIN, MARGIN + FONT_SIZE + i * line, weight="bold")
        for i, text in enumerate(title)
    ]
    names = MARGIN + len(title) * line + GAP + FONT_SIZE
    parts.append(_text("column-name", heatmap.column_name, left, names))
    top = names + GAP + slant + GAP
    parts.append(_text("row-name", heatmap.row_name, left - GAP, top - GAP, anchor="end"))
    for j, column in enumerate(columns):
        # The middle of a label that is not rotated is that of its cell.
        x, anchor = (0.6, "start") if angle else (0.5, "middle")
        x = left + (j + x) * CELL
        parts.append(_text("column", column, x, top - GAP, anchor=anchor, angle=angle))
    for i, row in enumerate(rows):
        y = top + i * CELL
        parts.append(_text("row", row, left - GAP, _middle(y), anchor="end"))
        for j, column in enumerate(columns):
            value = float(matrix[i, j])
            tip = f"{row}, {column}: {value:.3f}"
            parts.append(_rect("cell", left + j * CELL, y, value, tip))
    y = top + CELL * len(rows) + 2 * GAP
    x, keys = MARGIN, []
    for kind, text, value in _legend(heatmap):
        if kind == "key":
            keys.append(_rect("key", x, y, value, text))
            x += CELL
        else:
            keys.append(_text(kind, text, x + GAP, _middle(y)))
            x += GAP + _length(text) + GAP
    right = max(left + width, x, *(MARGIN + _length(text) for text in title))
    right = max(right, left + _length(heatmap.column_name))
    return SVG.format(
        width=right + MARGIN,
        height=y + CELL + MARGIN,
        size=FONT_SIZE,
        font=FONT,
        light=LIGHT,
        dark=DARK,
        content="\n".join([*parts, *keys]),
    )


def save_png(path: Union[str, os.PathLike], heatmap: HeatMap) -> None:
    """Write a heat map as PNG by matplotlib. Its fonts (`font.family`) may lack letters that a
    browser finds for the SVG.

    path (Union[str, PathLike]): The file to write.
    heatmap (HeatMap): The heat map.
    RAISES (ImportError): If matplotlib is not installed.
    RAISES (ValueError): See `render_heatmap`.
    """
    with optional_import("matplotlib", "Drawing a PNG", ", or write SVG or HTML"):
        from matplotlib import rc_context
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.figure import Figure
    matrix = _checked(heatmap)
    rows, columns = _labels(heatmap)
    angle = _angle(columns)
    height, width = (INCH * max(n, 1) for n in matrix.shape)
    slanted: Any = {"rotation": -angle, "ha": "left", "rotation_mode": "anchor"} if angle else {}
    with rc_context(figure_style()):
        # Without pyplot, which keeps figures and may need a screen.
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        colors = LinearSegmentedColormap.from_list(
            "heatmap", [LIGHT.negative, LIGHT.page, LIGHT.positive]
        )
        cells = axes.pcolormesh(
            matrix, cmap=colors, vmin=-1, vmax=1, edgecolors=LIGHT.grid, linewidth=0.5
        )
        axes.invert_yaxis()
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, **slanted)
        axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
        axes.set_xlabel(heatmap.column_name, loc="left")
        axes.set_ylabel(heatmap.row_name, loc="top")
        labels = max((display_width(row) for row in rows), default=0)
        title = "\n".join(_wrapped(heatmap.title, labels + 10 * width))
        axes.set_title(title, fontweight="bold")
        # Below the cells, as long as five of them.
        box = (0, -1.2 * INCH / height, 5 * INCH / width, 0.4 * INCH / height)
        legend = figure.add_axes(box)
        figure.colorbar(
            cells, legend, orientation="horizontal", ticks=[heatmap.lowest, 1], format="%g"
        )
        legend.set_xlim(heatmap.lowest, 1)
        legend.set_xlabel(heatmap.value_name)
        figure.savefig(path, format="png", dpi=150)


def _checked(heatmap: HeatMap) -> np.ndarray:
    matrix = np.asarray(heatmap.matrix, dtype=float)
    rows, columns = heatmap.rows, heatmap.columns
    if matrix.shape != (len(rows), len(columns)):
        raise ValueError(
            f"A matrix of shape {matrix.shape} needs a label for each row and each column, got "
            f"{len(rows)} labels of rows and {len(columns)} labels of columns."
        )
    if max(matrix.shape) > LARGEST:
        raise ValueError(
            f"A matrix of shape {matrix.shape} is too large to read. Show a part of at most "
            f"{LARGEST} rows and columns, such as a sentence."
        )
    # Sums of probabilities may exceed 1 by rounding.
    if not (np.abs(matrix) <= 1.001).all():
        raise ValueError(
            f"Values from {matrix.min()} to {matrix.max()} cannot be shown. Scale them to [-1, 1]."
        )
    return matrix.clip(-1, 1)


def _labels(heatmap: HeatMap) -> Tuple[List[str], List[str]]:
    """The labels of rows and columns as they are drawn."""
    rows, columns = [shorten(row) for row in heatmap.rows], [shorten(c) for c in heatmap.columns]
    if _angle(columns):
        # Rotated, the mark of a space in pieces would be taken for a slash.
        columns = [column.replace("▁", "␣") for column in columns]
    return rows, columns


def _angle(columns: Sequence[str]) -> int:
    """The rotation of the labels of columns, degrees."""
    return -45 if any(display_width(column) > NARROW for column in columns) else 0


def _legend(heatmap: HeatMap) -> Iterator[Tuple[str, str, float]]:
    """The kind, text and value of each part of the legend, from left to right."""
    yield "limit", f"{heatmap.lowest:g}", heatmap.lowest
    for value in np.linspace(heatmap.lowest, 1, 5).tolist():
        yield "key", f"{value:g}", value
    yield "limit", "1", 1.0
    yield "value-name", heatmap.value_name, 0.0


def _wrapped(title: str, width: float) -> List[str]:
    """The lines of a title, each at most as wide as this many letters."""
    return wrap(printable(title), max(SHORTEST_LINE, int(width))) or [""]


def _text(
    kind: str,
    text: str,
    x: float,
    y: float,
    anchor: str = "start",
    angle: float = 0,
    weight: str = "normal",
) -> str:
    return TEXT.format(
        kind=kind, text=escape(text), x=x, y=y, anchor=anchor, angle=angle, weight=weight
    )


def _rect(kind: str, x: float, y: float, value: float, tip: str) -> str:
    return RECT.format(
        kind=kind,
        x=x,
        y=y,
        size=CELL,
        fill=LIGHT.negative if value < 0 else LIGHT.positive,
        opacity=abs(value),
        grid=LIGHT.grid,
        text=escape(tip),
    )


def _middle(y: float) -> float:
    """The baseline of a text in the middle of a cell that begins at y."""
    return y + (CELL + 0.7 * FONT_SIZE) / 2


def _length(text: str) -> float:
    """An upper bound of the length of a text in pixels, as fonts differ."""
    return FONT_SIZE * text_width(text)
