"""The reader of data files of any format: examples, settings and what it logs."""

import pytest
import spacy

from spacy_rnn.readers.corpus import Corpus

from ..helpers.paths import ROOT

DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def texts(examples):
    return [[token.text for token in example.predicted] for example in examples]


def test_texts_are_tokenized_and_tokens_are_kept(nlp):
    examples = list(Corpus(DATA / "doccano_spans.jsonl")(nlp))
    assert texts(examples)[1] == ["It", "rained", "all", "day", "."]
    assert not examples[0].predicted.ents and len(examples[0].reference.ents) == 3
    # Spaces are unknown.
    assert texts(Corpus(DATA / "tokens.jsonl")(nlp))[0] == ["Anna", "Bell", "sleeps", "."]
    # The treebank has spaces; only gold_preproc keeps its tokens.
    assert texts(Corpus(DATA / "treebank.conllu")(nlp))[0] == ["Do", "n't", "go", "."]
    tokens = texts(Corpus(DATA / "treebank.conllu", n_sents=2, gold_preproc=True)(nlp))
    assert tokens == [["Do", "n't", "go", "."], ["Cats", "sleep"]]


def test_limits_and_augmenter(nlp):
    def twice(nlp, example):
        yield example
        yield example

    corpus = Corpus(DATA / "intents.csv", limit=2, augmenter=twice)
    assert len(list(corpus(nlp))) == 4
    corpus = Corpus(DATA / "iob1.conll", n_sents=2, max_length=7)
    assert [len(tokens) for tokens in texts(corpus(nlp))] == [6, 2, 3]


def test_a_dev_corpus_has_the_labels_of_the_training_corpus(nlp, tmp_path):
    dev = tmp_path / "dev.csv"
    dev.write_text("text,category\nWhere is my card?,card_arrival\nIs it here yet?,card_arrival\n")
    train = Corpus(DATA / "intents.csv")
    examples = list(Corpus(dev, labels=train)(nlp))
    assert examples[0].reference.cats == {"card_arrival": 1.0, "change_pin": 0.0}
    with pytest.raises(ValueError, match="has no labels"):
        Corpus(DATA / "lines.txt").label_names  # noqa: B018


def test_guesses_and_numbers_are_logged_once(nlp, caplog):
    corpus = Corpus(DATA / "intents.csv")
    for _ in range(2):
        list(corpus(nlp))
    lines = [record.getMessage().partition("intents.csv: ")[2] for record in caplog.records]
    assert lines == [
        "format: table, task: textcat",
        "header: yes",
        "columns used: text = text, label = category; ignored: id",
        "6 documents, 45 tokens",
        "labels: card_arrival 3, change_pin 3",
    ]


def test_bad_settings():
    with pytest.raises(ValueError, match="E913"):
        Corpus(None)
    with pytest.raises(ValueError, match="'limit' must be"):
        Corpus("x.csv", limit=-1)
    with pytest.raises(ValueError, match="'n_sents' must be"):
        Corpus("x.csv", n_sents=0)
