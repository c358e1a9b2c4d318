"""Heat maps: a shaded cell for each value of a matrix, with labels of rows and columns.

Values lie in [-1, 1]. Positive values are blue and negative values orange, which people with any
color vision can distinguish; 0 is white.
"""

import os
from collections.abc import Sequence
from html import escape
from typing import Optional, Union

import numpy as np

from ..optional import optional_import
from .strings import display_width, printable, shorten

LARGEST = 200  # rows or columns
BLUE, ORANGE = "#08519c", "#a63603"
CELL, FONT, GAP = 28, 14, 8  # of an SVG, pixels
INCH = 0.35  # of a PNG, a cell

# The direction and the colors are set so that it looks the same in any page. The direction of a
# label is that of its text.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" class="heatmap" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}" font-size="{font}" style="max-width: none; \
color: #000000; background: #ffffff; font-family: Arial, sans-serif; direction: ltr">
{content}
</svg>"""
TEXT = """\
<text class="heatmap-{kind}" fill="currentColor" text-anchor="{anchor}" \
transform="translate({x:.1f},{y:.1f}) rotate({angle})" style="unicode-bidi: plaintext">\
{text}</text>"""
RECT = """\
<rect class="heatmap-cell" x="{x:.1f}" y="{y:.1f}" width="{cell}" height="{cell}" fill="{fill}" \
fill-opacity="{opacity:.3f}" stroke="#dddddd"><title>{text}</title></rect>"""


def render_heatmap(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, title: Optional[str] = None
) -> str:
    """Render a heat map as SVG, with the values as tooltips.

    matrix (ndarray): The values (R, C), in [-1, 1].
    rows (Sequence[str]), columns (Sequence[str]): The R and C labels. Characters that cannot be
        printed are escaped, and long labels are cut.
    title (Optional[str]): The title above the heat map.
    RETURNS (str): The SVG markup.
    RAISES (ValueError): If the number of labels does not match, the matrix is too large, or values
        are out of range.
    """
    matrix = _checked(matrix, rows, columns)
    rows, columns = [shorten(row) for row in rows], [shorten(column) for column in columns]
    # Labels of columns rise to the right.
    slant = max((_length(column) for column in columns), default=0) * 0.71 + FONT
    left = max((_length(row) for row in rows), default=0) + 2 * GAP
    top = slant + GAP
    parts = []
    right = left + CELL * len(columns) + slant
    if title is not None:
        title = printable(title)
        parts.append(_text("title", title, GAP, FONT + GAP))
        top += FONT + 2 * GAP
        right = max(right, _length(title) + 2 * GAP)
    for j, column in enumerate(columns):
        parts.append(_text("column", column, left + (j + 0.6) * CELL, top - GAP, angle=-45))
    for i, row in enumerate(rows):
        y = top + i * CELL
        middle = y + (CELL + 0.7 * FONT) / 2
        parts.append(_text("row", row, left - GAP, middle, anchor="end"))
        for j, column in enumerate(columns):
            value = float(matrix[i, j])
            parts.append(
                RECT.format(
                    x=left + j * CELL,
                    y=y,
                    cell=CELL,
                    fill=ORANGE if value < 0 else BLUE,
                    opacity=abs(value),
                    text=escape(f"{row}, {column}: {value:.3f}"),
                )
            )
    bottom = top + CELL * len(rows) + GAP
    return SVG.format(width=right, height=bottom, font=FONT, content="\n".join(parts))


def save_png(
    path: Union[str, os.PathLike],
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: Optional[str] = None,
) -> None:
    """Write a heat map as PNG by matplotlib. Its fonts (`font.family`) may lack letters that a
    browser finds for the SVG.

    path (Union[str, PathLike]): The file to write.
    matrix, rows, columns, title: see `render_heatmap`.
    RAISES (ImportError): If matplotlib is not installed.
    """
    with optional_import("matplotlib", "Drawing a PNG", ", or write SVG or HTML"):
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.figure import Figure
    matrix = _checked(matrix, rows, columns)
    # Without pyplot, which keeps figures and may need a screen.
    figure = Figure(figsize=tuple(INCH * max(n, 1) for n in matrix.shape[::-1]))
    axes = figure.add_axes((0, 0, 1, 1))
    colors = LinearSegmentedColormap.from_list("heatmap", [ORANGE, "white", BLUE])
    axes.pcolormesh(matrix, cmap=colors, vmin=-1, vmax=1, edgecolors="#dddddd", linewidth=0.5)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    # Labels with dollar signs are not formulas.
    axes.set_xticks(
        np.arange(len(columns)) + 0.5,
        [shorten(column) for column in columns],
        rotation=45,
        ha="left",
        rotation_mode="anchor",
        parse_math=False,
    )
    axes.set_yticks(np.arange(len(rows)) + 0.5, [shorten(row) for row in rows], parse_math=False)
    if title is not None:
        axes.set_title(printable(title), loc="left", parse_math=False)
    figure.savefig(path, format="png", dpi=150, bbox_inches="tight")


def _checked(matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    matrix = np.asarray(matrix, dtype=float)
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


def _text(kind: str, text: str, x: float, y: float, anchor: str = "start", angle: float = 0) -> str:
    return TEXT.format(kind=kind, text=escape(text), x=x, y=y, anchor=anchor, angle=angle)


def _length(text: str) -> float:
    """An upper bound of the length of a text in pixels, as fonts differ."""
    return 0.7 * FONT * display_width(text)
