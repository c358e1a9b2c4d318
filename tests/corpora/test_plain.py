"""Texts for language models."""

import pytest
import spacy
from spacy.tokens import DocBin

from ..helpers.corpora import corpora_module

ARTICLES = """ 
 = One = 
 
 = = A section = = 
 Some <unk> words . 
 = Two = 
 
 More , and more = even . 
"""


@pytest.fixture(scope="module")
def plain():
    return corpora_module("plain")


def load(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_articles_keep_their_words(plain, tmp_path):
    # A byte-order mark is not a word.
    (tmp_path / "some.txt").write_text(ARTICLES, encoding="utf-8-sig")
    plain.main(["wikitext", str(tmp_path / "some.txt"), str(tmp_path / "some.spacy")])
    docs = load(tmp_path / "some.spacy")
    # The lines before the first title are a separate text.
    assert [doc.text.split("\n")[0] for doc in docs] == ["", "= One =", "= Two ="]
    words = [token.text for doc in docs for token in doc]
    assert words == [w for line in ARTICLES.split("\n")[:-1] for w in [*line.split(), "\n"]]


def test_wikitext_has_the_published_number_of_words(plain, data_dir, tmp_path):
    source = data_dir / "lm-wikitext2" / "valid.txt.xz"
    plain.main(["wikitext", str(source), str(tmp_path / "valid.spacy")])
    docs = load(tmp_path / "valid.spacy")
    assert sum(map(len, docs)) == 217_646
    assert sum(token.text == "\n" for doc in docs for token in doc) == 3_760
