"""Training with checkpoints, stopped or not, gives the same models as spaCy's training loop."""

import errno
import os
import shutil
import signal

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy.training.loop import train as spacy_train

from spacy_rnn.training import checkpoint, loop
from spacy_rnn.training.logger import read_rows

from ..helpers.kinds import KINDS
from ..helpers.slow import slow_but
from ..helpers.trainings import HOOKS, INFOS, MAX_STEPS, content, make_config, run, snapshots


@pytest.fixture(autouse=True)
def no_hooks():
    HOOKS.clear()
    yield
    HOOKS.clear()


def make(name, **config):
    """A component with randomness in training: sampled pieces, lengths and decoder inputs."""
    if name == "rnn_translator":
        schedule = {"@schedules": "spacy_rnn.linear.v1", "start": 1.0, "stop": 0.2, "steps": 9}
        pieces = {"alpha": 0.5}
        model = {"source_pieces": pieces}
        return KINDS[name].make(model, teacher_forcing=schedule, **config)
    if name == "rnn_lm":
        return KINDS[name].make(random_bptt_length=True, **config)
    return KINDS[name].make(**config)


@pytest.mark.parametrize("name", slow_but(["rnn_tagger", "rnn_lm"], KINDS))
def test_models_are_those_of_spacy(name, tmp_path):
    config = make_config(make(name), tmp_path)
    run(config, tmp_path / "spacy", spacy_train)
    run(config, tmp_path / "ours", checkpoint_every=3)
    assert content(tmp_path / "ours") == content(tmp_path / "spacy")
    assert {"model-best", "model-last"} == {p.name for p in (tmp_path / "spacy").iterdir()}


@pytest.mark.parametrize("name", slow_but(["rnn_tagger", "rnn_translator", "rnn_lm"], KINDS))
def test_stopped_and_resumed_trainings_end_with_the_same_bytes(name, tmp_path):
    """The output folder is copied at some steps, in the state that a kill would leave it in."""
    config = make_config(make(name), tmp_path)
    whole, copies = tmp_path / "whole", tmp_path / "copies"
    steps = [1, 2, 5, 8, 11]
    HOOKS.append(snapshots(whole, copies, steps))
    run(config, whole, checkpoint_every=2)
    HOOKS.clear()
    expected = content(whole)
    for step in steps:
        printed = run(config, copies / str(step), checkpoint_every=2, resume=True)
        assert content(copies / str(step)) == expected, step
        # The checkpoint after step 2 n - 1 is written when the logger of that step has finished.
        done = step // 2 * 2
        assert len(INFOS) == MAX_STEPS + 1 - done
        assert (f"Resumed from the checkpoint after {done} steps" in printed) == bool(done)


def test_streamed_corpora_and_components_of_spacy_are_resumed(tmp_path):
    nlp = make("rnn_tagger")
    nlp.add_pipe("tagger", config={"overwrite": True})
    optimizer = {"@optimizers": "Adam.v1", "learn_rate": 0.01, "use_averages": True}
    config = make_config(nlp, tmp_path, optimizer=optimizer, max_epochs=-1)
    whole, copies = tmp_path / "whole", tmp_path / "copies"
    HOOKS.append(snapshots(whole, copies, [7]))
    run(config, whole, checkpoint_every=3)
    HOOKS.clear()
    run(config, copies / "7", resume=True)
    assert content(copies / "7") == content(whole)


@spacy.registry.readers("loop.Shuffled.v1")
def make_shuffled(path):
    """A corpus in a random order from numpy, which components also use for pieces and lengths."""
    corpus = Corpus(path)

    def read(nlp):
        examples = list(corpus(nlp))
        return [examples[i] for i in np.random.permutation(len(examples))]

    return read


