"""Training with several processes gives the weights of one process with larger batches."""

import io
import shutil
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from spacy.training import Corpus
from spacy.training.initialize import init_nlp

from spacy_rnn.runtime.distributed import process_group
from spacy_rnn.training.loop import train

from ..helpers.distributed import make_corpus, torchrun
from ..helpers.kinds import KINDS
from ..helpers.trainings import content

#: examples in the batch of each of two processes; of 13, one is left for the last step of an epoch
BATCH = 3
EXAMPLES = 13


def make_config(nlp, corpus, **training):
    config = nlp.config.copy()
    reader = {"@readers": "spacy.Corpus.v1", "path": str(corpus)}
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"].update(
        {
            "seed": 1,
            "dropout": 0.0,
            "max_steps": 10,
            "eval_frequency": 4,
            "logger": {"@loggers": "spacy_rnn.ConsoleLogger.v1"},
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": BATCH},
            "optimizer": {"@optimizers": "spacy_rnn.AdamW.v1", "learn_rate": 0.01},
            **training,
        }
    )
    return config


def weights_of(nlp):
    """The weights of all components by name."""
    return {
        f"{name}.{key}": weight
        for name, pipe in nlp.pipeline
        for key, weight in pipe.shim.module.state_dict().items()
    }


def numbers(nlp):
    """The scores and losses of a saved pipeline."""
    performance = nlp.meta["performance"]
    return {name: x for name, x in performance.items() if isinstance(x, float)}


def train_alone(config, output):
    nlp = init_nlp(config)
    train(nlp, output, stdout=io.StringIO())
    return nlp


def max_difference(nlp, other):
    found, expected = weights_of(nlp), weights_of(other)
    assert found.keys() == expected.keys()
    return max(float((found[n] - expected[n]).abs().max()) for n in expected if len(expected[n]))


LM = {"rnn_lm": {"streams": 2, "bptt_length": 4}}
SETTINGS = {
    **{name: (name, LM.get(name, {})) for name in KINDS},
    "rnn_lm_carry": ("rnn_lm", {**LM["rnn_lm"], "carry_state": True}),
}


