"""The uncertainty of components, compared with values computed from their probabilities."""

import numpy as np
import pytest
import spacy

from spacy_rnn.analysis.uncertainty import STRATEGIES, text_uncertainties, uncertainties

from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, make_trained, train
from ..helpers.tok2vec import LISTENER, TOK2VEC

TEXTS = ["Eggs !", "She eats one ham .", "I like ham", "They"]
#: so few training steps that predictions remain uncertain
STEPS = 4


def measure(p, strategy):
    """The uncertainty of one distribution, by definition."""
    first, second, *_ = sorted([*p, 0.0], reverse=True)
    if strategy == "least-confidence":
        return 1 - first
    if strategy == "margin":
        return 1 - (first - second)
    return -sum(x * np.log(x) for x in map(float, p) if x > 0)


def of_tagger(pipe, docs, strategy):
    return [
        np.mean([measure(row, strategy) for row in found["tag"]])
        for found in pipe.predict_probabilities(docs)
    ]


def of_ner(pipe, docs, strategy):
    """Enumerate all readings."""
    found = []
    for readings in pipe.readings(docs, n=20_000):
        p = [reading.probability for reading in readings]
        assert sum(p) == pytest.approx(1, abs=1e-4)
        found.append(measure(p, strategy))
    return found


def of_textcat(pipe, docs, strategy):
    return [measure(p, strategy) for p in pipe.predict(docs).scores]


def of_multilabel(pipe, docs, strategy):
    scores = pipe.predict(docs).scores.astype("float64")
    return [np.mean([measure([p, 1 - p], strategy) for p in row]) for row in scores]


EXPECTED = {
    "rnn_tagger": of_tagger,
    "rnn_ner": of_ner,
    "rnn_textcat": of_textcat,
    "rnn_textcat_multilabel": of_multilabel,
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("factory", EXPECTED)
def test_measures_are_as_defined(factory, strategy):
    nlp = make_trained(factory, steps=STEPS)
    texts = [text for text in TEXTS if len(text.split()) < 5]
    expected = EXPECTED[factory](nlp.get_pipe(factory), list(map(nlp.make_doc, texts)), strategy)
    found = [*text_uncertainties(nlp, factory, texts, strategy, batch_size=2)]
    assert [text for text, _ in found] == texts
    np.testing.assert_allclose([u for _, u in found], expected, atol=1e-4)
    assert min(expected) > 0.01


def test_uncertainty_of_a_translator():
    nlp = make_trained("rnn_translator")
    pipe, text = nlp.get_pipe("rnn_translator"), SENTENCES[0][0]
    ((best,),) = pipe.translate([text])
    expected = 1 - np.exp(best.log_probability / (len(best.pieces) + 1))
    found = uncertainties(pipe, [nlp.make_doc(text)], "least-confidence")
    assert found.tolist() == pytest.approx([expected])
    with pytest.raises(ValueError, match="Use least-confidence"):
        uncertainties(pipe, [nlp.make_doc(text)], "entropy")


@pytest.mark.parametrize("factory", [*EXPECTED, "rnn_translator"])
def test_a_doc_without_tokens_is_certain(factory):
    nlp = make_trained(factory)
    pipe = nlp.get_pipe(factory)
    assert uncertainties(pipe, [nlp.make_doc("")], "least-confidence").tolist() == [0.0]
    assert uncertainties(pipe, [], "least-confidence").tolist() == []


def test_more_training_gives_less_uncertainty():
    for factory in EXPECTED:
        few, many = (
            np.mean([u for _, u in text_uncertainties(nlp, factory, texts, "entropy", 8)])
            for nlp in (make_trained(factory, steps=STEPS), make_trained(factory))
            for texts in [[words for words, *_ in SENTENCES]]
        )
        assert many < few / 2, factory


def test_only_earlier_components_run():
    """Entities that were set by rules count as certain."""
    nlp = make_trained("rnn_ner", steps=STEPS)
    text = "They like blue ham"
    ((_, alone),) = text_uncertainties(nlp, "rnn_ner", [text], "entropy", 8)
    ruler = nlp.add_pipe("entity_ruler", before="rnn_ner")
    ruler.add_patterns([{"label": "FOOD", "pattern": "blue ham"}])

    @spacy.Language.component("never_runs")
    def never(doc):
        raise AssertionError

    nlp.add_pipe("never_runs")
    ((_, ruled),) = text_uncertainties(nlp, "rnn_ner", [text], "entropy", 8)
    assert ruled < alone
    assert nlp.pipe_names == ["entity_ruler", "rnn_ner", "never_runs"]


@pytest.mark.parametrize("factory", ["rnn_ner", "rnn_textcat"])
def test_a_shared_tok2vec_runs_first(factory):
    nlp = make_pipeline(factory, {"embedding": None, "tok2vec": LISTENER})
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC}, first=True)
    train(nlp, make_examples(nlp), steps=STEPS)
    texts = TEXTS[2:]
    docs = [nlp.get_pipe("tok2vec")(nlp.make_doc(text)) for text in texts]
    expected = EXPECTED[factory](nlp.get_pipe(factory), docs, "entropy")
    found = [u for _, u in text_uncertainties(nlp, factory, texts, "entropy", 8)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with nlp.select_pipes(disable=factory):
        again = [u for _, u in text_uncertainties(nlp, factory, texts, "entropy", 8)]
        assert again == found and nlp.pipe_names == ["tok2vec"]


@pytest.mark.parametrize("factory", ["rnn_regressor", "rnn_lm"])
def test_components_without_probabilities_of_labels(factory):
    nlp = make_trained(factory)
    with pytest.raises(ValueError, match="cannot say how uncertain it is.*RNNTagger"):
        uncertainties(nlp.get_pipe(factory), [nlp.make_doc("I eat")], "margin")


def test_an_unknown_strategy():
    nlp = make_trained("rnn_textcat")
    with pytest.raises(ValueError, match="least-confidence, margin, entropy, got 'random'"):
        uncertainties(nlp.get_pipe("rnn_textcat"), [nlp.make_doc("I eat")], "random")
