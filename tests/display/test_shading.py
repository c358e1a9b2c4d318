"""The markup of shaded texts."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.display.shading import STRONGEST, render_shading
from spacy_rnn.display.style import DARK, LIGHT

from ..helpers.markup import ANY_TEXT
from ..helpers.shadings import elements


def colors(markup, kind="token"):
    """The effect and the opacity of each mark."""
    found = elements(markup, kind)
    effects = [element.get("class").split("shading-")[-1] for element in found]
    return [
        (effect, float(element.get("style").removeprefix("--strength: ")))
        for effect, element in zip(effects, found, strict=True)
    ]


def render(tokens, scores, title="t"):
    return render_shading(tokens, scores, title=title, score_name="log-odds")


def test_tokens_and_shades():
    markup = render(["Not", "bad"], np.array([-4.0, 2.0], dtype=np.float32), title="odds: 1.5")
    tokens = elements(markup, "token")
    assert [token.text for token in tokens] == ["Not", "bad"]
    assert [token.get("title") for token in tokens] == ["-4.000", "+2.000"]
    (lower, strong), (raised, weak) = colors(markup)
    assert (lower, raised) == ("lowers", "raises")
    assert strong == pytest.approx(STRONGEST, abs=0.01)
    assert weak == pytest.approx(STRONGEST / 2, abs=0.01)
    assert elements(markup, "title")[0].text == "odds: 1.5"
    legend = "".join(elements(markup, "legend")[0].itertext())
    assert legend == "blue raises the log-odds, orange lowers it; the strongest color by 4.000."
    assert colors(markup, "key") == [("raises", STRONGEST), ("lowers", STRONGEST)]


def test_colors_are_those_of_heat_maps_on_light_and_dark_pages():
    (sheet,) = ElementTree.fromstring(render([], np.zeros(0))).iter("style")
    light, dark = sheet.text.split("@media (prefers-color-scheme: dark)")
    for css, scheme in ((light, LIGHT), (dark, DARK)):
        assert f"color: {scheme.text}; background: {scheme.page}" in css
        for effect, color in (("raises", scheme.positive), ("lowers", scheme.negative)):
            numbers = " ".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
            assert f".shading-{effect} {{ background: rgb({numbers} / var(--strength)) }}" in css


@pytest.mark.parametrize("scores", [[], [0.0, 0.0]])
def test_zero_scores_are_not_shaded(scores):
    markup = render(["a"] * len(scores), np.array(scores), title="t")
    assert [opacity for _, opacity in colors(markup)] == scores


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(0, 4), title=ANY_TEXT)
def test_any_text(data, n, title):
    """The markup is complete and valid XML, so that it can be part of any page."""
    tokens = data.draw(st.lists(ANY_TEXT, min_size=n, max_size=n))
    scores = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n))
    markup = render(tokens, np.array(scores), title=title)
    assert len(elements(markup, "token")) == n
    assert all(0 <= opacity <= STRONGEST + 0.01 for _, opacity in colors(markup))


def test_markup_is_escaped():
    markup = render(["<b>&", '"\n'], np.ones(2), title="<i>")
    assert [token.text for token in elements(markup, "token")] == ["<b>&", r'"\n']
    assert elements(markup, "title")[0].text == "<i>"


@pytest.mark.parametrize("scores", [np.ones(2), np.ones((1, 1)), np.array([np.nan])])
def test_invalid_scores(scores):
    with pytest.raises(ValueError, match="1 tokens needs a finite score"):
        render(["a"], scores, title="t")
