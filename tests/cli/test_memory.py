"""python -m spacy rnn memory."""

import json

import pytest

from ..helpers.cli import run

TINY = ("--hidden-size", "4", "--batch-size", "2", "--steps", "2")


def test_table_of_every_variant(tmp_path):
    options = (
        "--cell",
        "rnn_tanh",
        "--cell",
        "gru",
        "--length",
        3,
        "--length",
        2,
        "--seeds",
        "2",
        *TINY,
    )
    printed = run("rnn", "memory", *options, "--output", tmp_path / "out" / "runs.json")
    lines = printed.splitlines()
    start = next(i for i, line in enumerate(lines) if "fails from" in line)
    header, _, plain, gru, chrono = lines[start : start + 5]
    assert header.split() == ["2", "3", "fails", "from"]
    assert plain.startswith("rnn_tanh ") and plain.split()[-1] == "2" and "(0/2)" in plain
    assert gru.startswith("gru ") and chrono.startswith("gru, chrono ")
    data = json.loads((tmp_path / "out" / "runs.json").read_text(encoding="utf8"))
    assert data["task"] == "adding" and len(data["runs"]) == 3 * 2 * 2
    assert data["runs"][0]["variant"]["cell"] == "rnn_tanh"
    assert {(each["length"], each["seed"]) for each in data["runs"]} == {
        (2, 0), (2, 1), (3, 0), (3, 1),
    }  # fmt: skip


def test_a_solved_task_and_a_plot(tmp_path):
    options = ("--task", "recall", "--cell", "gru", "--init", "default", "--length", 2)
    small = ("--hidden-size", "16", "--batch-size", "32", "--learn-rate", "0.03")
    printed = run("rnn", "memory", *options, *small, "--output", tmp_path / "plot.svg")
    row = next(line for line in printed.splitlines() if line.startswith("gru"))
    # The task is solved at every length, so the last cell is empty.
    assert len(row.split()) == 2 and row.split()[1].isdigit()
    assert (tmp_path / "plot.svg").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ("--task", "sorting"),
            "--task must be one of adding, recall, copy, letters, got 'sorting'",
        ),
        (("--cell", "elman"), "'cell' must be one of rnn_tanh, rnn_relu, gru, lstm, none"),
        (("--init", "zeros"), "--init must be one of default, chrono, got 'zeros'"),
        (("--length", 1, "--cell", "gru"), "must be at least 2, got 1"),
        (("--output", "runs.txt"), "does not end in one of .json, .png, .svg"),
        (("--steps", "0"), "'steps' must be a whole number of at least 1"),
    ],
)
def test_errors(options, message):
    printed = run("rnn", "memory", *options, code=1)
    assert message in " ".join(printed.split())
