"""Rows and plots of training curves."""

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from copy import deepcopy

import numpy as np
import pytest
import spacy
import torch
from matplotlib.image import imread
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_loop

from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.training import logger
from spacy_rnn.training.logger import (
    Curves,
    Rows,
    make_console_logger,
    make_curve_logger,
    read_rows,
)

from ..helpers.pipelines import make_examples, make_tagger

#: what the training loop passed to the logger in the last `run`; None between evaluations
INFOS = []


@spacy.registry.loggers("test_logger.Keep.v1")
def make_keep(interrupt_at=None):
    def setup_logger(nlp, stdout, stderr):
        INFOS.clear()

        def log_step(info):
            INFOS.append(deepcopy(info))
            if info is not None and info["step"] == interrupt_at:
                raise KeyboardInterrupt

        return log_step, lambda: None

    return setup_logger


def chained(*loggers):
    names = {f"logger{i}": each for i, each in enumerate(loggers, 1)}
    return {"@loggers": "spacy.ChainLogger.v1", **names}


def curves(path, **settings):
    settings.setdefault("console_output", False)
    return {"@loggers": "spacy_rnn.CurveLogger.v1", "path": str(path), **settings}


BOW = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "ngram_size": 1,
    "no_output_layer": False,
    "length": 64,
}


def make_several():
    """Two components of this package and one of spaCy."""
    nlp = make_tagger()
    nlp.add_pipe("other", source=make_tagger(name="other", targets=["pos"]))
    nlp.add_pipe("textcat", config={"model": BOW})
    return nlp


def make_bow():
    nlp = spacy.blank("xx")
    nlp.add_pipe("textcat", config={"model": BOW})
    return nlp


def run(folder, logger, nlp):
    """Train for 6 steps, with evaluations at 0, 2, 4 and 6; returns the printed text."""
    gold = DocBin(docs=[eg.reference for eg in make_examples(nlp)])
    gold.to_disk(folder / "gold.spacy")
    corpus = {"@readers": "spacy.Corpus.v1", "path": str(folder / "gold.spacy")}
    rate = {"@schedules": "warmup_linear.v1", "warmup_steps": 3, "total_steps": 9}
    training = {
        "max_steps": 6,
        "eval_frequency": 2,
        "logger": logger,
        "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 2},
        "optimizer": {
            "@optimizers": "spacy_rnn.AdamW.v1",
            "learn_rate": {**rate, "initial_rate": "${vars.rate}"},
        },
    }
    config = nlp.config.copy()
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["vars"] = {"rate": 0.01}
    config["training"].update(training)
    printed = io.StringIO()
    train_loop(init_nlp(config), stdout=printed, stderr=printed)
    return printed.getvalue()


def read(path):
    """Rows of numbers, without the empty fields of a CSV file."""
    with path.open(encoding="utf8", newline="") as file:
        if path.suffix == ".csv":
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
        return [json.loads(line, parse_constant=pytest.fail) for line in file]


@pytest.fixture
def watched(monkeypatch):
    """The learning rate and the gradient norm, computed here, of each step of each component."""
    steps = {}
    finish_update = TorchShim.finish_update

    def watch(shim, optimizer):
        gradient = torch.cat([p.grad.flatten() for p in shim.module.parameters()])
        norm = float(gradient.norm()) / shim.n_items
        steps.setdefault(next(iter(shim.outputs)), []).append((optimizer.learn_rate, norm))
        finish_update(shim, optimizer)

    monkeypatch.setattr(TorchShim, "finish_update", watch)
    return steps


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_rows_contain_what_the_loop_reports(suffix, tmp_path, watched, monkeypatch):
    seconds = iter(range(0, 100, 4))
    monkeypatch.setattr(logger, "timer", lambda: next(seconds))
    path = tmp_path / "new" / f"curves{suffix}"
    run(tmp_path, chained(curves(path), {"@loggers": "test_logger.Keep.v1"}), make_several())
    rows, infos = read(path), [info for info in INFOS if info is not None]
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert len(INFOS) == 7 and len(watched["tag"]) == 7
    words = 0
    for row, info, span in zip(rows, infos, [(0, 1), (1, 3), (3, 5), (5, 7)], strict=True):
        expected = {name: info[name] for name in ("step", "epoch", "seconds", "score")}
        expected["words_per_second"] = (info["words"] - words) / 4
        words = info["words"]
        expected |= {n: s for n, s in info["other_scores"].items() if isinstance(s, float)}
        expected |= {f"loss_{name}": loss for name, loss in info["losses"].items()}
        for name, target in (("rnn_tagger", "tag"), ("other", "pos")):
            rates, norms = zip(*watched[target][slice(*span)], strict=True)
            expected["learn_rate"] = rates[-1]
            expected[f"gradient_norm_{name}"] = pytest.approx(np.mean(norms))
            expected[f"gradient_norm_max_{name}"] = pytest.approx(max(norms))
            expected[f"skipped_steps_{name}"] = 0
        assert row == expected
    assert {"loss_rnn_tagger", "loss_other", "loss_textcat", "tag_acc", "pos_acc"} <= rows[0].keys()
    assert len({row["learn_rate"] for row in rows}) == 4


