"""A cell that is added to the table of cells works in all parts of every component."""

import numpy as np
import pytest

from spacy_rnn.analysis.gradients import compute_gradients
from spacy_rnn.analysis.memory import make_variants
from spacy_rnn.analysis.states import compute_states

from ..helpers.cells import LIGHT, light_gru
from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_examples, train

CELL = {"cell": LIGHT, "chrono_length": 5}
#: two layers, long memories (`chrono_length`), and the cell in the parts with a `cell` setting
MODELS = {
    "rnn_tagger": {
        "encoder": {**CELL, "depth": 2},
        "embedding": {"characters": {"cell": LIGHT}},
    },
    "rnn_lm": {"encoder": {**CELL, "depth": 2}},
    "rnn_translator": {"encoder": CELL, "decoder": {"cell": LIGHT, "input_feeding": True}},
}


@pytest.fixture(autouse=True)
def added_cell():
    with light_gru():
        yield


@pytest.mark.parametrize("factory", MODELS)
def test_is_trained_saved_and_analyzed(factory):
    kind = KINDS[factory]
    nlp = kind.make(MODELS[factory])
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)[kind.score] > 0.9 * kind.best

    docs = [eg.x for eg in examples]
    outputs = kind.output(nlp, docs)
    for doc, expected in zip(docs, outputs, strict=True):
        (alone,) = kind.output(nlp, [doc])
        np.testing.assert_allclose(alone, expected, atol=1e-5)

    fresh = kind.make(MODELS[factory]).from_bytes(nlp.to_bytes())
    for one, other in zip(kind.output(fresh, docs), outputs, strict=True):
        np.testing.assert_array_equal(one, other)

    (layer, *_) = compute_gradients(kind.pipe(nlp), docs[:1])
    assert len(layer.norms) and layer.norms.min() > 0
    assert compute_states(kind.pipe(nlp), docs[0]).units[0] == "forward 0"


def test_is_compared_with_others():
    compared = make_variants([LIGHT, "rnn_tanh"], chrono=[False, True])
    assert [str(variant) for variant in compared] == [LIGHT, f"{LIGHT}, chrono", "rnn_tanh"]
