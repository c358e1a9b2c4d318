"""python -m spacy rnn threshold."""

import json

import pytest
import spacy
from spacy.tokens import DocBin

from ..helpers.cli import run, shown
from ..helpers.pipelines import SENTENCES, make_examples, make_trained

LABELING = {
    "rnn_tagger": "tag",
    "rnn_ner": "ents",
    "rnn_textcat": "cats",
    "rnn_textcat_multilabel": "cats",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threshold")
    for factory in [*LABELING, "rnn_regressor"]:
        make_trained(factory).to_disk(folder / factory)
    docs = [eg.reference for eg in make_examples(spacy.blank("xx"))]
    DocBin(docs=docs).to_disk(folder / "gold.spacy")
    rows = [zip(s[0].split(), s[6].split(), strict=True) for s in SENTENCES]
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in each) for each in rows)
    (folder / "gold.conll").write_text(text, encoding="utf8")
    return folder


def threshold(work, model, data, *options, **expected):
    return shown(run("rnn", "threshold", work / model, work / data, *options, **expected))


@pytest.mark.parametrize("factory", LABELING)
def test_high_precision_on_the_training_data(factory, work, tmp_path):
    output = tmp_path / "thresholds.json"
    options = ("--precision", 0.95, "--per-label", "--output", output)
    printed = threshold(work, factory, "gold.spacy", *options)
    assert "100.00" in printed and "No confidence" not in printed
    found = json.loads(output.read_text())
    assert found["component"] == factory and found["precision"] == 0.95
    (kind, result), *others = found["thresholds"].items()
    assert kind == LABELING[factory] and not others
    assert result["reached"] and result["precision"] >= 0.95 and result["recall"] == 1.0
    assert 0 < result["threshold"] < 1
    low, high = result["recall_interval"]
    assert 0 < low < 1.0 and high == pytest.approx(1.0)
    labels = spacy.load(work / factory).pipe_labels[factory]
    assert {*result["labels"]} <= {*labels}
    assert all(label in printed for label in result["labels"])
    assert sum(each["gold"] for each in result["labels"].values()) == result["gold"]


def test_a_recall(work):
    printed = threshold(work, "rnn_ner", "gold.spacy", "--recall", 0.5)
    assert "ents" in printed and "No confidence" not in printed


def test_any_format_that_convert_reads(work):
    printed = threshold(work, "rnn_ner", "gold.conll", "--precision", 0.9)
    assert "format: conll, task: ner" in printed and "100.00" in printed


def test_a_precision_that_no_threshold_reaches(work):
    path = work / "wrong.conll"
    path.write_text("I\tB-PERSON\nlike\tO\neggs\tB-PERSON\n", encoding="utf8")
    printed = threshold(work, "rnn_ner", "wrong.conll", "--precision", 0.9, "--per-label")
    assert "No confidence gives a precision of 0.9 for ents" in printed
    assert "their rows show what comes closest" in printed


def test_labels_without_predictions_or_gold_have_no_shares(work):
    path = work / "other.conll"
    path.write_text("I\tB-OTHER\nlike\tO\ngreen\tO\neggs\tO\n", encoding="utf8")
    printed = threshold(work, "rnn_ner", "other.conll", "--precision", 0.9, "--per-label")
    assert "OTHER - 0 - 0.0 - 100.0 1 0.00" in printed
    assert "1 0.00 0.0 - 79.3 0 - 0.0 - 100.0" in printed


@pytest.mark.parametrize(
    "model, data, options, message",
    [
        ("rnn_ner", "gold.spacy", [], "Give one of --precision and --recall"),
        ("rnn_ner", "gold.spacy", ["--precision", 1, "--recall", 1], "Give one of --precision"),
        ("rnn_ner", "gold.spacy", ["--precision", 95], "'precision' is a probability"),
        ("rnn_regressor", "gold.spacy", ["--precision", 1], "The pipeline has no tagger, entity"),
    ],
)
def test_bad_arguments(model, data, options, message, work):
    assert message in threshold(work, model, data, *options, code=1)


def test_data_without_annotation(work):
    nlp = spacy.blank("xx")
    DocBin(docs=[nlp("I like ham")]).to_disk(work / "bare.spacy")
    printed = threshold(work, "rnn_ner", "bare.spacy", "--precision", 1, code=1)
    assert "bare.spacy has no doc.ents, with which 'rnn_ner' is compared" in printed
    DocBin().to_disk(work / "empty.spacy")
    threshold(work, "rnn_ner", "empty.spacy", "--precision", 1, code=1)
