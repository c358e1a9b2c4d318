"""Docs in spaCy's binary files."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_rnn.readers import docs
from spacy_rnn.readers.docs import read_docs


@pytest.fixture
def vocab():
    return spacy.blank("en").vocab


def make_docs(vocab, n):
    for i in range(n):
        doc = Doc(vocab, words=["word", str(i)], tags=["A", "B"])
        doc.cats = {"X": float(i)}
        doc.user_data["own"] = ("text", i, [1.5, None])
        yield doc


@pytest.mark.parametrize("n_docs", [0, 1, 4, 7])
def test_user_data_is_that_of_the_document(vocab, tmp_path, monkeypatch, n_docs):
    monkeypatch.setattr(docs, "_CHUNK", 3)
    file = DocBin(docs=make_docs(vocab, n_docs), store_user_data=True)
    file.to_disk(tmp_path / "a.spacy")
    expected = list(file.get_docs(vocab))
    found = list(read_docs(tmp_path / "a.spacy", vocab))
    assert [doc.user_data for doc in found] == [doc.user_data for doc in expected]
    assert [(doc.to_json(), doc.cats) for doc in found] == [
        (doc.to_json(), doc.cats) for doc in expected
    ]
    assert len(found) == n_docs and all("own" in doc.user_data for doc in found)


def test_documents_without_user_data(vocab, tmp_path):
    DocBin(docs=make_docs(vocab, 3)).to_disk(tmp_path / "a.spacy")
    found = list(read_docs(tmp_path / "a.spacy", vocab))
    assert [doc.user_data for doc in found] == [{}, {}, {}]
    # DocBin also reads merged files in which only some docs have user data.
    some = DocBin(docs=make_docs(vocab, 3), store_user_data=True)
    some.user_data = [some.user_data[0], None]
    some.to_disk(tmp_path / "b.spacy")
    found = list(read_docs(tmp_path / "b.spacy", vocab))
    assert [doc.user_data.get("own", ())[1:2] for doc in found] == [(0,), (), ()]