def make(case, processes):
    factory, settings = SETTINGS[case]
    if "streams" in settings:
        settings = {**settings, "streams": settings["streams"] * 2 // processes}
    return KINDS[factory].make(**settings)


def make_several():
    """Components that draw random numbers: dropout, pieces and lengths of windows."""
    nlp = KINDS["rnn_tagger"].make()
    for other in (
        KINDS["rnn_translator"].make({"source_pieces": {"alpha": 0.5}}),
        KINDS["rnn_lm"].make(streams=2, bptt_length=4, random_bptt_length=True),
    ):
        (name,) = other.pipe_names
        nlp.add_pipe(name, source=other)
        nlp.config["components"][name] = other.config["components"][name]
    return nlp


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the results of all training by two processes, which is started once."""
    folder = tmp_path_factory.mktemp("distributed")
    corpus = folder / "corpus.spacy"
    make_corpus(corpus, EXAMPLES)
    for case in SETTINGS:
        make_config(make(case, 2), corpus).to_disk(folder / f"{case}.cfg")
    streamed_config(folder, processes=2).to_disk(folder / "streamed.cfg")
    tagger = KINDS["rnn_tagger"].make()
    for name in ("whole", "stopped.1", "stopped.2"):
        several_config(corpus).to_disk(folder / f"{name}.cfg")
    patience_config(corpus).to_disk(folder / "patience.cfg")
    make_config(tagger, corpus, seed=None).to_disk(folder / "no_seed.cfg")
    differing = make_config(tagger, corpus)
    differing["corpora"]["train"]["@readers"] = "distributed.Differing.v1"
    differing.to_disk(folder / "differing.cfg")
    stock = spacy.blank("xx")
    stock.add_pipe("tagger")
    stock.initialize(lambda: Corpus(corpus)(stock))
    stock.to_disk(folder / "stock")
    tagger.add_pipe("tagger", source=stock)
    for name, frozen in (("foreign", []), ("frozen", ["tagger"])):
        config = make_config(tagger, corpus, frozen_components=frozen)
        config["components"]["tagger"] = {"source": str(folder / "stock")}
        config.to_disk(folder / f"{name}.cfg")
    done = torchrun("-m", "tests.helpers.distributed", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Only Linux lists threads so")
def test_the_group_ends_with_its_threads(folder):
    """Threads that are still running when Python exits would crash the process."""
    for rank in range(2):
        threads = (folder / f"threads{rank}").read_text().split()
        assert threads and not [name for name in threads if "gloo" in name]


def several_config(corpus):
    return make_config(
        make_several(),
        corpus,
        dropout=0.2,
        accumulate_gradient=2,
        before_update={"@callbacks": "distributed.Events.v1"},
    )


def patience_config(corpus):
    optimizer = {"@optimizers": "spacy_rnn.AdamW.v1", "learn_rate": 0.0}
    settings = {"patience": 3, "max_steps": 0, "eval_frequency": 2, "optimizer": optimizer}
    return make_config(KINDS["rnn_tagger"].make(), corpus, **settings)


def streamed_config(folder, processes):
    """A corpus of several files, shuffled in a buffer."""
    parts = folder / "parts"
    if not parts.exists():
        parts.mkdir()
        for i in range(3):
            make_corpus(parts / f"{i}.spacy", 4 + i)
    batches = {"@batchers": "spacy.batch_by_sequence.v1", "size": BATCH * 2 // processes}
    shuffled = {"@batchers": "spacy_rnn.batch_shuffled.v1", "buffer": 5, "batcher": batches}
    return make_config(KINDS["rnn_tagger"].make(), parts, max_epochs=-1, batcher=shuffled)


def processes_of(output):
    """The state of each process in the checkpoint of a training."""
    return srsly.read_msgpack(output / "checkpoint" / "state.msgpack")["processes"]


@pytest.mark.parametrize("case", SETTINGS)
def test_weights_are_those_of_one_process(case, folder, tmp_path):
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2 * BATCH}
    config = make_config(make(case, 1), folder / "corpus.spacy", batcher=batcher)
    train_alone(config, tmp_path)
    for model in ("model-best", "model-last"):
        together, alone = spacy.load(folder / case / model), spacy.load(tmp_path / model)
        assert max_difference(together, alone) <= 1e-5
        assert numbers(together) == pytest.approx(numbers(alone), abs=1e-4)


def test_a_streamed_corpus_is_shared(folder, tmp_path):
    train_alone(streamed_config(folder, processes=1), tmp_path)
    together, alone = (spacy.load(f / "model-last") for f in (folder / "streamed", tmp_path))
    assert max_difference(together, alone) <= 1e-5


def test_a_stopped_training_is_resumed(folder):
    """Only one of the processes receives the signal."""
    assert content(folder / "stopped") == content(folder / "whole")


def test_processes_agree(folder):
    """Processes agree on steps that are not finite, added labels, and random stream lengths."""
    first, second = processes_of(folder / "whole")
    assert first["progress"]["step"] == second["progress"]["step"] == 11
    for process in (first, second):
        assert process["components"]["rnn_tagger"]["shim"]["skipped"] == 1
    streams, others = (process["components"]["rnn_lm"]["streams"] for process in (first, second))
    assert srsly.msgpack_dumps(streams["streams"]) == srsly.msgpack_dumps(others["streams"])
    assert (streams["states"]["forwards"] != others["states"]["forwards"]).any()
    assert "NEW" in spacy.load(folder / "whole" / "model-last").get_pipe("rnn_tagger").labels


def test_patience_ends_all_processes(folder, tmp_path):
    train_alone(patience_config(folder / "corpus.spacy"), tmp_path)
    (alone,) = processes_of(tmp_path)
    for process in processes_of(folder / "patience"):
        assert process["progress"]["step"] == alone["progress"]["step"] == 4


def test_without_a_seed_processes_draw_a_common_one(folder):
    first, second = processes_of(folder / "no_seed")
    assert first["progress"]["words"] == second["progress"]["words"] > 0
    assert not (folder / "no_seed.error0").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("foreign", "have others: tagger. Add them to [training] frozen_components"),
        ("differing", "different training data. Their readers must give the same texts"),
    ],
)
def test_trainings_that_are_refused(name, message, folder):
    for rank in (0, 1):
        assert message in (folder / f"{name}.error{rank}").read_text()


def test_components_of_other_packages_may_be_frozen(folder):
    nlp = spacy.load(folder / "frozen" / "model-last")
    assert nlp.pipe_names == ["rnn_tagger", "tagger"]


def test_another_number_of_processes_is_refused(folder, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(folder / "rnn_tagger", output)
    nlp = init_nlp(make_config(make("rnn_tagger", 2), folder / "corpus.spacy"))
    with pytest.raises(ValueError, match="one of 2 processes, but there are 1 now. .* torchrun"):
        train(nlp, output, resume=True, stdout=io.StringIO())


@pytest.mark.slow
def test_a_process_that_dies_ends_the_command_which_can_be_resumed(folder, tmp_path):
    config, code, output = folder / "whole.cfg", tmp_path / "code.py", tmp_path / "output"
    code.write_text("import tests.helpers.distributed")
    command = ["-m", "spacy", "rnn", "train", config, "--output", output, "--code", code]
    command += ["--checkpoint-every", 3, "--resume"]
    for event, message in (("death", "SIGKILL"), ("error", "The second process has an error")):
        ended = torchrun(*command, EVENT=event)
        assert ended.returncode != 0
        for text in (message, "Process 0 stopped, because another process"):
            assert text in ended.stderr
        spacy.load(output / "model-last")
    done = torchrun(*command)
    assert done.returncode == 0, done.stderr
    for line in ("Using CPU", "Initialized pipeline", "Resumed from the checkpoint after 6 steps"):
        assert done.stdout.count(line) == 1
    assert content(output) == content(folder / "whole")


def test_a_process_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("LOCAL_RANK", str(torch.cuda.device_count()))
    with pytest.raises(ValueError, match="lower --nproc-per-node of torchrun"), process_group(0):
        pass


@pytest.mark.gpu
def test_training_on_gpus_gives_the_weights_of_training_on_cpus(folder, tmp_path):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    config = folder / "rnn_tagger.cfg"
    done = torchrun("-m", "spacy", "rnn", "train", config, "--output", tmp_path, "--gpu-id", 0)
    assert done.returncode == 0, done.stderr
    on_gpus, on_cpus = (spacy.load(f / "model-last") for f in (tmp_path, folder / "rnn_tagger"))
    assert max_difference(on_gpus, on_cpus) <= 1e-4
