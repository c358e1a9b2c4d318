"""Tests of the sentences that the workflow `all` shows, and of the check of the answers."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
demonstration, grammar, news, reviews, pcfg = map(
    importlib.import_module, ("demonstration", "grammar", "news", "reviews", "pcfg")
)
SHOWN = demonstration.DEMONSTRATIONS


def words(text: str) -> list[str]:
    return [token.text for token in spacy.blank("en").make_doc(text)]


#: the class that the pipeline below gives to a text
CLASSES: dict[str, str] = {}


@Language.component("known_classes")
def known_classes(doc):
    doc.cats = {label: float(label == CLASSES[doc.text]) for label in CLASSES.values()}
    return doc


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """A function that saves a pipeline with given classes of texts, and returns its folder."""

    def save(classes: dict[str, str]) -> str:
        for text, label in classes.items():
            monkeypatch.setitem(CLASSES, text, label)
        # The workflow generates more training data.
        shown = SHOWN["reviews"]._replace(train="corpora/reviews/train.jsonl")
        monkeypatch.setitem(SHOWN, "reviews", shown)
        nlp = spacy.blank("en")
        nlp.add_pipe("known_classes")
        nlp.to_disk(tmp_path)
        return str(tmp_path)

    return save


def test_right_answers_are_shown(pipeline, capsys):
    cases = SHOWN["reviews"].cases
    demonstration.main(["reviews", pipeline(cases)])
    output = capsys.readouterr().out
    assert all(text in output and expected in output for text, expected in cases.items())
    assert "expected" not in output


def test_a_wrong_answer_is_an_error(pipeline, capsys):
    text, *others = SHOWN["reviews"].cases
    wrong = {**SHOWN["reviews"].cases, text: "MIXED"}
    with pytest.raises(SystemExit) as error:
        demonstration.main(["reviews", pipeline(wrong)])
    assert error.value.code == 1
    output = capsys.readouterr().out
    assert output.count("expected") == 1
    assert f"expected: {SHOWN['reviews'].cases[text]}" in output and "MIXED" in output


def test_a_sentence_of_the_training_data_is_an_error(pipeline, capsys, monkeypatch):
    first = json.loads((CORPORA / "reviews/train.jsonl").read_text("utf-8").splitlines()[0])["text"]
    folder = pipeline({first: "POSITIVE"})
    monkeypatch.setitem(SHOWN, "reviews", SHOWN["reviews"]._replace(cases={first: "POSITIVE"}))
    with pytest.raises(SystemExit) as error:
        demonstration.main(["reviews", folder])
    assert error.value.code == 1 and first in capsys.readouterr().out


@pytest.mark.parametrize("text", SHOWN["agreement"].cases)
def test_the_grammar_allows_no_other_tags(text):
    readings = {
        " ".join(f"{form}/{word.xpos}" for form, word in zip(words(text), reading, strict=True))
        for one in grammar.grammars()
        for reading in one.taggings(words(text))
    }
    assert readings == {SHOWN["agreement"].cases[text]}


@pytest.mark.parametrize("text", SHOWN["reviews"].cases)
def test_the_rating_has_the_sign_of_the_class(text):
    grammars = [
        pcfg.Grammar(reviews.RULES, reviews.lexicon(subject), reviews.VALUES)
        for subject in reviews.SUBJECTS
    ]
    readings = [reading for one in grammars for reading in one.taggings(words(text))]
    signs = {"POSITIVE" if reviews.rating(each) > 0 else "NEGATIVE" for each in readings}
    assert signs == {SHOWN["reviews"].cases[text]}


@pytest.mark.parametrize("text", SHOWN["news"].cases)
def test_the_context_allows_no_other_labels(text):
    expected = [each.rpartition("/") for each in SHOWN["news"].cases[text].split(", ")]
    names = {word for name, _, _ in expected for word in name.split()}
    shapes = [news.NAME if word in names else word for word in words(text)]
    readings = news.reader(*news.lexicon()).taggings(shapes)
    labels = {
        tuple(word.xpos[2:] for word in reading if word.xpos.startswith("B-"))
        for reading in readings
    }
    assert labels == {tuple(label for *_, label in expected)}
