"""Heat maps as SVG, as PNG and as tables."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from spacy_rnn.display.heatmap import LARGEST, HeatMap, render_heatmap, save_png
from spacy_rnn.display.strings import JOINERS, LONGEST, display_width
from spacy_rnn.display.style import DARK, LIGHT
from spacy_rnn.display.table import render_table

from ..helpers.markup import ANY_TEXT, boxes, elements, texts

MATRIX = np.array([[0.25, 0.75, 0.0], [-1.0, 0.5, -0.5]], dtype=np.float32)
ROWS = ["▁Les", "chats"]
COLUMNS = ["The", "cats", "."]
RENDERERS = [render_heatmap, render_table]


def heatmap_of(matrix=MATRIX, rows=ROWS, columns=COLUMNS, title="The cats."):
    return HeatMap(matrix, rows, columns, title, "piece", "token", "attention")


def test_cells_and_labels():
    svg = render_heatmap(heatmap_of())
    assert texts(svg, "row") == ROWS
    assert texts(svg, "column") == COLUMNS
    assert texts(svg, "title") == ["The cats."]
    cells = elements(svg, "cell")
    assert [float(cell.get("fill-opacity")) for cell in cells] == np.abs(MATRIX).ravel().tolist()
    colors = [LIGHT.negative if value < 0 else LIGHT.positive for value in MATRIX.ravel()]
    assert [cell.get("fill") for cell in cells] == colors
    assert texts(svg, "cell")[1] == "▁Les, cats: 0.750"
    assert texts(svg, "cell")[3] == "chats, The: -1.000"
    # The cells are in the order of the matrix: to the right, and down.
    places = [(float(cell.get("y")), float(cell.get("x"))) for cell in cells]
    assert places == sorted(places) and len(set(places)) == 6
    assert len({y for y, _ in places}) == 2


def test_axes_and_colors_are_named():
    svg = render_heatmap(heatmap_of())
    assert texts(svg, "row-name") == ["piece"] and texts(svg, "column-name") == ["token"]
    assert texts(svg, "limit") == ["-1", "1"] and texts(svg, "value-name") == ["attention"]
    keys = [(key.get("fill"), float(key.get("fill-opacity"))) for key in elements(svg, "key")]
    assert keys == [
        (LIGHT.negative, 1.0),
        (LIGHT.negative, 0.5),
        (LIGHT.positive, 0.0),
        (LIGHT.positive, 0.5),
        (LIGHT.positive, 1.0),
    ]
    positive = render_heatmap(heatmap_of(np.abs(MATRIX)))
    assert texts(positive, "limit") == ["0", "1"]
    assert {key.get("fill") for key in elements(positive, "key")} == {LIGHT.positive}


def test_a_dark_page_has_other_colors():
    (sheet,) = ElementTree.fromstring(render_heatmap(heatmap_of())).iter(
        "{http://www.w3.org/2000/svg}style"
    )
    dark = sheet.text.split("@media (prefers-color-scheme: dark)")[1]
    assert all(color in dark for color in DARK)
    assert f'[fill="{LIGHT.positive}"] {{ fill: {DARK.positive} }}' in dark
    assert f'[fill="{LIGHT.negative}"] {{ fill: {DARK.negative} }}' in dark


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_colors_contrast_with_the_page(scheme):
    assert contrast(scheme.text, scheme.page) > 7
    assert contrast(scheme.positive, scheme.page) > 4.5
    assert contrast(scheme.negative, scheme.page) > 4.5


def contrast(one, other):
    """The contrast ratio of two colors, by WCAG 2."""

    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


LONG = "A long sentence of the source, which takes more than a line → and its translation."


@pytest.mark.parametrize("columns", [COLUMNS, ["▁", "a", "日"], ["W" * 40, "iii", "日本語" * 9]])
@pytest.mark.parametrize("title", ["", "The cats.", LONG, "日" * 100])
def test_no_text_overlaps_another_or_leaves_the_picture(title, columns):
    svg = render_heatmap(heatmap_of(columns=columns, title=title))
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    found = boxes(svg)
    for x, y, right, bottom in found:
        assert 0 <= x <= right <= width and 0 <= y <= bottom <= height
    for i, one in enumerate(found):
        for other in found[:i]:
            apart = (one[0] >= other[2] or other[0] >= one[2]) or (
                one[1] >= other[3] or other[1] >= one[3]
            )
            assert apart, (one, other)


def test_a_long_title_has_several_lines():
    lines = texts(render_heatmap(heatmap_of(title=LONG)), "title")
    assert len(lines) == 2 and " ".join(lines) == LONG


def test_short_labels_are_not_rotated():
    svg = render_heatmap(heatmap_of(columns=["▁", "a", "b"]))
    assert texts(svg, "column") == ["▁", "a", "b"]
    assert all("rotate(0)" in label.get("transform") for label in elements(svg, "column"))


def test_a_space_in_a_rotated_label_does_not_look_like_a_slash():
    svg = render_heatmap(heatmap_of(columns=["▁The", "▁ca", "ts"]))
    assert texts(svg, "column") == ["␣The", "␣ca", "ts"]
    assert texts(svg, "row") == ROWS
    assert all("rotate(-45)" in label.get("transform") for label in elements(svg, "column"))


def test_labels_are_escaped():
    odd = ["<b>&amp;", '"', "a\nb", "\x1b[0m", "\x00", "\ud800", "\u202e", "\ufffe", "\xa0"]
    seen = ["<b>&amp;", '"', r"a\nb", r"\x1b[0m", r"\x00", r"\ud800", r"\u202e", r"\ufffe", r"\xa0"]
    svg = render_heatmap(heatmap_of(np.zeros((1, len(odd))), ["<"], odd, title="a & b"))
    assert texts(svg, "column") == seen
    assert texts(svg, "title") == ["a & b"]
    assert texts(svg, "cell")[0] == "<, <b>&amp;: 0.000"


@pytest.mark.parametrize(
    "label", ["שלום!", "می\u200cخواهم", "日本語", "👩\u200d👧", "e\u0301", "▁"]
)
def test_labels_of_all_scripts_are_kept(label):
    svg = render_heatmap(heatmap_of(np.ones((1, 1)), [label], [label]))
    assert texts(svg, "row") == texts(svg, "column") == [label]
    root = ElementTree.fromstring(svg)
    # Otherwise, "end" would be on the right in a page that is written from right to left.
    assert "direction: ltr" in root.get("style")
    assert all("plaintext" in label.get("style") for label in elements(svg, "row"))


def test_long_labels_are_truncated():
    (label,) = texts(render_heatmap(heatmap_of(np.ones((1, 1)), ["a" * 500], [""])), "row")
    assert label == "a" * (LONGEST - 1) + "…"


@settings(max_examples=60)
@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4), ANY_TEXT)
def test_any_labels(rows, columns, title):
    matrix = np.linspace(-1, 1, len(rows) * len(columns)).reshape(len(rows), len(columns))
    heatmap = heatmap_of(matrix, rows, columns, title)
    svg = render_heatmap(heatmap)
    root = ElementTree.fromstring(svg.encode("utf8"))
    assert len(texts(svg, "row")) == len(rows) and len(texts(svg, "column")) == len(columns)
    for cell in elements(svg, "cell"):
        right, bottom = (
            float(cell.get(place)) + float(cell.get(size))
            for place, size in (("x", "width"), ("y", "height"))
        )
        assert right <= float(root.get("width")) and bottom <= float(root.get("height"))
    lines = render_table(heatmap).split("\n")
    assert all(c.isprintable() or c in JOINERS for line in lines for c in line)


@pytest.mark.parametrize("draw", RENDERERS)
def test_rounding_errors_are_accepted(draw):
    draw(heatmap_of(np.array([[1 + 1e-6, -1 - 1e-6]]), ["a"], ["b", "c"]))


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
def test_invalid_heat_maps(matrix, rows, columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        render_heatmap(heatmap_of(matrix, rows, columns))
    with pytest.raises(ValueError, match=message):
        save_png(tmp_path / "map.png", heatmap_of(matrix, rows, columns))


def test_the_largest_heat_map():
    labels = [str(i) for i in range(LARGEST)]
    svg = render_heatmap(heatmap_of(np.eye(LARGEST), labels, labels))
    assert len(elements(svg, "cell")) == LARGEST**2


# PNG


def test_png(tmp_path):
    path = tmp_path / "map.png"
    save_png(path, heatmap_of(rows=["$x$", "$\\a"], title="$\\b$"))
    pixels = imread(path)
    assert pixels.ndim == 3 and min(pixels.shape[:2]) > 100
    # The colors of 0, of -1, and of 0.5, half way from white to blue.
    wanted = [LIGHT.negative, LIGHT.page, LIGHT.positive]
    orange, white, blue = (
        np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]) for color in wanted
    )
    for color in (white, orange, (white + blue) / 2):
        assert (np.abs(pixels[..., :3] - color).max(axis=2) < 0.01).mean() > 0.012


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
def test_png_of_an_empty_matrix(shape, tmp_path):
    rows, columns = (["a"] * n for n in shape)
    save_png(tmp_path / "map.png", heatmap_of(np.zeros(shape), rows, columns))
    assert imread(tmp_path / "map.png").size


def test_png_without_matplotlib(tmp_path, hide):
    hide("matplotlib")
    with pytest.raises(ImportError, match=r"Drawing a PNG needs .*spacy-rnn\[plot\]"):
        save_png(tmp_path / "map.png", heatmap_of())


# Tables


CAPTION = "attention in percent; rows: piece, columns: token"


def table_of(*arguments, **options):
    """The lines below the title."""
    title, _, table = render_table(heatmap_of(*arguments), **options).partition("\n\n")
    assert title == f"The cats.\n{CAPTION}"
    return table


def test_table():
    assert table_of() == "        The  cats    .\n▁Les     25    75    ·\nchats  -100    50  -50"


def test_table_of_small_values():
    found = table_of(np.array([[0.004, -0.004, 0.006]]), ["a"], ["b", "c", "d"])
    assert found == "   b  c  d\na  ·  ·  1"


def test_wide_characters_are_aligned():
    lines = table_of(MATRIX, ["日本", "a\u0301"], ["ト", "日本語", "."]).split("\n")
    assert {display_width(line) for line in lines} == {4 + 2 + 4 + 2 + 6 + 2 + 3}


def test_a_wide_table_is_continued():
    columns = ["one", "two", "three", "four", "a very long word"]
    found = table_of(np.full((1, 5), 0.5), ["row"], columns, line=18)
    assert found == (
        "     one  two\nrow   50   50\n\n"
        "     three  four\nrow     50    50\n\n"
        "     a very long word\nrow                50"
    )
