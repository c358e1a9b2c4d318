"""Tests of the baselines in the summary of the workflow `all`."""

import importlib
import math
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
summary = importlib.import_module("summary")
VOCAB = spacy.blank("en").vocab


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def corpus(root):
    """A function that saves training and test documents as the corpus "some"."""

    def save(train: list[Doc], test: list[Doc]) -> None:
        folder = root / "corpus" / "some"
        folder.mkdir(parents=True)
        for part, docs in {"train": train, "test": test}.items():
            DocBin(docs=docs).to_disk(folder / f"{part}.spacy")

    return save


def tagged(text: str) -> Doc:
    words, _, tags = zip(*(token.partition("/") for token in text.split()), strict=True)
    return Doc(VOCAB, words=words, tags=tags)


def named(text: str, *names: tuple[int, int, str]) -> Doc:
    doc = Doc(VOCAB, words=text.split())
    doc.ents = [Span(doc, *name) for name in names]
    return doc


def test_most_frequent_tag(corpus):
    train = [tagged("a/X b/Y b/Y b/Z"), tagged("c/Y")]
    # "new" has the most frequent tag of all, Y.
    corpus(train, [tagged("a/X b/Z b/Y new/Y new/X")])
    assert summary.most_frequent_tag("some") == pytest.approx(3 / 5)


def test_most_frequent_class(corpus):
    docs = [Doc(VOCAB, words=["a"]) for _ in range(5)]
    for doc, label in zip(docs, "XXYYX", strict=True):
        doc.cats = {other: float(other == label) for other in "XY"}
    corpus(docs[:3], docs[3:])
    assert summary.most_frequent_class("some") == 0.5


def test_known_names(corpus):
    train = [named("New York met Paris", (0, 2, "A"), (3, 4, "B")), named("York", (0, 1, "B"))]
    # Two of three names are found, the longest first, and one of the two has the right label.
    gold = named("New York saw York and Rome", (0, 2, "A"), (3, 4, "A"), (5, 6, "B"))
    corpus(train, [gold])
    assert summary.known_names("some") == pytest.approx(2 * 1 / (2 + 3))


def test_word_frequencies(corpus):
    corpus([Doc(VOCAB, words=["a", "a", "b"])], [Doc(VOCAB, words=["a", "c"])])
    # The smoothed counts of a, b, the end of a text and a new word are 3, 2, 2 and 1, of 8 in all.
    product = 3 / 8 * 1 / 8 * 2 / 8
    assert summary.word_frequencies("some") == pytest.approx(math.exp(-math.log(product) / 3))


def test_word_by_word(root):
    pytest.importorskip("sacrebleu")
    folder = root / "corpora" / "some"
    folder.mkdir(parents=True)
    (folder / "train.tsv").write_text("a b c d\tA B C D\na\tA\nb\tB\nc\tC\nd\tD\n", "utf8")
    (folder / "test.tsv").write_text("d c b a\tD C B A\n", "utf8")
    assert summary.word_by_word("some") == pytest.approx(1)
    (folder / "test.tsv").write_text("d c b a\tA B C D\n", "utf8")
    assert summary.word_by_word("some") < 0.5


def test_table_and_json(corpus, root, capsys, monkeypatch):
    corpus([tagged("a/X")], [tagged("a/X")])
    task = summary.Task("rnn_tagger", "tag_acc", summary.most_frequent_tag)
    monkeypatch.setattr(summary, "TASKS", {"some": task})
    folder = root / "training" / "some" / "model-best"
    for path in (folder, root / "metrics"):
        path.mkdir(parents=True)
    (folder / "model").write_bytes(b"0" * 2_500_000)
    srsly.write_json(root / "metrics" / "some.json", {"tag_acc": 0.5, "speed": 12345.6})
    summary.main([str(root / "summary.json")])
    (row,) = srsly.read_json(root / "summary.json")
    assert row["value"] == 0.5 and row["baseline_value"] == 1.0 and row["bytes"] == 2_500_000
    assert row["pipeline"] == "training/some/model-best"
    output = capsys.readouterr().out
    for shown in ("rnn_tagger", "0.500", "1.000 most frequent tag", "2.5 MB", "12,346", "Next"):
        assert shown in output
