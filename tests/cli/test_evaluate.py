"""python -m spacy rnn evaluate."""

import json

import pytest
import spacy
from spacy.tokens import DocBin

from ..helpers.cli import run, shown
from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_trained

#: for each component, a score between 0 and 1, and the scores that are not printed as percentages
SHARES = {
    "rnn_tagger": "tag_acc",
    "rnn_ner": "ents_f",
    "rnn_textcat": "cats_micro_f",
    "rnn_textcat_multilabel": "cats_micro_f",
    "rnn_translator": "bleu",
    "rnn_lm": "lm_score",
}
NUMBERS = {
    "rnn_regressor": ("mae", "rmse", "pearson", "spearman"),
    "rnn_translator": ("piece_ppl",),
    "rnn_lm": ("ppl", "bpc"),
}
#: for each component with scores per label, the title of their table and the labels
TABLES = {
    "rnn_ner": ("ents (per type) ", ("FOOD", "PERSON")),
    "rnn_textcat": ("cats_f (per type)", ("EAT", "LIKE")),
    "rnn_textcat_multilabel": ("ROC AUC (per label)", ("EAT", "LIKE")),
    "rnn_regressor": ("regression (per target)", ("rating",)),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a pipeline of each component, and the examples they were trained on."""
    folder = tmp_path_factory.mktemp("evaluate")
    for factory in KINDS:
        make_trained(factory).to_disk(folder / factory)
    docs = [eg.reference for eg in make_examples(spacy.blank("xx"))]
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "gold.spacy")
    return folder


def evaluate(work, factory, data, *options, **expected):
    return shown(run("rnn", "evaluate", work / factory, data, *options, **expected))


def score(printed, name):
    words = printed.split("Results", 1)[1].split()
    return words[words.index(name) + 1]


@pytest.mark.parametrize("factory", KINDS)
def test_every_score_is_printed_and_written(factory, work, tmp_path):
    output = tmp_path / "new" / "metrics.json"
    printed = evaluate(work, factory, work / "gold.spacy", "--output", output)
    written = json.loads(output.read_text())
    nlp = spacy.load(work / factory)
    expected = nlp.evaluate(make_examples(nlp))
    speed = expected.pop("speed"), written.pop("speed")
    assert min(speed) > 0 and written == json.loads(json.dumps(expected))
    assert "words/s" in printed and "has no scores" not in printed
    for name, value in expected.items():
        if isinstance(value, float) and not name.startswith(("token", "cats_score")):
            number = f"{value:,.3f}" if name in NUMBERS.get(factory, ()) else f"{100 * value:.2f}"
            assert score(printed, name) == number
    if factory in SHARES:
        assert float(score(printed, SHARES[factory])) > 90


@pytest.mark.parametrize("factory", TABLES)
def test_scores_of_each_label(factory, work):
    title, labels = TABLES[factory]
    assert title not in evaluate(work, factory, work / "gold.spacy")
    printed = evaluate(work, factory, work / "gold.spacy", "--per-type")
    table = printed.split(title, 1)[1]
    assert all(f" {label} " in table for label in labels)


def test_scores_of_each_feature(tmp_path, work):
    nlp = make_trained("rnn_tagger", targets=["tag"])
    nlp.add_pipe("rnn_tagger", "morph", config={"targets": ["morph"]})
    nlp.get_pipe("morph").initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "morph")
    printed = evaluate(tmp_path, "morph", work / "gold.spacy", "--per-type", "--gold-preproc")
    assert "morph (per feature)" in printed and " Number " in printed
    assert {"tag_acc", "morph_acc", "label_acc"} <= set(printed.split())


def test_tables_and_columns(work, tmp_path):
    csv = tmp_path / "test.csv"
    csv.write_text("text,label\n" + "".join(f'"{s[0]}",{s[4]}\n' for s in SENTENCES))
    printed = evaluate(work, "rnn_textcat", csv)
    assert score(printed, "cats_micro_f") == "100.00" and "label = label" in printed
    quoted = tmp_path / "test.txt"
    quoted.write_text("".join(f'"{s[0]}"|{s[4]}\n' for s in SENTENCES), "utf-16-be")
    options = ("--format", "table", "--columns", "text=0,label=1", "--encoding", "utf-16-be")
    options += ("--delimiter", "|", "--quotes", "--no-header")
    assert score(evaluate(work, "rnn_textcat", quoted, *options), "cats_micro_f") == "100.00"
    # A label that no text of the file has counts as absent from all texts, not as missing.
    csv.write_text(f'text,label\n"{SENTENCES[0][0]}",LIKE\n')
    printed = evaluate(work, "rnn_textcat_multilabel", csv, "--columns", "text=text,labels=label")
    assert score(printed, "cats_micro_f") == "100.00"
    pairs = tmp_path / "test.tsv"
    pairs.write_text("source\ttarget\n" + "".join(f"{s[0]}\t{s[7]}\n" for s in SENTENCES))
    assert float(score(evaluate(work, "rnn_translator", pairs), "bleu")) > 90
    conll = tmp_path / "test.conll"
    sentences = [zip(s[0].split(), s[6].split(), strict=True) for s in SENTENCES]
    conll.write_text("\n\n".join("\n".join(map(" ".join, rows)) for rows in sentences) + "\n")
    assert score(evaluate(work, "rnn_ner", conll), "ents_f") == "100.00"


@pytest.mark.parametrize("factory", [name for name in KINDS if name in {**SHARES, **NUMBERS}])
def test_unknown_labels_and_missing_annotation(factory, work, tmp_path):
    nlp = spacy.load(work / factory)
    sentence = ["I flew", "PRP VBD", "", "", "", None, "O B-PLACE"]
    docs = [make_doc(nlp.vocab, *sentence) for _ in range(2)]
    docs[0].cats = {"FLY": 1.0}
    if factory == "rnn_regressor":
        docs[0]._.regression = {"length": 2.0}
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "new.spacy")
    printed = evaluate(work, factory, tmp_path / "new.spacy")
    unknown = {
        "rnn_tagger": "VBD (2)",
        "rnn_ner": "PLACE (2)",
        "rnn_textcat": "FLY (1)",
        "rnn_textcat_multilabel": "FLY (1)",
        "rnn_regressor": "length (1)",
    }
    if factory in unknown:
        message = f"labels that '{factory}' does not know and never predicts: {unknown[factory]}."
        assert message in printed
    else:
        assert "does not know" not in printed
    missing = "'rnn_translator' has no scores, because the data has no doc._.translation."
    assert (missing in printed) == (factory == "rnn_translator")


@pytest.mark.parametrize("factory", ["rnn_textcat", "rnn_textcat_multilabel"])
def test_cats_that_the_data_lacks(factory, work, tmp_path):
    csv = tmp_path / "test.csv"
    csv.write_text(f'text,label\n"{SENTENCES[0][0]}",LIKE\n')
    output = tmp_path / "scores.json"
    printed = evaluate(work, factory, csv, "--per-type", "--output", output)
    assert "The data has no text with these labels: EAT. " in printed
    assert "EAT - - -" in printed and "LIKE 100.00 100.00 100.00" in printed
    assert json.loads(output.read_text())["cats_f_per_type"]["EAT"]["f"] is None
    (tmp_path / "lines.txt").write_text("a\nb\n")
    options = ("--task", "lm", "--per-type")
    printed = evaluate(work, factory, tmp_path / "lines.txt", *options)
    assert score(printed, "cats_micro_f") == "-" and "has no scores" in printed
    assert "per_type" not in printed and "desc" not in printed


def test_many_unknown_labels(work, tmp_path):
    nlp = spacy.blank("xx")
    words = [f"w{i}" for i in range(12)]
    doc = make_doc(nlp.vocab, " ".join(words), " ".join(word.upper() for word in words))
    DocBin(docs=[doc]).to_disk(tmp_path / "new.spacy")
    assert "and 2 more." in evaluate(work, "rnn_tagger", tmp_path / "new.spacy")


def test_data_without_texts(work, tmp_path):
    DocBin().to_disk(tmp_path / "empty.spacy")
    printed = evaluate(work, "rnn_ner", tmp_path / "empty.spacy", code=1)
    assert "Read 0 documents" in printed
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in evaluate(work, "rnn_ner", tmp_path / "empty.csv", code=1)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    assert evaluate(work, "rnn_ner", tmp_path / "a.csv", code=1)
