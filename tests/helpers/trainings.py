"""Trainings of small components by the training loops."""

import io
import shutil
from copy import deepcopy

import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp

from spacy_rnn.training.loop import train

from .pipelines import make_examples

#: functions that the logger of these trainings calls at each step, and the infos that it received
HOOKS = []
INFOS = []
MAX_STEPS = 12


@spacy.registry.loggers("trainings.Hooks.v1")
def make_hooks():
    def setup_logger(nlp, stdout, stderr):
        INFOS.clear()

        def log_step(info):
            INFOS.append(deepcopy(info))
            for hook in HOOKS:
                hook(len(INFOS) - 1)

        return log_step, lambda: None

    return setup_logger


def make_config(nlp, folder, **training):
    """A config that trains a pipeline on the four sentences, in shuffled batches of one or two."""
    docs = [eg.reference for eg in make_examples(nlp)]
    path = folder / "gold.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    corpus = {"@readers": "spacy.Corpus.v1", "path": str(path)}
    rate = {"@schedules": "warmup_linear.v1", "warmup_steps": 3, "total_steps": 100}
    config = nlp.config.copy()
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"].update(
        {
            "seed": 1,
            "dropout": 0.2,
            "max_steps": MAX_STEPS,
            "eval_frequency": 4,
            "logger": {"@loggers": "trainings.Hooks.v1"},
            "batcher": {
                "@batchers": "spacy.batch_by_words.v1",
                "size": {"@schedules": "compounding.v1", "start": 3, "stop": 9, "compound": 1.1},
                "tolerance": 0.2,
            },
            "optimizer": {
                "@optimizers": "spacy_rnn.AdamW.v1",
                "learn_rate": {**rate, "initial_rate": 0.02},
            },
            **training,
        }
    )
    return config


def run(config, output, loop=train, **options):
    """Train by a loop. Returns the printed text."""
    output.mkdir(parents=True, exist_ok=True)
    printed = io.StringIO()
    nlp = init_nlp(config)
    loop(nlp, output, stdout=printed, stderr=printed, **options)
    return printed.getvalue()


def content(folder):
    """The content of all files of one or more models."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "checkpoint" not in path.relative_to(folder).parts
    }


def snapshots(output, folder, steps):
    """A hook that copies the output of a training at some steps, as if it were killed there."""

    def copy(step):
        if step in steps:
            shutil.copytree(output, folder / str(step))

    return copy