def test_without_a_component_of_this_package(tmp_path):
    path = tmp_path / "curves.csv"
    run(tmp_path, curves(path, plot=str(tmp_path / "curves.svg")), make_bow())
    rows = read(path)
    assert len(rows) == 4 and rows[1]["loss_textcat"] > 0 and rows[1]["learn_rate"] > 0
    assert not any("gradient_norm" in name for name in rows[0])
    assert (tmp_path / "curves.svg").exists()


def test_interrupted_training_keeps_its_rows(tmp_path):
    path = tmp_path / "curves.csv"
    interrupt = {"@loggers": "test_logger.Keep.v1", "interrupt_at": 4}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, chained(curves(path), interrupt), make_tagger())
    assert [row["step"] for row in read(path)] == [0, 2, 4]


def test_a_new_training_replaces_the_files(tmp_path):
    path, plot = tmp_path / "curves.jsonl", tmp_path / "curves.png"
    path.write_text("old\n")
    plot.write_text("old")
    setup = make_curve_logger(path, plot)
    # Only reading the config, as "debug config" does, changes nothing.
    assert path.read_text() == "old\n" and plot.read_text() == "old"
    setup(make_tagger(), io.StringIO(), io.StringIO())
    assert path.read_text() == "" and not plot.exists()


def test_console(tmp_path):
    path = tmp_path / "curves.csv"
    silent = run(tmp_path, curves(path), make_tagger())
    printed = run(tmp_path, curves(path, console_output=True), make_tagger())
    table = run(tmp_path, {"@loggers": "spacy_rnn.ConsoleLogger.v1"}, make_tagger())
    stock = run(tmp_path, {"@loggers": "spacy.ConsoleLogger.v3"}, make_tagger())
    assert "LOSS" in printed and printed == table and "LOSS" not in silent
    assert table.startswith(stock)
    with pytest.raises(ValueError, match="E1048"):
        make_curve_logger(path, progress_bar="other")(make_tagger(), io.StringIO(), io.StringIO())


# Advice at the end


def advice(scores, max_steps, rate=0.1):
    """What is printed after the table of a training with an evaluation every ten steps."""
    nlp = make_tagger()
    optimizer = {"@optimizers": "spacy_rnn.AdamW.v1", "learn_rate": rate}
    nlp.config["training"].update(
        max_steps="${vars.steps}", eval_frequency=10, optimizer=optimizer, score_weights={}
    )
    nlp.config["vars"] = {"steps": max_steps}
    printed = io.StringIO()
    log_step, finalize = make_console_logger()(nlp, printed, printed)
    checkpoints = []
    for step, score in zip(range(0, 1000, 10), scores, strict=False):
        checkpoints.append((score, step))
        info = {"step": step, "epoch": 0, "score": score, "checkpoints": checkpoints}
        log_step({**info, "other_scores": {}, "losses": {"rnn_tagger": 1.0}})
    table = printed.getvalue()
    finalize()
    return " ".join(printed.getvalue().removeprefix(table).split())


RISING = [0.0, 0.3, 0.5, 0.6, 0.7]


