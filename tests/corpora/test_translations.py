"""Tests of the conversion of texts with translations."""

import importlib
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
translations = importlib.import_module("translations")


def test_texts_and_translations_are_kept(tmp_path, capsys):
    source, target = tmp_path / "pairs.tsv", tmp_path / "new" / "pairs.spacy"
    source.write_text("A cat sleeps.\tUn chat dort.\nDogs eat!\tDes chiens mangent !\n", "utf8")
    translations.main([str(source), str(target)])
    assert capsys.readouterr().out == "2 texts\n"
    docs = list(DocBin().from_disk(target).get_docs(spacy.blank("en").vocab))
    assert [(doc.text, doc._.translation) for doc in docs] == [
        ("A cat sleeps.", "Un chat dort."),
        ("Dogs eat!", "Des chiens mangent !"),
    ]
    assert len(docs[1]) == 3


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.tsv"):
        translations.convert(tmp_path / "no.tsv", tmp_path / "out.spacy")
