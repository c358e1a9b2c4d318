"""Errors that end a command print a message that says what to do, or a traceback."""

import shutil

import pytest

from spacy_rnn.analysis import states
from spacy_rnn.training.checkpoint import FOLDER

from ..helpers.cli import run, shown
from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_trained
from ..helpers.trainings import make_config

#: arguments of commands that load a pipeline, after the pipeline
LOADING = {
    "apply": ["TEXTS", "-o", "out.jsonl"],
    "attention": ["a"],
    "compress": ["out", "--texts", "TEXTS"],
    "evaluate": ["TEXTS"],
    "generate": ["a"],
    "gradients": ["a"],
    "saliency": ["a"],
    "select": ["TEXTS"],
    "serve": [],
    "states": ["a"],
    "suggest": ["a"],
    "threshold": ["TEXTS", "--precision", "1"],
    "verify": [],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tagger"
    make_trained("rnn_tagger", steps=1).to_disk(path)
    return path


@pytest.fixture
def training(model, tmp_path):
    """The output folder of a training."""
    shutil.copytree(model, tmp_path / "out" / "model-best")
    return tmp_path / "out"


@pytest.mark.parametrize("command", LOADING)
@pytest.mark.parametrize("file", ["tokenizer", "rnn_tagger/model", "meta.json"])
def test_a_damaged_pipeline(command, file, training):
    best = training / "model-best"
    path = best / file
    path.write_bytes(path.read_bytes()[:-20])
    printed = fails(command, best, training)
    assert f"'{best}' can't be loaded" in printed
    assert file == "rnn_tagger/model" or "missing or damaged. Copy it again" in printed


def test_a_pipeline_without_its_config(training):
    best = training / "model-best"
    (best / "config.cfg").unlink()
    printed = fails("verify", best, training)
    assert f"'{best}' can't be loaded" in printed and "missing or damaged" in printed


def test_settings_that_do_not_fit(training):
    best = training / "model-best"
    config = (best / "config.cfg").read_text()
    (best / "config.cfg").write_text(config.replace('= "rnn_tagger"', '= "rnn_ner"'))
    printed = fails("verify", best, training)
    assert "settings of 'rnn_tagger': rnn_ner.targets: unexpected argument: 'targets'" in printed
    assert "spacy_rnn.WordEmbedding.v1" not in printed


@pytest.mark.parametrize("command", [*LOADING, "package"])
def test_the_folder_of_a_training(command, training):
    assert f"Give one of its pipelines: {training}/model-best" in fails(command, training, training)


def fails(command, model, folder):
    """Run a command that loads a pipeline, and return its message."""
    texts = folder / "texts.txt"
    texts.write_text("a\n")
    arguments = [texts if each == "TEXTS" else each for each in LOADING.get(command, ["packages"])]
    return shown(run("rnn", command, model, *arguments, code=1))


@pytest.mark.parametrize("command", ["apply", "evaluate"])
def test_without_a_gpu(command, model, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("a\n")
    output = ["-o", tmp_path / "out.jsonl"]
    printed = shown(run("rnn", command, model, texts, *output, "--gpu-id", "999", code=1))
    assert "GPU 999 cannot be used" in printed and "Leave out --gpu-id" in printed


def test_memory_without_a_gpu():
    assert "torch finds no GPU 999" in shown(run("rnn", "memory", "--gpu-id", "999", code=1))


def test_trainings_that_cannot_be_resumed(tmp_path):
    config = make_config(KINDS["rnn_tagger"].make(), tmp_path, max_steps=1)
    config.to_disk(tmp_path / "config.cfg")
    resume = ["rnn", "train", tmp_path / "config.cfg", "--output", tmp_path / "out", "--resume"]
    run(*resume)
    printed = shown(run(*resume, "--training.dropout", "0.5", code=1))
    assert "✘ The checkpoint is one of another config. Settings that differ" in printed
    assert "Traceback" not in printed
    (tmp_path / "out" / FOLDER / "state.msgpack").write_bytes(b"\x81")
    printed = shown(run(*resume, code=1))
    assert "is damaged" in printed and "without --resume" in printed


def test_other_errors_keep_their_traceback(model, monkeypatch):
    def fail_elsewhere(*_):
        exec(compile("raise ValueError('of another package')", "x", "exec"), {"__name__": "x"})

    monkeypatch.setattr(states, "compute_states", fail_elsewhere)
    run("rnn", "states", model, "a", code=1, message="of another package")
    monkeypatch.setattr(states, "compute_states", lambda *_: 1 / 0)
    run("rnn", "states", model, "a", code=1, message="division by zero")
