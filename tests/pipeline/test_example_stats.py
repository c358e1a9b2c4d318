"""The statistics of an example that components give to reports."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_rnn.pipeline.entity_annotation import rule_out_tags
from spacy_rnn.pipeline.reports import ReadLimits

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import make_examples, make_pipeline

LABELS = {
    "rnn_tagger": {"tag": ["PRP", "VBZ", "CD", "NN", "."]},
    "rnn_ner": {"ner": ["PERSON", "FOOD"]},
    "rnn_textcat": {"text": ["EAT"]},
    "rnn_textcat_multilabel": {"text": ["EAT"]},
    "rnn_regressor": {"rating": [-1.0]},
    "rnn_translator": {},
    "rnn_lm": {},
}


@pytest.mark.parametrize("name", KINDS)
def test_stats_of_one_example(name):
    nlp = make_pipeline(name)
    stats = nlp.get_pipe(name).example_stats(make_examples(nlp)[1])
    assert stats.labels == LABELS[name]
    assert stats.unusable == {}
    words = ["She", "eats", "one", "ham", "."]
    if name == "rnn_translator":
        target = ["Elle", "mange", "un", "seul", "jambon."]
        assert stats.words == {"source": words, "target": target}
    else:
        assert stats.words == {"text": words}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("text", ["", "Not annotated"])
def test_without_annotation(name, text):
    nlp = make_pipeline(name)
    example = Example(nlp.make_doc(text), nlp.make_doc(text))
    stats = nlp.get_pipe(name).example_stats(example)
    assert stats.labels == {} and stats.unusable == {}


def test_several_targets():
    nlp = make_pipeline("rnn_tagger", targets=["tag", "pos", "morph"])
    labels = nlp.get_pipe("rnn_tagger").example_stats(make_examples(nlp)[3]).labels
    assert labels == {
        "tag": ["NNS", "."], "pos": ["NOUN", "PUNCT"], "morph": ["Number=Plur", "_"],
    }  # fmt: skip


def test_a_text_without_any_label_is_annotated():
    nlp = make_pipeline("rnn_textcat_multilabel")
    example = Example(nlp.make_doc("a"), nlp.make_doc("a"))
    example.reference.cats = {"A": 0.0}
    assert nlp.get_pipe("rnn_textcat_multilabel").example_stats(example).labels == {"text": []}


def test_labels_that_condition_a_language_model():
    nlp = make_pipeline("rnn_lm", condition="cats")
    assert nlp.get_pipe("rnn_lm").example_stats(make_examples(nlp)[0]).labels == {"cats": ["LIKE"]}


def test_tokens_that_differ():
    nlp = make_pipeline("rnn_tagger")
    reference = Doc(nlp.vocab, words=["can", "not", "go"], spaces=[False, True, False],
                    tags=["MD", "RB", "VB"])  # fmt: skip
    predicted = Doc(nlp.vocab, words=["cannot", "go"], spaces=[True, False])
    stats = nlp.get_pipe("rnn_tagger").example_stats(Example(predicted, reference))
    assert stats.labels == {"tag": ["MD", "RB", "VB"]}
    assert list(stats.unusable.values()) == [1]


def test_white_space_tokens_do_not_count_as_lost():
    nlp = make_pipeline("rnn_tagger")
    reference = Doc(nlp.vocab, words=["go", "on"], tags=["VB", "RP"])
    predicted = Doc(nlp.vocab, words=["go", " ", "on"], spaces=[True, False, True])
    assert nlp.get_pipe("rnn_tagger").example_stats(Example(predicted, reference)).unusable == {}


def entities(nlp, predicted, words, *spans):
    reference = Doc(nlp.vocab, words=words, spaces=[False] * len(words))
    reference.set_ents([Span(reference, *span) for span in spans])
    predicted = Doc(nlp.vocab, words=predicted, spaces=[False] * len(predicted))
    return nlp.get_pipe("rnn_ner").example_stats(Example(predicted, reference))


def test_entities_that_tokens_do_not_allow():
    nlp = make_pipeline("rnn_ner")
    stats = entities(nlp, ["abc", "d"], ["a", "bc", "d"], (0, 1, "X"), (2, 3, "Y"))
    assert stats.labels == {"ner": ["X", "Y"]}
    assert stats.unusable == {"entities that begin or end within a token": 1}


@pytest.mark.parametrize("scheme, n_lost", [("biluo", 1), ("bio", 2)])
def test_entities_that_tags_do_not_allow(scheme, n_lost):
    """These are the entities whose tags prediction rules out."""
    nlp = make_pipeline("rnn_ner", scheme=scheme)
    words = ["a", " ", "b", "c", "\n", "d"]
    spans = [(0, 3, "X"), (3, 5, "X"), (5, 6, "X")]
    stats = entities(nlp, words, words, *spans)
    assert stats.unusable == {"entities with white space where none can be": n_lost}
    pipe = nlp.get_pipe("rnn_ner")
    pipe.add_label("X")
    doc = Doc(nlp.vocab, words=words, spaces=[False] * len(words))
    scores = np.zeros((len(words), pipe.scheme.n_tags))
    label_values = np.array([nlp.vocab.strings["X"]], dtype="uint64")
    rule_out_tags(pipe.scheme, label_values, doc, scores)
    doc.set_ents([Span(doc, *span) for span in spans])
    tags = pipe.scheme.encode(doc.to_array("ENT_IOB"), np.zeros(len(words), dtype="int64"))
    allowed = np.isfinite(scores[np.arange(len(words)), tags])
    assert sum(not allowed[start:end].all() for start, end, _ in spans) == n_lost


@pytest.mark.parametrize("name", TOKEN_KINDS)
def test_read_limits(name):
    nlp = make_pipeline(name, {"batch_tokens": 100, "window": 50})
    assert nlp.get_pipe(name).read_limits == ReadLimits(100, window=50)


def test_read_limits_of_texts_that_are_cut():
    nlp = make_pipeline("rnn_textcat", {"max_length": 30})
    assert nlp.get_pipe("rnn_textcat").read_limits.max_length == 30


def test_read_limits_of_the_others():
    nlp = make_pipeline("rnn_lm", {"batch_tokens": 100}, streams=3, bptt_length=7)
    assert nlp.get_pipe("rnn_lm").read_limits == ReadLimits(100, step=21)
    nlp = make_pipeline("rnn_translator", {"batch_tokens": 100})
    # The beam size is 2.
    assert nlp.get_pipe("rnn_translator").read_limits == ReadLimits(50)
