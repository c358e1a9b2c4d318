"""The contract of thinc: each model predicts from docs."""

import numpy as np
import pytest

from spacy_rnn.config.search import Search

from ..helpers.kinds import KINDS
from ..helpers.pipelines import (
    make_examples,
    make_pipeline,
    make_trained,
    train,
)

TEXTS = ["I like green eggs", "They like blue ham", "", "x"]


def _labels(pipe, docs):
    return [found["tag"] for found in pipe.predict(docs)]


def _best_tags(pipe, docs):
    # After overfitting on a few texts, no tag breaks the constraints of the scheme.
    return [found.argmax(axis=1) for found in pipe.predict_probabilities(docs)]


def _translations(pipe, docs):
    pipe.search = Search()
    return pipe.predict(docs)


#: functions for the model's predictions and for the component's predictions in the same form
FORMS = {
    "rnn_tagger": (lambda pipe, found: [one["tag"] for one in found], _labels),
    "rnn_ner": (lambda pipe, found: [one["ner"] for one in found], _best_tags),
    "rnn_translator": (
        lambda pipe, found: [best[0].text if best else "" for best in found],
        _translations,
    ),
    # The units are the words.
    "rnn_lm": (lambda pipe, found: found, lambda pipe, docs: pipe.predict(docs)),
}
SCORES = (lambda pipe, found: pipe.to_scores(found), lambda pipe, docs: pipe.predict(docs).scores)


@pytest.fixture(scope="module", params=KINDS)
def trained(request):
    nlp = make_trained(request.param)
    return nlp.get_pipe(request.param), [nlp.make_doc(text) for text in TEXTS]


@pytest.mark.parametrize("is_train", [False, True])
def test_the_model_predicts_the_same_as_the_component(trained, is_train):
    pipe, docs = trained
    of_model, of_pipe = FORMS.get(pipe.name, SCORES)
    found = of_model(pipe, pipe.model(docs, is_train)[0])
    expected = of_pipe(pipe, docs)
    assert len(found) == len(expected) == len(docs)
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, str):
            assert one == other
        else:
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_without_docs_there_are_no_predictions(trained):
    pipe, _ = trained
    assert len(pipe.model.predict([])) == 0
    pipe.set_annotations([], pipe.predict([]))


def test_predictions_have_no_gradient(trained):
    pipe, docs = trained
    predictions, backprop = pipe.model.begin_update(docs)
    with pytest.raises(NotImplementedError, match="Train it by its component: nlp.update"):
        backprop(predictions)


def test_a_language_model_that_starts_from_labels():
    """The condition of docs without labels is unknown."""
    nlp = make_pipeline("rnn_lm", condition="cats")
    train(nlp, make_examples(nlp), steps=2)
    pipe, docs = nlp.get_pipe("rnn_lm"), [nlp.make_doc(TEXTS[0])]
    np.testing.assert_allclose(pipe.model.predict(docs)[0], pipe.predict(docs)[0], atol=1e-5)