def test_a_rising_score_is_reported_with_the_settings_of_a_longer_training():
    linear = {"@schedules": "warmup_linear.v1", "warmup_steps": 3, "initial_rate": 0.1}
    for rate, more in (
        (0.1, ""),
        ({**linear, "total_steps": 99}, ""),
        ({**linear, "total_steps": 40}, " --training.optimizer.learn_rate.total_steps 80"),
    ):
        found = advice(RISING, 40, rate)
        hint = "The score was still rising at step 40, the last one. To train longer:"
        assert f"{hint} --training.max_steps 80{more}" in found
        assert ("total_steps" in found) == bool(more)
    # The last evaluation may be some steps before the last step.
    assert "at step 40" in advice(RISING, 49)


@pytest.mark.parametrize(
    "scores, max_steps",
    [
        (RISING, 50),  # Stopped by patience, by an error or by the user.
        (RISING, 0),
        ([0.5], 1),
        ([0.0, 0.3, 0.5, 0.72, 0.7], 40),
        ([0.0, 0.3, 0.5, 0.695, 0.7], 40),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 40),
        ([-1.0, -1.0, -1.0, -1.0, -0.999], 40),
    ],
)
def test_no_advice(scores, max_steps):
    assert advice(scores, max_steps) == ""


# Rows of given evaluations


