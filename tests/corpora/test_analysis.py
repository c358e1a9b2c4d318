"""What a pipeline finds in the first text of a corpus."""

import spacy
from spacy.tokens import Doc, DocBin

from ..helpers.corpora import corpora_module


def test_the_first_text_is_shown_by_sentences(tmp_path, capsys):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Rome"}])
    nlp.to_disk(tmp_path / "pipeline")
    words = ("Owls", "saw", "Rome", ".", "It", "was", "n't", "far", ".")
    gold = Doc(nlp.vocab, words, [True, True, False, True, True, False, True, False, False])
    DocBin(docs=[gold, nlp.make_doc("Another.")]).to_disk(tmp_path / "corpus.spacy")
    paths = [str(tmp_path / name) for name in ("pipeline", "corpus.spacy")]
    corpora_module("analysis").main(paths)
    shown = capsys.readouterr().out
    assert shown.index("Owls saw Rome.") < shown.index("It wasn't far.")
    (rome,) = (line.split() for line in shown.splitlines() if line.startswith("Rome"))
    assert rome[0] == "Rome" and rome[-1] == "CITY"
    assert "Another" not in shown
