"""python -m spacy rnn init-config."""

import pytest
import spacy
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_rnn.cli.recipes import RECIPES, make_config

from ..helpers.cli import run
from ..helpers.pipelines import SENTENCES, make_doc
from ..helpers.slow import slow_but

TASKS = list(dict.fromkeys(task for task, _ in RECIPES))
TWO_STEPS = ["--training.max_steps", "2", "--training.eval_frequency", "1"]
#: Few documents are no more than a window on as few streams.
FEW = {
    "translator": ["--components.translator.search.max_ratio", "0.5"],
    "lm": ["--components.lm.streams", "2", "--components.lm.bptt_length", "5"],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A file with annotation of every kind."""
    vocab = spacy.blank("xx").vocab
    docs = [make_doc(vocab, *sentence) for sentence in SENTENCES * 5]
    path = tmp_path_factory.mktemp("corpus") / "all.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def shown(output):
    return " ".join(output.split())


def n_weights(path, task):
    module = spacy.load(path).get_pipe(task).shim.module
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("task", slow_but(["textcat"], TASKS))
def test_complete_and_trainable(corpus, tmp_path, task):
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    for optimize in ("efficiency", "accuracy"):
        config, filled = tmp_path / f"{optimize}.cfg", tmp_path / "filled.cfg"
        run("rnn", "init-config", config, "--task", task, "--optimize", optimize)
        assert "already complete" in run("init", "fill-config", config, filled)
        assert filled.read_text() == config.read_text()
        run("debug", "config", config, *paths)
        run(
            "train", config, *paths, *TWO_STEPS, *FEW.get(task, []), "--output", tmp_path / optimize
        )
    trained = [tmp_path / optimize / "model-last" for optimize in ("efficiency", "accuracy")]
    assert n_weights(trained[0], task) < n_weights(trained[1], task)
    # The saved config makes an optimizer again.
    assert spacy.load(trained[1]).resume_training().grad_clip == 1.0


def test_standard_output_is_the_config_alone(tmp_path):
    run(
        "rnn",
        "init-config",
        tmp_path / "ner.cfg",
        "-t",
        "ner",
        "-l",
        "de",
        "--optimize",
        "accuracy",
    )
    printed = run("rnn", "init-config", "-t", "ner", "-l", "de", "--optimize", "accuracy")
    assert printed.strip() == (tmp_path / "ner.cfg").read_text().strip()
    assert (
        run("rnn", "init-config", "-", "-t", "ner", "-l", "de", "--optimize", "accuracy") == printed
    )
    config = Config().from_str(printed)
    assert config["nlp"]["lang"] == "de" and config["nlp"]["pipeline"] == ["ner"]
    assert config["components"]["ner"]["factory"] == "rnn_ner"
    assert config["components"]["ner"]["model"]["decoder"] == "crf"


@pytest.mark.parametrize("optimize", ["efficiency", "accuracy"])
@pytest.mark.parametrize("task", slow_but(["textcat", "lm"], TASKS))
def test_settings(task, optimize):
    cpu, gpu = (make_config(task, "en", optimize, gpu) for gpu in (False, True))
    training, recipe = cpu["training"], RECIPES[task, optimize].training
    assert training["max_steps"] == recipe.max_steps and training["batcher"]["size"] == recipe.size
    assert training["optimizer"]["@optimizers"] == "spacy_rnn.AdamW.v1"
    rate = training["optimizer"]["learn_rate"]
    if recipe.warmup_steps:
        # spaCy reads the block alone: a variable would have no value.
        assert rate["total_steps"] == recipe.max_steps
        assert rate["initial_rate"] == recipe.learn_rate
    else:
        assert rate == recipe.learn_rate
    assert sum(weight or 0 for weight in training["score_weights"].values()) == 1.0
    assert gpu["system"]["gpu_allocator"] == "pytorch" and cpu["system"]["gpu_allocator"] is None
    assert gpu["training"]["batcher"]["size"] > training["batcher"]["size"]
    models = [config["components"][task]["model"] for config in (cpu, gpu)]
    assert [model["mixed_precision"] for model in models] == ["none", "bf16"]
    assert models[1]["batch_tokens"] > models[0]["batch_tokens"]
    if task == "lm":
        # Each step learns from a window of each stream, as without a GPU.
        units = [config["components"]["lm"]["streams"] for config in (cpu, gpu)]
        sizes = [config["training"]["batcher"]["size"] for config in (cpu, gpu)]
        assert units[1] / units[0] == sizes[1] / sizes[0]


@pytest.mark.parametrize("given, lang", [("deu", "de"), ("xx", "xx"), ("sr", "sr")])
def test_languages(given, lang):
    assert make_config("ner", given)["nlp"]["lang"] == lang


def test_not_overwritten_unless_forced(tmp_path):
    path = tmp_path / "new" / "config.cfg"
    printed = run("rnn", "init-config", path, "--task", "textcat")
    assert "train config.cfg" in shown(printed)
    path.write_text("mine")
    arguments = ["rnn", "init-config", path, "--task", "textcat"]
    assert "set --force or -F" in shown(run(*arguments, code=1))
    assert path.read_text() == "mine"
    run(*arguments, "--force")
    assert "rnn_textcat" in path.read_text()


@pytest.mark.parametrize("lang", ["zz", "", "../en", "punctuation"])
def test_unknown_language(tmp_path, lang):
    path = tmp_path / "config.cfg"
    printed = run("rnn", "init-config", path, "--task", "ner", "--lang", lang, code=1)
    assert f"no language '{lang}'. Use the code of one" in shown(printed)
    assert not path.exists()


def test_language_that_needs_a_package(tmp_path, monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError("Japanese needs pip install spacy[ja]")

    monkeypatch.setattr("spacy_rnn.cli.recipes.load_model_from_config", missing)
    printed = run("rnn", "init-config", tmp_path / "config.cfg", "-t", "ner", "-l", "ja", code=1)
    assert "pip install spacy[ja]" in shown(printed)


def test_wrong_options():
    assert "textcat_multilabel" in run("rnn", "init-config", "--task", "parser", code=2)
    run("rnn", "init-config", code=2)
    run("rnn", "init-config", "--task", "ner", "--optimize", "both", code=2)