def log(path, infos, plot=None, nlp=None):
    """Rows of a logger that receives the given evaluations."""
    nlp = nlp or make_tagger()
    setup = make_curve_logger(path, plot, console_output=False)
    log_step, finalize = setup(nlp, io.StringIO(), io.StringIO())
    for step, (loss, scores) in enumerate(infos):
        info = {"step": step, "epoch": 0, "seconds": 0, "words": step, "score": 0.5}
        log_step({**info, "other_scores": scores, "losses": {"rnn_tagger": loss}})
    finalize()
    return read(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_scores_that_first_appear_later(suffix, tmp_path):
    path = tmp_path / f"curves{suffix}"
    rows = log(path, [(1.0, {}), (2.0, {"a, b": 0.25}), (3.0, {"a, b": 0.5}), (4.0, {"c": 1})])
    assert [row.get("a, b") for row in rows] == [None, 0.25, 0.5, None]
    assert [row.get("c") for row in rows] == [None, None, None, 1]
    assert [row["loss_rnn_tagger"] for row in rows] == [1, 2, 3, 4]
    assert list(tmp_path.iterdir()) == [path]


def test_scores_that_are_not_numbers_are_left_out(tmp_path):
    scores = {"by_type": {"A": {"f": 0.5}}, "none": None, "one": np.float32(1.0)}
    (row,) = log(tmp_path / "curves.jsonl", [(1.0, scores)])
    assert row["one"] == 1.0 and not row.keys() & {"by_type", "none"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_losses_that_are_not_finite(suffix, tmp_path):
    path, plot = tmp_path / f"curves{suffix}", tmp_path / "curves.png"
    losses = [math.nan, 1.0, math.inf, 2.0]
    rows = log(path, [(loss, {"tag_acc": math.nan}) for loss in losses], plot)
    found = [row["loss_rnn_tagger"] for row in rows]
    assert found[1::2] == [1.0, 2.0]
    if suffix == ".csv":
        assert math.isnan(found[0]) and found[2] == math.inf
    else:
        assert found[::2] == [None, None]
    assert imread(plot).size


@pytest.mark.parametrize(
    "norms, mean, largest",
    [
        ([1.0, 3.0, None], 2.0, 3.0),
        ([math.nan, 2.0, math.inf], 2.0, 2.0),
        ([None, math.nan, None], None, None),
        ([0.0, 0.0, 0.0], 0.0, 0.0),
    ],
)
def test_norms(norms, mean, largest, tmp_path):
    nlp = make_tagger()
    shim = nlp.get_pipe("rnn_tagger").shim
    setup = make_curve_logger(tmp_path / "a.jsonl", tmp_path / "a.svg", console_output=False)
    log_step, _ = setup(nlp)
    info = {"step": 2, "epoch": 0, "seconds": 0, "words": 9, "score": 0.5, "other_scores": {}}
    for norm, told in zip(norms, [None, None, {**info, "losses": {}}], strict=True):
        shim.gradient_norm = norm
        log_step(told)
    (row,) = read(tmp_path / "a.jsonl")
    assert row["gradient_norm_rnn_tagger"] == mean
    assert row["gradient_norm_max_rnn_tagger"] == largest


# Plots


def test_the_plotted_loss_is_the_mean_of_a_step():
    curves = Curves(make_tagger())
    info = {"epoch": 0, "seconds": 0, "words": 0, "score": 0.5, "other_scores": {}}
    told = zip([0, 10, 15], [3.0, 20.0, 30.0], strict=True)
    rows = [curves.log_step({**info, "step": s, "losses": {"a": loss}}) for s, loss in told]
    (panel,) = [panel for panel in curves.panels(rows) if "loss_a" in panel.curves]
    assert panel.curves["loss_a"].tolist() == [3.0, 2.0, 6.0]


def test_svg(tmp_path):
    path = tmp_path / "curves.svg"
    # A name that would be an invalid mathematical formula.
    nlp = make_tagger(name="$\\a$")
    nlp.config["training"]["score_weights"] = {"tag_acc": 1.0, "speed": None}
    log(tmp_path / "curves.csv", [(1.0, {"tag_acc": 0.5, "speed": 9e9}), (2.0, {})], path, nlp)
    text = path.read_text(encoding="utf8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    for shown in ("loss, mean per step", "scores", "learning rate", "tag_acc", "step"):
        assert f"<!-- {shown} -->" in text
    assert "gradient_norm_$\\a$ -->" in text
    assert "speed" not in text
    assert {each.name for each in tmp_path.iterdir()} == {"curves.csv", "curves.svg"}


@pytest.mark.slow
def test_png_is_drawn_at_each_evaluation(tmp_path):
    plot = tmp_path / "curves.png"
    pictures = []
    for n in (1, 3):
        log(tmp_path / "curves.csv", [(i, {}) for i in range(n)], plot)
        pictures.append(imread(plot))
    assert pictures[0].ndim == 3 and min(pictures[0].shape[:2]) > 100
    assert not np.array_equal(*pictures)


# Errors


@pytest.mark.parametrize(
    "path, plot, message",
    [
        ("curves.txt", None, "'path' of .training.logger. must be a file that ends in .csv or"),
        ("curves", None, "got 'curves'"),
        ("curves.csv", "curves.pdf", "'plot' of .* .svg or .png"),
    ],
)
def test_unknown_suffix(path, plot, message):
    with pytest.raises(ValueError, match=message):
        make_curve_logger(path, plot)


@pytest.mark.parametrize(
    "path, plot",
    [
        ("file/curves.csv", None),
        ("folder.csv", None),
        ("curves.csv", "file/curves.svg"),
        ("curves.csv", "folder.svg"),
    ],
)
def test_not_writable(path, plot, tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("folder.csv", "folder.svg"):
        (tmp_path / name).mkdir()
    setup = make_curve_logger(tmp_path / path, plot and tmp_path / plot)
    with pytest.raises(OSError, match="Can't write .*Set .training.logger. to a file"):
        setup(make_tagger(), io.StringIO(), io.StringIO())


def test_plot_without_matplotlib(hide):
    hide("matplotlib")
    with pytest.raises(ImportError, match=r"Drawing curves needs .*spacy-rnn\[plot\]"):
        make_curve_logger("curves.csv", "curves.svg")
    make_curve_logger("curves.csv")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_names_of_scores_are_not_formulas_in_a_spreadsheet(name, tmp_path):
    path = tmp_path / "curves.csv"
    rows = [{"step": 0, name: 0.5, "'quoted": 1.0}, {"step": 1, name: -0.25, "'quoted": 2.0}]
    written = Rows(path)
    for row in rows:
        written.append(row)
    with path.open(encoding="utf8", newline="") as file:
        assert next(csv.reader(file)) == ["step", "'" + name, "'quoted"]
    assert read_rows(path) == rows
    # Continue after the first step.
    assert Rows(path, n_done=1).rows == rows[:1] == read_rows(path)
