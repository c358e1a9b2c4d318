"""python -m spacy rnn select."""

import json

import pytest
import spacy
from spacy.tokens import DocBin

from ..helpers.cli import run, shown
from ..helpers.pipelines import SENTENCES, make_trained

TEXTS = [words for words, *_ in SENTENCES]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for factory in ("rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_textcat_multilabel", "rnn_lm"):
        make_trained(factory).to_disk(folder / factory)
    make_trained("rnn_translator").to_disk(folder / "rnn_translator")
    make_trained("rnn_regressor").to_disk(folder / "rnn_regressor")
    return folder


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf8")
    return path


def select(models, factory, texts, *options, **expected):
    """Run the command; return the printed output and the written records."""
    output = texts.with_name("chosen.jsonl")
    printed = shown(
        run("rnn", "select", models / factory, texts, "-o", output, *options, **expected)
    )
    if not output.exists():
        return printed, []
    return printed, [json.loads(line) for line in output.read_text("utf8").splitlines()]


def convert(path, folder, *options):
    """The documents to which `convert` converts a file."""
    run("rnn", "convert", path, folder / "converted.spacy", "--lang", "xx", *options)
    return list(DocBin().from_disk(folder / "converted.spacy").get_docs(spacy.blank("xx").vocab))


@pytest.mark.parametrize("strategy", ["least-confidence", "margin", "entropy"])
@pytest.mark.parametrize(
    "factory", ["rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_textcat_multilabel"]
)
def test_the_most_uncertain_texts(factory, strategy, models, texts, tmp_path):
    printed, found = select(models, factory, texts, "-n", 2, "--strategy", strategy)
    assert "texts read: 4; chosen: 2" in printed
    assert all(each.keys() == {"text", "meta"} and each["text"] in TEXTS for each in found)
    scores = [each["meta"]["uncertainty"] for each in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0]["meta"]["strategy"] == strategy
    docs = convert(tmp_path / "chosen.jsonl", tmp_path, "--task", "lm")
    assert [doc.text for doc in docs] == [each["text"] for each in found]


def test_standard_output_has_only_the_texts(models, texts):
    printed = run("rnn", "select", models / "rnn_textcat", texts, "-n", 1)
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    assert len(lines) == 1 and json.loads(lines[0])["text"] in TEXTS


def finished(tool, path):
    """The file as the tool exports it if the suggestions are accepted."""
    records = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    for record in records:
        if tool == "prodigy":
            record["answer"] = "accept"
        if tool == "label-studio":
            record["annotations"] = record.pop("predictions")
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
    return path


@pytest.mark.parametrize("tool", ["prodigy", "doccano", "label-studio"])
@pytest.mark.parametrize("factory", ["rnn_ner", "rnn_textcat", "rnn_textcat_multilabel"])
def test_exports_of_the_tools_are_converted(factory, tool, models, texts, tmp_path):
    _, found = select(models, factory, texts, "-n", 4, "--format", tool)
    assert len(found) == 4
    task = factory.removeprefix("rnn_")
    docs = convert(finished(tool, tmp_path / "chosen.jsonl"), tmp_path, "--task", task)
    nlp = spacy.load(models / factory)
    assert sorted(doc.text for doc in docs) == sorted(TEXTS)
    for doc in docs:
        expected = nlp(doc.text)
        if factory == "rnn_ner":
            found, expected = (
                [(e.start_char, e.end_char, e.label_) for e in each.ents]
                for each in (doc, expected)
            )
            assert found == expected
        else:
            likely = {label for label, p in expected.cats.items() if p >= 0.5}
            assert {label for label, p in doc.cats.items() if p} == likely


def test_a_disabled_component(models, texts, tmp_path):
    nlp = spacy.load(models / "rnn_textcat")
    nlp.disable_pipe("rnn_textcat")
    nlp.to_disk(tmp_path / "disabled")
    _, found = select(tmp_path, "disabled", texts, "-n", 1, "--format", "prodigy")
    assert len(found[0]["accept"]) == 1


def test_a_list_for_label_studio(models, texts, tmp_path):
    output = tmp_path / "tasks.json"
    run("rnn", "select", models / "rnn_ner", texts, "-o", output, "-f", "label-studio")
    tasks = json.loads(output.read_text("utf8"))
    assert len(tasks) == 4 and tasks[0]["data"]["text"] in TEXTS
    value = next(r for t in tasks for r in t["predictions"][0]["result"])["value"]
    assert value["text"] and value["labels"]


def test_translator(models, texts):
    _, found = select(models, "rnn_translator", texts, "-n", 2)
    assert len(found) == 2
    printed, _ = select(models, "rnn_translator", texts, "--strategy", "margin", code=1)
    assert "Use least-confidence" in printed


def test_more_texts_requested_than_available(models, texts):
    rows = [*TEXTS, *TEXTS, "", "  ", TEXTS[0].upper()]
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf8")
    printed, found = select(models, "rnn_textcat", texts, "-n", 100)
    assert "There are only 4 texts to choose from." in printed
    assert "texts read: 11; chosen: 4; left out: empty: 2" in printed
    # The same letters in upper case are another text to the network, which may be less certain.
    assert sorted(each["text"].casefold() for each in found) == sorted(map(str.casefold, TEXTS))


@pytest.mark.parametrize("content", ["", '{"text": ""}\n', '{"text": " "}\n'])
def test_no_texts(content, models, texts):
    texts.write_text(content, encoding="utf8")
    printed, found = select(models, "rnn_textcat", texts, code=1)
    assert "has no text to choose" in printed and not found


def test_a_text_of_a_million_tokens_is_left_out(models, texts):
    rows = [{"text": "ham " * 1_000_000}, {"text": "I like ham"}]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    printed, found = select(models, "rnn_ner", texts)
    assert "too long for the pipeline: 1" in printed
    assert [each["text"] for each in found] == ["I like ham"]


@pytest.mark.parametrize(
    "factory, options, message",
    [
        ("rnn_regressor", [], "The pipeline has no tagger, entity recognizer, text classifier or"),
        ("rnn_lm", [], "The pipeline has no tagger, entity recognizer, text classifier or"),
        ("rnn_tagger", ["--format", "prodigy"], "--format is for entity recognizers and text"),
        ("rnn_tagger", ["--format", "brat"], "--format must be one of prodigy, doccano"),
        ("rnn_tagger", ["--strategy", "random"], "strategy must be one of least-confidence"),
        ("rnn_tagger", ["--component", "x"], "Choose one with --component: rnn_tagger."),
        ("rnn_tagger", ["--text-column", "x"], "has no 'x', but 'text'"),
        ("rnn_tagger", ["-n", "0"], "'n' must be a whole number of at least 1"),
        ("rnn_tagger", ["--max-similarity", "2"], "'max_similarity' is a probability"),
        ("rnn_tagger", ["-o", "x.csv"], "does not end in one of .jsonl, .json"),
    ],
)
def test_bad_arguments(factory, options, message, models, texts):
    printed, _ = select(models, factory, texts, *options, code=1)
    assert message in printed
