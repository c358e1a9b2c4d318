"""python -m spacy rnn agreement."""

import json
from dataclasses import replace

import pytest
import spacy

from ..helpers.agreement import CASES, DOG, WRONG, line_of, make_model, write
from ..helpers.cli import run
from ..helpers.pipelines import make_examples, make_pipeline, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with cases, and with pipelines with a language model, a tagger, and both."""
    path = tmp_path_factory.mktemp("agreement")
    model = make_model()
    model.to_disk(path / "lm")
    tagger = make_pipeline("rnn_tagger", targets=["morph"])
    train(tagger, make_examples(tagger), steps=1)
    tagger.to_disk(path / "tagger")
    model.add_pipe("rnn_tagger", source=tagger)
    model.add_pipe("rnn_lm", name="second", source=make_model(steps=1))
    model.to_disk(path / "both")
    unusable = replace(DOG, other=None)
    write(path / "cases.jsonl", *map(line_of, [*CASES, WRONG[1], unusable]))
    return path


def rows(printed, header):
    """The cells of the table with this header."""
    lines = printed.splitlines()
    start = next(i for i, line in enumerate(lines) if header in line)
    end = next(i for i in range(start, len(lines)) if not lines[i].strip())
    return [line.split() for line in lines[start + 2 : end]]


def test_language_model(folder):
    output = folder / "new" / "figures.json"
    printed = run("rnn", "agreement", folder / "lm", folder / "cases.jsonl", "--output", output)
    assert rows(printed, "words between") == [["3", "3", "0.667"]]
    assert rows(printed, "attractors") == [["0", "1", "1.000"], ["1", "2", "0.500"]]
    assert "Accuracy of 3 cases: 0.667" in printed and "1 cases whose verb has one form" in printed
    assert json.loads(output.read_text(encoding="utf8")) == {
        "accuracy": pytest.approx(2 / 3),
        "cases": 3,
        "excluded": {"whose verb has one form": 1},
        "distance": [{"value": 3, "cases": 3, "correct": 2}],
        "attractors": [
            {"value": 0, "cases": 1, "correct": 1}, {"value": 1, "cases": 2, "correct": 1},
        ],
    }  # fmt: skip


def test_tagger_and_plot(folder):
    output = folder / "plot.png"
    printed = run("rnn", "agreement", folder / "tagger", folder / "cases.jsonl", "-o", output)
    assert "Accuracy of 4 cases" in printed and "excluded" not in printed
    assert output.stat().st_size > 1000


def test_choosing_one_of_several_components(folder):
    arguments = ("rnn", "agreement", folder / "both", folder / "cases.jsonl")
    assert "Choose one with --component: rnn_lm, second" in run(*arguments, code=1).replace(
        "\n", " "
    )
    assert "Accuracy of 3 cases: 0.667" in run(*arguments, "--component", "rnn_lm")
    assert "Accuracy of 4 cases" in run(*arguments, "--component", "rnn_tagger")
    printed = " ".join(run(*arguments, "--component", "third", code=1).split())
    assert "no rnn_lm 'third'" in printed


def test_errors(folder):
    data = folder / "cases.jsonl"

    def fails(*arguments):
        return " ".join(run("rnn", "agreement", *arguments, code=1).split())

    spacy.blank("xx").to_disk(folder / "blank")
    assert "Its components: none" in fails(folder / "blank", data)
    assert "does not end in one of .json" in fails(folder / "lm", data, "-o", "figures.txt")
    assert "No such file" in fails(folder / "lm", folder / "none.jsonl")
    assert "is empty" in fails(folder / "lm", write(folder / "empty.jsonl"))
    bad = write(folder / "bad.jsonl", line_of(DOG), line_of(DOG, verb=80))
    assert "Line 2 of" in fails(folder / "lm", bad)
    backward = make_model(direction="backward", steps=1)
    backward.to_disk(folder / "backward")
    assert "only reads backwards" in fails(folder / "backward", data)
