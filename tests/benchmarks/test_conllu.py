"""Raw texts of a treebank, and predictions as CoNLL-U."""

import importlib
import sys

import pytest
import spacy
from spacy.tokens import Doc

from spacy_rnn.readers.data_file import detect

from ..helpers.paths import ROOT

pytest.importorskip("udtools", reason="needs the extra test")
sys.path.insert(0, str(ROOT / "benchmarks"))
conllu = importlib.import_module("conllu")

TREEBANK = """\
# newdoc
# text = They don't bark.
1	They	they	PRON	PRP	Case=Nom|Number=Plur	4	nsubj	_	_
2-3	don't	_	_	_	_	_	_	_	_
2	do	do	AUX	VBP	_	4	aux	_	_
3	n't	not	PART	RB	_	4	advmod	_	_
4	bark	bark	VERB	VB	VerbForm=Inf	0	root	_	SpaceAfter=No
5	.	.	PUNCT	.	_	4	punct	_	_

# text = Owls?
1	Owls	owl	NOUN	NNS	Number=Plur	0	root	_	SpaceAfter=No
2	?	?	PUNCT	.	_	1	punct	_	_

# newpar
# text = Rome's cats
1-2	Rome's	_	_	_	_	_	_	_	_
1	Rome	Rome	PROPN	NNP	Number=Sing	3	nmod	_	_
2	's	's	PART	POS	_	1	case	_	_
3	cats	cat	NOUN	NNS	Number=Plur	0	root	_	_

"""


@pytest.fixture(scope="module")
def gold(tmp_path_factory):
    path = tmp_path_factory.mktemp("treebank") / "gold.conllu"
    path.write_text(TREEBANK, encoding="utf8")
    return list(detect(path, n_sents=2).read(spacy.blank("en")))


def test_paragraphs_are_texts():
    assert conllu.raw_texts(TREEBANK) == ["They don't bark. Owls?", "Rome's cats"]


def test_gold_annotation_has_perfect_scores(gold):
    """All that the reader reads is written again, including tokens of several words."""
    written = conllu.to_conllu(gold)
    assert [line for line in written.splitlines() if "\t" in line] == [
        line.replace("SpaceAfter=No", "_") for line in TREEBANK.splitlines() if "\t" in line
    ]
    assert conllu.scores(TREEBANK, written) == dict.fromkeys(conllu.METRICS, 100.0)


def test_errors_are_counted(gold):
    """3 words of 10 have the wrong head or relation, one of them the wrong head."""
    docs = [doc.copy() for doc in gold]
    docs[0][1].dep_, docs[0][4].dep_ = "cop", "dep"
    docs[1][1].head = docs[1][2]
    found = conllu.scores(TREEBANK, conllu.to_conllu(docs))
    assert found["UAS"] == pytest.approx(90) and found["LAS"] == pytest.approx(70)
    assert found["Sentences"] == found["UPOS"] == 100


def test_a_sentence_has_one_root_whatever_is_predicted(gold):
    """The root of the second sentence is attached to the first."""
    lines = conllu.to_conllu(gold[:1], one_sentence=True).splitlines()
    assert lines.count("") == 1
    assert lines[6].split("\t")[:8] == [
        "6",
        "Owls",
        "owl",
        "NOUN",
        "NNS",
        "Number=Plur",
        "4",
        "parataxis",
    ]


def test_white_space_is_not_a_word():
    doc = Doc(spacy.blank("en").vocab, ["Owls", "\n\n", "?"], [True, False, False])
    doc[0].is_sent_start = True
    doc[1].is_sent_start = doc[2].is_sent_start = False
    written = conllu.to_conllu([doc])
    assert [line.split("\t")[:2] for line in written.splitlines()[:2]] == [
        ["1", "Owls"],
        ["2", "?"],
    ]
