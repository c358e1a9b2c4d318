"""The commands of ``python -m spacy`` on a pipeline with an RNN component, without any --code."""

import importlib.util
import json
import shutil
from itertools import islice

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from spacy_rnn.readers.data_file import detect

from .helpers.cli import run
from .helpers.paths import ROOT

CONFIG = ROOT / "configs" / "tagger_small.cfg"
FAST = ["--training.max_steps", "60", "--training.eval_frequency", "30"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with data as .spacy files and a pipeline trained on them by ``spacy train``."""
    folder = tmp_path_factory.mktemp("cli")
    for part in ("train", "dev"):
        file = detect(ROOT / "corpora" / "agreement" / f"{part}.conllu")
        docs = islice(file.read(spacy.blank("xx")), 300)
        DocBin(docs=docs).to_disk(folder / f"{part}.spacy")
    run("train", CONFIG, *paths(folder), "--output", folder / "run", *FAST)
    return folder


def paths(folder):
    return ["--paths.train", folder / "train.spacy", "--paths.dev", folder / "dev.spacy"]


def test_train_and_evaluate(work):
    output = work / "scores.json"
    printed = run("evaluate", work / "run/model-best", work / "dev.spacy", "--output", output)
    assert json.loads(output.read_text())["tag_acc"] > 0.8
    assert "TAG" in printed


@pytest.mark.slow
def test_train_streams_with_labels_and_stock_optimizer(work):
    run("init", "labels", CONFIG, work / "labels", *paths(work))
    labels = srsly.read_json(work / "labels" / "tagger.json")
    assert "VBZ" in labels
    config = spacy.util.load_config(CONFIG)
    config["training"]["optimizer"] = {"@optimizers": "Adam.v1"}
    config["training"]["max_epochs"] = -1
    config["initialize"] = {
        "components": {
            "tagger": {
                "labels": {
                    "@readers": "spacy.read_labels.v1",
                    "path": str(work / "labels/tagger.json"),
                }
            }
        }
    }
    config.to_disk(work / "stream.cfg")
    run("train", work / "stream.cfg", *paths(work), "--output", work / "stream", *FAST)
    assert spacy.load(work / "stream/model-last").get_pipe("tagger").label_data == labels


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed")
def test_training_on_a_gpu_names_the_missing_extra(work):
    run("train", CONFIG, *paths(work), "--gpu-id", 0, code=1, message="CuPy")


def test_the_accurate_tagger_makes_an_optimizer():
    config = spacy.util.load_config(ROOT / "configs/tagger.cfg")
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    assert nlp.create_optimizer().grad_clip == 1.0


def test_fill_config_and_debug(work):
    run("init", "fill-config", CONFIG, work / "filled.cfg")
    filled = spacy.util.load_config(work / "filled.cfg")
    model = filled["components"]["tagger"]["model"]
    assert model["embedding"]["affixes"]["rows"] == 5000 and model["window"] == 5000
    run("debug", "config", work / "filled.cfg", *paths(work))
    run("debug", "data", work / "filled.cfg", *paths(work))
    printed = run("debug", "model", work / "filled.cfg", "tagger", *paths(work), "-P0", "-P3")
    assert "rnn_tagger" in printed


@pytest.mark.slow
def test_resume_by_source(work):
    config = spacy.util.load_config(CONFIG)
    config["components"]["tagger"] = {"source": str(work / "run/model-best")}
    config.to_disk(work / "resume.cfg")
    printed = run("train", work / "resume.cfg", *paths(work), "--output", work / "resumed", *FAST)
    first = next(line.split() for line in printed.splitlines() if line.split()[:2] == ["0", "0"])
    # Training starts from the loaded weights. Columns: epoch, step, loss, accuracy, score.
    assert float(first[3]) > 80


@pytest.mark.slow
def test_frozen_by_source(work):
    config = spacy.util.load_config(CONFIG)
    config["components"]["tagger"] = {"source": str(work / "run/model-best")}
    config["components"]["other"] = {"factory": "rnn_tagger", "targets": ["pos"]}
    config["components"]["other"]["model"] = spacy.util.load_config(CONFIG)["components"]["tagger"][
        "model"
    ]
    config["nlp"]["pipeline"] = ["tagger", "other"]
    config["training"]["frozen_components"] = ["tagger"]
    config["training"]["score_weights"] = {"pos_acc": 1.0}
    config.to_disk(work / "frozen.cfg")
    run("train", work / "frozen.cfg", *paths(work), "--output", work / "frozen", *FAST)
    weights = [work / run / "model-last/tagger/model" for run in ("run", "frozen")]
    best = work / "run/model-best/tagger/model"
    assert weights[1].read_bytes() == best.read_bytes()
    assert spacy.load(work / "frozen/model-last")("It was seen.")[0].pos_


def test_assemble(work):
    config = spacy.util.load_config(CONFIG)
    config["components"]["tagger"] = {"source": str(work / "run/model-best")}
    config.to_disk(work / "assemble.cfg")
    run("assemble", work / "assemble.cfg", work / "assembled", *paths(work))
    assert spacy.load(work / "assembled")("The cat was here.")[0].tag_ == "DT"


def test_apply_benchmark_and_find_threshold(work):
    (work / "texts.jsonl").write_text('{"text": "The cat was asleep."}\n{"text": "It saw us."}\n')
    run("apply", work / "run/model-best", work / "texts.jsonl", work / "applied.spacy")
    docs = list(DocBin().from_disk(work / "applied.spacy").get_docs(spacy.blank("xx").vocab))
    assert [doc[0].tag_ for doc in docs] == ["DT", "PRP"]
    printed = run(
        "benchmark",
        "speed",
        work / "run/model-best",
        work / "dev.spacy",
        "--batch-size",
        8,
        "--batches",
        30,
    )
    assert "words/s" in printed
    printed = run(
        "find-threshold",
        work / "run/model-best",
        work / "dev.spacy",
        "tagger",
        "threshold",
        "tag_acc",
        "--n_trials",
        3,
    )
    assert "Best threshold: 0.0" in printed


def test_package(work):
    (work / "packages").mkdir(exist_ok=True)
    run(
        "package",
        work / "run/model-best",
        work / "packages",
        "--name",
        "demo",
        "--force",
        "--build",
        "none",
    )
    (setup,) = work.glob("packages/*/setup.py")
    meta = srsly.read_json(setup.parent / "meta.json")
    assert any(name.startswith("spacy-rnn>=") for name in meta["requirements"])
    shutil.rmtree(work / "packages")


#: the corpus of each other component, and the score that training maximizes
CONFIGS = {
    "textcat_small": ("reviews", "cats_micro_f"),
    "textcat_multilabel": ("reviews", "cats_macro_auc"),
    "regressor": ("reviews", "pearson"),
    "ner_small": ("news", "ents_f"),
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Folders with the reviews and the news as .spacy files."""
    folder = tmp_path_factory.mktemp("corpora")
    both = ("--columns", "text=text,cats=cats,regression=rating")
    for name, options in (("reviews", both), ("news", ())):
        for part in ("train", "dev"):
            source = ROOT / "corpora" / name / f"{part}.jsonl"
            run("rnn", "convert", source, folder / name / f"{part}.spacy", *options)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_other_components_on_the_command_line(corpora, name):
    corpus, score = CONFIGS[name]
    texts = corpora / corpus
    config, model = ROOT / "configs" / f"{name}.cfg", texts / name / "model-best"
    component = name.removesuffix("_small").removesuffix("_multilabel")
    limits = ["--corpora.train.limit", "200", "--corpora.dev.limit", "50"]
    run("init", "labels", config, texts / "labels", *paths(texts), *limits)
    assert srsly.read_json(texts / "labels" / f"{component}.json")
    run("init", "fill-config", config, texts / "filled.cfg")
    run("debug", "config", texts / "filled.cfg", *paths(texts))
    run("debug", "data", texts / "filled.cfg", *paths(texts))
    run("train", config, *paths(texts), *limits, "--output", texts / name, *FAST)
    output = texts / "scores.json"
    run("evaluate", model, texts / "dev.spacy", "--output", output)
    assert 0.05 < json.loads(output.read_text())[score] <= 1.0
    # The saved config makes an optimizer again.
    assert spacy.load(model).resume_training().grad_clip == 1.0
    if name == "textcat_multilabel":
        run(
            "find-threshold",
            model,
            texts / "dev.spacy",
            component,
            "threshold",
            "cats_macro_f",
            "--n_trials",
            3,
        )
    run("package", model, texts, "--name", name, "--force", "--build", "none")
    (meta,) = texts.glob(f"en_{name}-*/meta.json")
    assert any(each.startswith("spacy-rnn>=") for each in srsly.read_json(meta)["requirements"])


@pytest.mark.slow
def test_translator_on_the_command_line(tmp_path):
    config, corpus = ROOT / "configs/translator_small.cfg", ROOT / "corpora/parallel"
    tables = ["--paths.train", corpus / "train.tsv", "--paths.dev", corpus / "dev.tsv"]
    run("init", "fill-config", config, tmp_path / "filled.cfg")
    run("debug", "config", tmp_path / "filled.cfg", *tables)
    limits = ["--corpora.train.limit", 100, "--corpora.dev.limit", 10]
    # Fewer pairs give fewer pieces, and a barely trained network generates very long texts.
    smaller = ["--components.translator.search.max_ratio", 0.5]
    run("train", config, *tables, *limits, *smaller, "--output", tmp_path / "run", *FAST)
    run("rnn", "convert", corpus / "dev.tsv", tmp_path / "dev.spacy")
    output = tmp_path / "scores.json"
    run("evaluate", tmp_path / "run/model-last", tmp_path / "dev.spacy", "--output", output)
    assert 0.0 < json.loads(output.read_text())["chrf"] < 1.0
    assert spacy.load(tmp_path / "run/model-last").resume_training().grad_clip == 1.0


@pytest.fixture(scope="module")
def articles(tmp_path_factory):
    """A folder with some documents for language models."""
    folder = tmp_path_factory.mktemp("articles")
    for part in ("train", "dev"):
        source = ROOT / "corpora" / "agreement" / f"{part}.conllu"
        docs = islice(detect(source, n_sents=5).read(spacy.blank("xx")), 40)
        DocBin(docs=docs).to_disk(folder / f"{part}.spacy")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lm", "lm_characters", "lm_awd"])
def test_language_models_on_the_command_line(articles, name):
    """Train the full-size network for two steps."""
    config, model = ROOT / "configs" / f"{name}.cfg", articles / name / "model-last"
    run("init", "fill-config", config, articles / "filled.cfg")
    run("debug", "config", articles / "filled.cfg", *paths(articles))
    # Few streams, so that there is a window for each of the few batches.
    few = ["--components.lm.streams", "2", "--components.lm.bptt_length", "5"]
    two = ["--training.max_steps", "2", "--training.eval_frequency", "2"]
    few += ["--training.batcher.size", "50"]
    run("train", config, *paths(articles), *few, *two, "--output", articles / name)
    output = articles / "scores.json"
    run("evaluate", model, articles / "dev.spacy", "--gold-preproc", "--output", output)
    assert 0.1 < srsly.read_json(output)["bpc"] < 8


@pytest.mark.slow
def test_a_tagger_with_context_on_the_command_line(work, articles):
    config = ROOT / "configs" / "tagger_context.cfg"
    lm = articles / "small"
    sizes = ["--components.lm.model.encoder.hidden_size", "16", "--components.lm.streams", "2"]
    few = ["--training.max_steps", "2", "--training.eval_frequency", "1"]
    run(
        "train",
        ROOT / "configs" / "lm_characters.cfg",
        *paths(articles),
        *sizes,
        *few,
        "--output",
        lm,
    )
    run(
        "train",
        config,
        *paths(work),
        "--paths.lm",
        lm / "model-last",
        "--training.max_steps",
        "4",
        "--training.eval_frequency",
        "2",
        "--output",
        work / "context",
    )
    shutil.rmtree(lm)
    nlp = spacy.load(work / "context" / "model-last")
    assert nlp.get_pipe("tagger").shim.module.embedding.parts["context"].output_size == 32
    assert all(token.tag_ for token in nlp("The dog was here."))


def test_the_taggers_with_and_without_context_differ_only_in_context():
    plain, context = (
        spacy.util.load_config(ROOT / "configs" / f"{name}.cfg")
        for name in ("tagger", "tagger_context")
    )
    del context["components"]["tagger"]["model"]["embedding"]["context"]
    del context["paths"]["lm"]
    assert context == plain
