"""Heat maps: what the SVG says, the PNG, and tables of the same."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from spacy_rnn.display.heatmap import BLUE, LARGEST, ORANGE, render_heatmap, save_png
from spacy_rnn.display.strings import JOINERS, LONGEST, display_width
from spacy_rnn.display.table import render_table

from ..helpers.markup import ANY_TEXT, elements, texts

MATRIX = np.array([[0.25, 0.75, 0.0], [-1.0, 0.5, -0.5]], dtype=np.float32)
ROWS = ["▁Les", "chats"]
COLUMNS = ["The", "cats", "."]
RENDERERS = [render_heatmap, render_table]


def test_cells_and_labels():
    svg = render_heatmap(MATRIX, ROWS, COLUMNS, title="The cats.")
    assert texts(svg, "row") == ROWS
    assert texts(svg, "column") == COLUMNS
    assert texts(svg, "title") == ["The cats."]
    cells = elements(svg, "cell")
    assert [float(cell.get("fill-opacity")) for cell in cells] == np.abs(MATRIX).ravel().tolist()
    colors = [ORANGE if value < 0 else BLUE for value in MATRIX.ravel()]
    assert [cell.get("fill") for cell in cells] == colors
    assert texts(svg, "cell")[1] == "▁Les, cats: 0.750"
    assert texts(svg, "cell")[3] == "chats, The: -1.000"
    # In the order of the matrix: to the right, and down.
    places = [(float(cell.get("y")), float(cell.get("x"))) for cell in cells]
    assert places == sorted(places) and len(set(places)) == 6
    assert len({y for y, _ in places}) == 2


def test_without_a_title():
    assert texts(render_heatmap(MATRIX, ROWS, COLUMNS), "title") == []


def test_labels_are_escaped():
    odd = ["<b>&amp;", '"', "a\nb", "\x1b[0m", "\x00", "\ud800", "\u202e", "\ufffe", "\xa0"]
    seen = ["<b>&amp;", '"', r"a\nb", r"\x1b[0m", r"\x00", r"\ud800", r"\u202e", r"\ufffe", r"\xa0"]
    svg = render_heatmap(np.zeros((1, len(odd))), ["<"], odd, title="a & b")
    assert texts(svg, "column") == seen
    assert texts(svg, "title") == ["a & b"]
    assert texts(svg, "cell")[0] == "<, <b>&amp;: 0.000"


@pytest.mark.parametrize(
    "label", ["שלום!", "می\u200cخواهم", "日本語", "👩\u200d👧", "e\u0301", "▁"]
)
def test_labels_of_all_scripts_stay(label):
    svg = render_heatmap(np.ones((1, 1)), [label], [label])
    assert texts(svg, "row") == texts(svg, "column") == [label]
    root = ElementTree.fromstring(svg)
    # Else "end" would be on the right in a page that is written from right to left.
    assert "direction: ltr" in root.get("style")
    assert all("plaintext" in label.get("style") for label in elements(svg, "row"))


def test_long_labels_are_cut():
    (label,) = texts(render_heatmap(np.ones((1, 1)), ["a" * 500], [""]), "row")
    assert label == "a" * (LONGEST - 1) + "…"


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4), st.none() | ANY_TEXT)
def test_any_labels(rows, columns, title):
    matrix = np.linspace(-1, 1, len(rows) * len(columns)).reshape(len(rows), len(columns))
    svg = render_heatmap(matrix, rows, columns, title=title)
    root = ElementTree.fromstring(svg.encode("utf8"))
    assert len(texts(svg, "row")) == len(rows) and len(texts(svg, "column")) == len(columns)
    for cell in elements(svg, "cell"):
        right, bottom = (
            float(cell.get(place)) + float(cell.get(size))
            for place, size in (("x", "width"), ("y", "height"))
        )
        assert right <= float(root.get("width")) and bottom <= float(root.get("height"))
    lines = render_table(matrix, rows, columns, title=title).split("\n")
    assert all(c.isprintable() or c in JOINERS for line in lines for c in line)


@pytest.mark.parametrize("draw", RENDERERS)
def test_rounding_is_no_error(draw):
    draw(np.array([[1 + 1e-6, -1 - 1e-6]]), ["a"], ["b", "c"])


@pytest.mark.parametrize(
    "matrix, rows, columns, message",
    [
        (
            MATRIX,
            ROWS,
            COLUMNS[:2],
            r"shape \(2, 3\).*label.*2 labels of rows and 2 labels of columns",
        ),
        (MATRIX, COLUMNS, ROWS, r"shape \(2, 3\).*label.*3 labels of rows and 2 labels of columns"),
        (MATRIX[0], ROWS[:1], COLUMNS, r"shape \(3,\).*label"),
        (np.zeros((1, LARGEST + 1)), ["a"], ["b"] * (LARGEST + 1), r"too large.*Show a part"),
        (2 * MATRIX, ROWS, COLUMNS, r"from -2.0 to 1.5.*Scale"),
        (MATRIX * np.nan, ROWS, COLUMNS, r"nan.*Scale"),
    ],
)
def test_what_cannot_be_shown(matrix, rows, columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        render_heatmap(matrix, rows, columns)
    with pytest.raises(ValueError, match=message):
        save_png(tmp_path / "map.png", matrix, rows, columns)


def test_the_largest():
    labels = [str(i) for i in range(LARGEST)]
    svg = render_heatmap(np.eye(LARGEST), labels, labels)
    assert len(elements(svg, "cell")) == LARGEST**2


# PNG


def test_png(tmp_path):
    path = tmp_path / "map.png"
    save_png(path, MATRIX, ["$x$", "$\\a"], COLUMNS, title="$\\b$")
    pixels = imread(path)
    assert pixels.ndim == 3 and min(pixels.shape[:2]) > 100
    # The colors of 0, of -1, and of 0.5, half way from white to blue.
    wanted = [ORANGE, "#ffffff", BLUE]
    orange, white, blue = (
        np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]) for color in wanted
    )
    for color in (white, orange, (white + blue) / 2):
        assert (np.abs(pixels[..., :3] - color).max(axis=2) < 0.01).mean() > 0.03


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
def test_png_of_nothing(shape, tmp_path):
    rows, columns = (["a"] * n for n in shape)
    save_png(tmp_path / "map.png", np.zeros(shape), rows, columns)
    assert imread(tmp_path / "map.png").size


def test_png_without_matplotlib(tmp_path, hide):
    hide("matplotlib")
    with pytest.raises(ImportError, match=r"Drawing a PNG needs .*spacy-rnn\[plot\]"):
        save_png(tmp_path / "map.png", MATRIX, ROWS, COLUMNS)


# Tables


def test_table():
    assert render_table(MATRIX, ROWS, COLUMNS, title="The cats.") == (
        "The cats.\n\n        The  cats    .\n▁Les     25    75    ·\nchats  -100    50  -50"
    )


def test_table_of_small_values():
    assert render_table(np.array([[0.004, -0.004, 0.006]]), ["a"], ["b", "c", "d"]) == (
        "   b  c  d\na  ·  ·  1"
    )


def test_wide_characters_stand_in_columns():
    lines = render_table(MATRIX, ["日本", "a\u0301"], ["ト", "日本語", "."]).split("\n")
    assert {display_width(line) for line in lines} == {4 + 2 + 4 + 2 + 6 + 2 + 3}


def test_a_wide_table_is_continued():
    columns = ["one", "two", "three", "four", "a very long word"]
    found = render_table(np.full((1, 5), 0.5), ["row"], columns, line=18)
    assert found == (
        "     one  two\nrow   50   50\n\n"
        "     three  four\nrow     50    50\n\n"
        "     a very long word\nrow                50"
    )
