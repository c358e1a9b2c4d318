"""Saliency and states as markup, as a page and in Jupyter, like displaCy's visualizations."""

import numpy as np
import pytest

from spacy_rnn import viz
from spacy_rnn.analysis.saliency import compute_saliency
from spacy_rnn.analysis.states import States, compute_states
from spacy_rnn.display import heatmap
from spacy_rnn.display.shading import render_shading

from ..helpers.markup import elements, texts
from ..helpers.pipelines import make_doc
from ..helpers.shadings import elements as shading_elements

TEXTS = ["She eats one ham .", "Eggs !"]


@pytest.fixture
def pipe(trained):
    return trained.get_pipe("rnn_tagger")


@pytest.fixture
def docs(trained):
    return [make_doc(trained.vocab, text) for text in TEXTS]


def found_of(activations, n_tokens=3):
    n_units = activations.shape[1]
    tokens = [f"t{i}" for i in range(n_tokens)]
    return States(tokens, [f"forward {i}" for i in range(n_units)], activations, 1)


def test_saliency(docs, pipe):
    expected = [compute_saliency(pipe, doc, token=1, method="occlusion") for doc in docs]
    markup = viz.saliency(docs, pipe, token=1, method="occlusion")
    for text, each in zip(markup.split('<div class="shading"')[1:], expected, strict=True):
        assert f'<div class="shading"{text}'.strip() == render_shading(
            each.tokens, each.scores, title=each.summary, score_name="log-odds"
        )
    assert viz.saliency(docs[0], pipe, token=1) == viz.saliency(iter(docs[:1]), pipe, token=1)
    (title,) = shading_elements(viz.saliency(docs[0], pipe, token=1), "title")
    assert title.text.startswith("Predicted tag VBZ of 'eats': probability 0.")


def test_page_and_jupyter(docs, pipe, shown):
    page = viz.saliency(docs, pipe, token=0, page=True)
    assert page.startswith("<!DOCTYPE html>") and page.count("<figure") == 2
    page = viz.states(docs, pipe, page=True)
    assert page.startswith("<!DOCTYPE html>") and page.count("<svg") == 2
    assert not shown
    assert viz.saliency(docs, pipe, token=0, jupyter=True) is None
    assert viz.states(docs, pipe, jupyter=True) is None
    assert "<mark" in shown[0] and "<svg" in shown[1]


def test_states(docs, pipe):
    found = compute_states(pipe, docs[0])
    svg = viz.states(docs[0], pipe, units=["backward 3", "forward 0"])
    assert texts(svg, "row") == ["backward 3", "forward 0"]
    assert texts(svg, "column") == TEXTS[0].split()
    assert texts(svg, "title") == ["Hidden states of layer 0"]
    assert texts(svg, "value-name") == ["activation"]
    expected = np.abs(found.activations[:, [11, 0]].T).ravel()
    opacities = [float(cell.get("fill-opacity")) for cell in elements(svg, "cell")]
    np.testing.assert_allclose(opacities, expected, atol=5e-4)
    assert viz.states(docs, pipe).count("<svg") == 2
    assert len(texts(viz.states(docs[0], pipe), "row")) == 16
    assert texts(viz.states(docs[0], pipe, start=1, end=3), "column") == ["eats", "one"]


def test_units_that_vary_most_come_first():
    activations = np.array([[0.0, 0.5, -0.1], [0.0, -0.5, 0.1], [0.0, 0.5, 0.3]])
    found = found_of(activations)
    matrix = viz.states_heatmap(found, top=2)
    assert matrix.rows == ["forward 1", "forward 2"]
    np.testing.assert_array_equal(matrix.matrix, activations[:, [1, 2]].T)
    assert viz.states_heatmap(found, top=9).rows[2] == "forward 0"
    # The variation is that over the whole text, whichever part is shown.
    part = viz.states_heatmap(found, top=1, start=1, end=2)
    assert part.rows == ["forward 1"] and part.columns == ["t1"]
    assert part.matrix.tolist() == [[-0.5]]


def test_values_out_of_range_are_scaled_and_labeled():
    matrix = viz.states_heatmap(found_of(np.array([[4.0, -2.0], [0.0, 1.0], [3.0, 0.5]])), top=2)
    assert matrix.value_name == "activation, divided by 4.00"
    assert sorted(np.abs(matrix.matrix).max(axis=1).tolist()) == [0.5, 1.0]
    heatmap.render_heatmap(matrix)
    inside = viz.states_heatmap(found_of(np.full((3, 1), -1.0)))
    assert inside.value_name == "activation" and (inside.matrix == -1.0).all()


@pytest.mark.parametrize("n_tokens", [0, 1])
def test_zero_or_one_token(n_tokens):
    matrix = viz.states_heatmap(found_of(np.zeros((n_tokens, 30)), n_tokens))
    assert matrix.matrix.shape == (20, n_tokens)
    assert matrix.rows[:2] == ["forward 0", "forward 1"]
    heatmap.render_heatmap(matrix)


def test_states_that_cannot_be_shown():
    n = heatmap.LARGEST
    long, wide = found_of(np.zeros((n + 1, 2)), n + 1), found_of(np.zeros((3, n + 1)))
    with pytest.raises(ValueError, match=f"2 units and {n + 1} tokens is too large.*'start' and"):
        viz.states_heatmap(long)
    with pytest.raises(ValueError, match=f"{n + 1} units and 3 tokens is too large.*'top'"):
        viz.states_heatmap(wide, top=n + 1)
    assert len(viz.states_heatmap(long, end=n).columns) == n
    assert len(viz.states_heatmap(wide, top=n).rows) == n
    message = "Layer 1 has no unit 'backward 0'. Its 201 units are 'forward 0' to 'forward 200'"
    with pytest.raises(ValueError, match=message):
        viz.states_heatmap(wide, ["forward 0", "backward 0"])
    with pytest.raises(ValueError, match="'top'.*at least 1, got 0"):
        viz.states_heatmap(wide, top=0)
