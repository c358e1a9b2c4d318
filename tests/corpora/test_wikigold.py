"""The split of Wikigold by article."""

import pytest
import spacy

from spacy_rnn.readers.data_file import detect

from ..helpers.corpora import corpora_module

TEXT = (
    "The I-MISC\nOwl I-MISC\nRome I-LOC\nKelby I-LOC\n\nis O\n\n"
    "-DOCSTART- O\n\n4 O\n\nOwl I-PER\n-DOCSTART- O\n-DOCSTART- O\n\n19 O\n"
)


@pytest.fixture(scope="module")
def wikigold():
    return corpora_module("wikigold")


def read(path):
    docs = detect(path).read(spacy.blank("en"))
    return [(doc.text.strip(), [(ent.text, ent.label_) for ent in doc.ents]) for doc in docs]


def test_articles_stay_together(wikigold, tmp_path, capsys):
    (tmp_path / "wikigold.conll.txt").write_text(TEXT, encoding="utf8")
    wikigold.main([str(tmp_path), str(tmp_path / "out")])
    part = corpora_module("texts").part_of("The Owl Rome Kelby")
    printed = capsys.readouterr().out.splitlines()
    assert sum(int(line.split()[1]) for line in printed) == 3
    assert read(tmp_path / "out" / f"{part}.conll")[:2] == [
        ("The Owl Rome Kelby", [("The Owl", "MISC"), ("Rome Kelby", "LOC")]),
        ("is", []),
    ]
    assert read(tmp_path / "out" / "test.conll")[-2:] == [("4", []), ("Owl", [("Owl", "PER")])]


def test_the_corpus_is_read_whole(wikigold, data_dir, tmp_path):
    """The counts are those of sentences, tokens and entities: 1,696, 39,007 and 3,558 in all."""
    wikigold.main([str(data_dir / "ner-wikigold"), str(tmp_path)])
    counts = {"train": (1245, 28807, 2762), "dev": (283, 6246, 455), "test": (168, 3954, 341)}
    for part, expected in counts.items():
        file = detect(tmp_path / f"{part}.conll")
        docs = list(file.read(spacy.blank("en")))
        found = (len(docs), file.counts.tokens, file.counts.labels.total())
        assert found == expected
        assert all(token.ent_iob_ for doc in docs for token in doc)
