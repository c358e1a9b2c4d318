"""spaCy's check of a model: python -m spacy debug model."""

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_rnn.cli.recipes import RECIPES

from ..helpers.cli import run
from ..helpers.pipelines import SENTENCES, make_doc
from ..helpers.slow import slow_but

TASKS = list(dict.fromkeys(task for task, _ in RECIPES))


@pytest.mark.parametrize("task", slow_but(["lm"], TASKS))
def test_every_step(tmp_path, task):
    docs = [make_doc(spacy.blank("xx").vocab, *sentence) for sentence in SENTENCES * 5]
    corpus, config = tmp_path / "all.spacy", tmp_path / "config.cfg"
    DocBin(docs=docs, store_user_data=True).to_disk(corpus)
    run("rnn", "init-config", config, "--task", task)
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    output = run("debug", "model", config, task, "-P0", "-P1", "-P2", "-P3", *paths)
    for step in ("before training", "after initialization", "after training", "prediction"):
        assert f"- {step}" in output
    assert "Initialized the model with the training corpus." in output
    assert "model looks good" in output
