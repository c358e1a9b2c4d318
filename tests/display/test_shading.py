"""Shaded texts: what the markup says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.display.heatmap import BLUE, ORANGE
from spacy_rnn.display.shading import STRONGEST, render_shading

from ..helpers.markup import ANY_TEXT
from ..helpers.shadings import elements


def colors(markup, kind="token"):
    """Color and opacity of each mark."""
    styles = [element.get("style") for element in elements(markup, kind)]
    found = [style.split("background: ")[1].split(";")[0] for style in styles]
    return [(color[:7], int(color[7:], 16) / 255) for color in found]


def test_tokens_and_shades():
    markup = render_shading(
        ["Not", "bad"], np.array([-4.0, 2.0], dtype=np.float32), title="odds: 1.5"
    )
    tokens = elements(markup, "token")
    assert [token.text for token in tokens] == ["Not", "bad"]
    assert [token.get("title") for token in tokens] == ["-4.000", "+2.000"]
    (orange, strong), (blue, weak) = colors(markup)
    assert (orange, blue) == (ORANGE, BLUE)
    assert strong == pytest.approx(STRONGEST, abs=0.01)
    assert weak == pytest.approx(STRONGEST / 2, abs=0.01)
    assert elements(markup, "title")[0].text == "odds: 1.5"
    legend = "".join(elements(markup, "legend")[0].itertext())
    assert "blue raises it" in legend and "orange lowers it" in legend and "4.000" in legend
    assert [color for color, _ in colors(markup, "key")] == [BLUE, ORANGE]


@pytest.mark.parametrize("scores", [[], [0.0, 0.0]])
def test_where_nothing_counts_nothing_is_shaded(scores):
    markup = render_shading(["a"] * len(scores), np.array(scores), title="t")
    assert [opacity for _, opacity in colors(markup)] == scores


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(0, 4), title=ANY_TEXT)
def test_any_text(data, n, title):
    """All of it is there, as XML, which is read by any page."""
    tokens = data.draw(st.lists(ANY_TEXT, min_size=n, max_size=n))
    scores = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n))
    markup = render_shading(tokens, np.array(scores), title=title)
    assert len(elements(markup, "token")) == n
    assert all(0 <= opacity <= STRONGEST + 0.01 for _, opacity in colors(markup))


def test_markup_is_escaped():
    markup = render_shading(["<b>&", '"\n'], np.ones(2), title="<i>")
    assert [token.text for token in elements(markup, "token")] == ["<b>&", r'"\n']
    assert elements(markup, "title")[0].text == "<i>"


@pytest.mark.parametrize("scores", [np.ones(2), np.ones((1, 1)), np.array([np.nan])])
def test_scores_that_are_none(scores):
    with pytest.raises(ValueError, match="1 tokens needs a finite score"):
        render_shading(["a"], scores, title="t")
