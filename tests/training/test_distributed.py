"""Several processes that train together end with the weights of one process with larger batches."""

import io

import pytest
import spacy
from spacy.training.initialize import init_nlp

from spacy_rnn.training.loop import train

from ..helpers.distributed import make_corpus, torchrun
from ..helpers.kinds import KINDS

#: examples in a batch of each of two processes; 13 examples leave one for the last step of an epoch
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


def train_alone(config, output):
    nlp = init_nlp(config)
    train(nlp, output, stdout=io.StringIO())
    return nlp


def max_difference(nlp, other):
    found, expected = weights_of(nlp), weights_of(other)
    assert found.keys() == expected.keys()
    return max(
        float((found[name] - expected[name]).abs().max()) for name in expected if expected[name].numel()
    )


LM = {"rnn_lm": {"streams": 2, "bptt_length": 4}}
SETTINGS = {
    **{name: (name, LM.get(name, {})) for name in KINDS},
    "rnn_lm_carry": ("rnn_lm", {**LM["rnn_lm"], "carry_state": True, "random_bptt_length": True}),
}


def make(case, processes):
    factory, settings = SETTINGS[case]
    if "streams" in settings:
        settings = {**settings, "streams": settings["streams"] * 2 // processes}
    return KINDS[factory].make(**settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All trainings by two processes, started once."""
    folder = tmp_path_factory.mktemp("distributed")
    corpus = folder / "corpus.spacy"
    make_corpus(corpus, EXAMPLES)
    for case in SETTINGS:
        make_config(make(case, 2), corpus).to_disk(folder / f"{case}.cfg")
    done = torchrun("-m", "tests.helpers.distributed", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("case", SETTINGS)
def test_weights_are_those_of_one_process(case, folder, tmp_path):
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2 * BATCH}
    config = make_config(make(case, 1), folder / "corpus.spacy", batcher=batcher)
    train_alone(config, tmp_path)
    for model in ("model-best", "model-last"):
        together, alone = spacy.load(folder / case / model), spacy.load(tmp_path / model)
        print(case, model, max_difference(together, alone))
        assert max_difference(together, alone) <= 1e-5
        assert together.meta["performance"] == pytest.approx(alone.meta["performance"], abs=1e-4)