def test_readers_resume_in_the_order_that_they_had_drawn(tmp_path):
    config = make_config(make("rnn_lm"), tmp_path, max_epochs=-1)
    config["corpora"]["train"]["@readers"] = "loop.Shuffled.v1"
    whole, copies = tmp_path / "whole", tmp_path / "copies"
    HOOKS.append(snapshots(whole, copies, [7]))
    run(config, whole, checkpoint_every=3)
    HOOKS.clear()
    run(config, copies / "7", resume=True)
    assert content(copies / "7") == content(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_write_a_checkpoint(number, tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(config, whole)
    HOOKS.append(lambda step: step == 6 and os.kill(os.getpid(), number))
    if number == signal.SIGINT:
        with pytest.raises(KeyboardInterrupt):
            run(config, stopped)
    else:
        printed = run(config, stopped)
        assert "Interrupted. Continue with the same command and --resume" in printed
    assert len(INFOS) == 7
    spacy.load(stopped / "model-last")
    HOOKS.clear()
    assert "after 7 steps" in run(config, stopped, resume=True)
    assert content(stopped) == content(whole)


def test_a_finished_training_takes_no_step_and_a_longer_one_continues(tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path)
    short, long = tmp_path / "short", tmp_path / "long"
    run(config, short)
    before = content(short)
    assert "had reached its end" in run(config, short, resume=True)
    assert INFOS == [] and content(short) == before
    config["training"]["max_steps"] = 16
    run(config, long)
    run(config, short, resume=True)
    assert len(INFOS) == 4
    found, expected = content(short), content(long)
    # Only the configs differ, because they contain the limit.
    assert {n for n in expected if found[n] != expected[n]} <= {
        "model-best/config.cfg",
        "model-last/config.cfg",
    }


def test_patience_includes_steps_before_the_stop(tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path, patience=8, max_steps=0)
    config["training"]["optimizer"]["learn_rate"] = 0.0
    whole, copies = tmp_path / "whole", tmp_path / "copies"
    HOOKS.append(snapshots(whole, copies, [6]))
    run(config, whole, checkpoint_every=2)
    assert len(INFOS) == 9
    HOOKS.clear()
    run(config, copies / "6", resume=True)
    assert len(INFOS) == 3


def test_a_changed_config_is_refused_and_the_setting_is_named(tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path)
    run(config, tmp_path / "out")
    config["training"]["dropout"] = 0.5
    config["training"]["patience"] = 1000
    with pytest.raises(ValueError, match=r"Settings that differ: training\.dropout\. "):
        run(config, tmp_path / "out", resume=True)


@pytest.mark.parametrize("corpus", ["train", "dev"])
def test_changed_data_is_refused_and_the_setting_is_named(corpus, tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path)
    folder = tmp_path / "folder"
    shutil.copytree(tmp_path, folder, ignore=shutil.ignore_patterns("folder"))
    config["corpora"][corpus] = {**config["corpora"][corpus], "path": str(folder)}
    run(config, tmp_path / "out")
    before = (folder / "gold.spacy").read_bytes()
    docs = list(DocBin().from_bytes(before).get_docs(spacy.blank("en").vocab))
    docs[0][0].tag_ = docs[0][1].tag_
    DocBin(docs=docs).to_disk(folder / "gold.spacy")
    with pytest.raises(ValueError, match=rf"began: corpora\.{corpus}\.path\. .* without --resume"):
        run(config, tmp_path / "out", resume=True)
    (folder / "gold.spacy").write_bytes(before)
    assert "Resumed" in run(config, tmp_path / "out", resume=True)
    (folder / "more.spacy").write_bytes(before)
    with pytest.raises(ValueError, match=rf"corpora\.{corpus}\.path"):
        run(config, tmp_path / "out", resume=True)


def test_without_a_checkpoint_training_starts_from_the_beginning(tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path)
    assert "Resumed" not in run(config, tmp_path / "out", resume=True)
    assert len(INFOS) == MAX_STEPS + 1


def damage_state(folder):
    path = folder / "state.msgpack"
    path.write_bytes(path.read_bytes()[:-9])


def damage_tensors(folder):
    (folder / "optimizer.safetensors").write_bytes(b"12345678{")


def flip_a_bit(folder):
    path = folder / "optimizer.safetensors"
    data = bytearray(path.read_bytes())
    data[-7] ^= 64
    path.write_bytes(data)


def remove_tensors(folder):
    (folder / "optimizer.safetensors").unlink()


def newer(folder):
    state = srsly.read_msgpack(folder / "state.msgpack")
    srsly.write_msgpack(folder / "state.msgpack", {**state, "format": checkpoint.FORMAT + 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage_state, "is damaged .* without --resume"),
        (damage_tensors, "is damaged .* without --resume"),
        (flip_a_bit, "is damaged .*optimizer.safetensors is not the one that was saved"),
        (remove_tensors, "is damaged .* without --resume"),
        (newer, "by a newer spacy-rnn. Upgrade"),
    ],
)
def test_bad_checkpoints_are_refused(change, message, tmp_path):
    config = make_config(make("rnn_tagger"), tmp_path, max_steps=1)
    run(config, tmp_path / "out")
    change(tmp_path / "out" / checkpoint.FOLDER)
    with pytest.raises(ValueError, match=message):
        run(config, tmp_path / "out", resume=True)


def test_a_full_disk_keeps_the_models_and_the_checkpoint(tmp_path, monkeypatch):
    config = make_config(make("rnn_tagger"), tmp_path)
    output = tmp_path / "out"

    def fill_disk(step):
        if step == 5:
            monkeypatch.setattr(loop, "save_checkpoint", full)

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    HOOKS.append(fill_disk)
    with pytest.raises(OSError, match="No space left on device. The models and the checkpoint"):
        run(config, output, checkpoint_every=2)
    HOOKS.clear()
    monkeypatch.undo()
    whole = tmp_path / "whole"
    run(config, whole)
    assert "after 4 steps" in run(config, output, resume=True)
    assert content(output) == content(whole)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_curves_are_continued(suffix, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    logger = {"@loggers": "spacy_rnn.CurveLogger.v1", "console_output": False}
    hooks = {"@loggers": "trainings.Hooks.v1"}
    config = make_config(make("rnn_tagger"), tmp_path)

    def settings(path):
        curves = {**logger, "path": str(path)}
        return {"@loggers": "spacy.ChainLogger.v1", "logger1": curves, "logger2": hooks}

    curves = [tmp_path / f"{name}{suffix}" for name in ("whole", "stopped")]
    config["training"]["logger"] = settings(curves[0])
    run(config, whole)
    config["training"]["logger"] = settings(curves[1])
    HOOKS.append(lambda step: step == 6 and os.kill(os.getpid(), signal.SIGTERM))
    run(config, stopped)
    HOOKS.clear()
    # The file has rows of steps after the checkpoint, as a kill leaves it.
    shutil.copy(curves[0], curves[1])
    run(config, stopped, resume=True)
    rows, expected = (list(map(without_times, read_rows(path))) for path in reversed(curves))
    # The means of gradients in a row do not include the steps before the stop.
    for row in (rows[2], expected[2]):
        for name in list(row):
            if name.startswith("gradient_norm"):
                del row[name]
    assert rows == expected and [row["step"] for row in rows] == [0, 4, 8, 12]


def without_times(row):
    times = ("seconds", "speed", "words_per_second")
    return {name: x for name, x in row.items() if name not in times}
