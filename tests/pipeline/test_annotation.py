"""Training warns about gold annotation that spaCy's readers drop."""

import logging

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example, JsonlCorpus
from spacy.training.augment import (
    create_combined_augmenter,
    create_lower_casing_augmenter,
    create_orth_variants_augmenter,
)

from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.pipeline.annotation import has_annotation

from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_pipeline

#: the annotation that each component needs
NAMES = {
    "rnn_tagger": "token.tag",
    "rnn_ner": "doc.ents",
    "rnn_textcat": "doc.cats",
    "rnn_textcat_multilabel": "doc.cats",
    "rnn_regressor": "doc._.regression",
    "rnn_translator": "doc._.translation",
}
VARIANTS = {"single": [{"tags": ["."], "variants": [".", "!"]}], "paired": []}
AUGMENTERS = {
    "lower_case": create_lower_casing_augmenter(1.0),
    "orth_variants": create_orth_variants_augmenter(1.0, 0.0, VARIANTS),
    "combined": create_combined_augmenter(0.0, 0.0, None, 1.0, 0.5, ["\n"]),
}
EXTENSION_KINDS = ["rnn_regressor", "rnn_translator"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A corpus of three texts with one sentence, and one text with two sentences (seven tokens)."""
    vocab = spacy.blank("xx").vocab
    first, second, third, last = SENTENCES
    # Each column of a sentence of five tokens, joined with that of a sentence of two.
    both = [f"{one} {other}" for one, other in zip(second[:4], last[:4], strict=True)]
    long = (*both, *second[4:6], f"{second[6]} {last[6]}", second[7])
    docs = [make_doc(vocab, *sentence) for sentence in (first, long, third, last)]
    for doc in docs:
        for token in doc:
            token.is_sent_start = token.i in ((0, 5) if len(doc) == 7 else (0,))
    path = tmp_path_factory.mktemp("corpus") / "all.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def warnings_of(caplog, nlp, corpus, updates=1):
    """The warnings of training on a corpus, with a network initialized from complete examples."""
    nlp.initialize(lambda: make_examples(nlp))
    caplog.clear()
    with caplog.at_level(logging.WARNING, "spacy_rnn"):
        for _ in range(updates):
            nlp.update(list(corpus(nlp)))
    return [message for message in caplog.messages if "finds no" in message]


@pytest.mark.parametrize("name", KINDS)
def test_a_corpus_that_is_read_completely(caplog, path, name):
    assert warnings_of(caplog, make_pipeline(name), Corpus(path)) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", [{"gold_preproc": True}, {"max_length": 6}])
def test_documents_that_are_split(caplog, path, name, settings):
    """The reader splits all documents with sentence starts, or only long documents."""
    (message,) = warnings_of(caplog, make_pipeline(name), Corpus(path, **settings), updates=2) or [
        ""
    ]
    if name in ("rnn_tagger", "rnn_ner"):
        # The annotation of tokens is kept.
        assert message == ""
    else:
        n, n_missing = (5, 5) if "gold_preproc" in settings else (5, 2)
        expected = f"'{name}' finds no {NAMES[name]} in {n_missing} of the {n} training examples"
        assert message.startswith(expected)


@pytest.mark.parametrize("name", ["rnn_textcat", "rnn_textcat_multilabel", "rnn_regressor"])
def test_the_error_for_a_corpus_that_lost_all_annotation_names_the_cause(path, name):
    nlp, corpus = make_pipeline(name), Corpus(path, gold_preproc=True)
    with pytest.raises(ValueError) as raised:
        nlp.initialize(lambda: corpus(nlp))
    assert "If the data has it, the reader drops it" in str(raised.value)
    assert "Set max_length = 0, gold_preproc = false" in str(raised.value)


@pytest.mark.parametrize("name", EXTENSION_KINDS)
@pytest.mark.parametrize("augmenter", AUGMENTERS)
def test_documents_that_are_augmented(caplog, path, name, augmenter):
    corpus = Corpus(path, augmenter=AUGMENTERS[augmenter])
    (message,) = warnings_of(caplog, make_pipeline(name), corpus)
    assert message.startswith(f"'{name}' finds no {NAMES[name]} in 4 of the 4 training examples")
    assert "augmenters drop extensions" in message and "max_length = 0" in message


@pytest.mark.parametrize("name", KINDS)
def test_texts_only(caplog, tmp_path, name):
    (tmp_path / "all.jsonl").write_text('{"text": "I like green eggs"}\n')
    found = warnings_of(caplog, make_pipeline(name), JsonlCorpus(tmp_path / "all.jsonl"))
    assert len(found) == (name in NAMES)


@pytest.mark.parametrize("condition", ["cats", "topic"])
def test_conditions_of_a_language_model(caplog, path, condition):
    set_doc_extension("topic")
    nlp = make_pipeline("rnn_lm", condition=condition)
    examples = make_examples(nlp)
    for eg in examples:
        eg.reference._.topic = np.zeros(2)
    nlp.initialize(lambda: examples)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "spacy_rnn"):
        nlp.update(examples)
        assert not caplog.messages
        nlp.update(list(Corpus(path, gold_preproc=True)(nlp)))
    (message,) = caplog.messages
    name = "doc.cats" if condition == "cats" else "doc._.topic"
    assert message.startswith(f"'rnn_lm' finds no {name} in 5 of the 5 training examples")


def test_one_of_several_targets_is_enough(caplog):
    nlp = make_pipeline("rnn_tagger", targets=["tag", "pos"])
    nlp.initialize(lambda: make_examples(nlp))
    words = ["I", "like"]
    with caplog.at_level(logging.WARNING, "spacy_rnn"):
        nlp.update([Example(Doc(nlp.vocab, words), Doc(nlp.vocab, words, pos=["PRON", "VERB"]))])
        # An empty doc does not lack annotation.
        nlp.update([Example(Doc(nlp.vocab), Doc(nlp.vocab))])
        assert caplog.messages == []
        nlp.update([Example(Doc(nlp.vocab, words), Doc(nlp.vocab, words))])
    assert caplog.messages[0].startswith("'rnn_tagger' finds no token.tag or token.pos in 1 of")


def test_any_attribute_of_tokens_is_annotation():
    vocab = spacy.blank("xx").vocab
    doc = Doc(vocab, words=["a", "b"], sent_starts=[True, False])
    assert has_annotation(doc, "token.sent_start") and not has_annotation(doc, "token.tag")
    assert not has_annotation(Doc(vocab, words=["a", "b"]), "token.sent_start")


@pytest.mark.parametrize(
    "value, there",
    [(None, False), ({}, False), ("", False), ({"a": 0.0}, True), ("x", True), (np.zeros(3), True)],
)
def test_values_of_extensions(value, there):
    set_doc_extension("some_value")
    doc = spacy.blank("xx").make_doc("a")
    doc._.some_value = value
    assert has_annotation(doc, "doc._.some_value") == there
    assert not has_annotation(doc, "doc._.no_such_extension")
