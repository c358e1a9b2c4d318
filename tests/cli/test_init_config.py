"""python -m spacy rnn init-config."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.util import registry
from thinc.api import Config

from spacy_rnn.cli.make_config import make_config
from spacy_rnn.cli.recipes import RECIPES, TASKS
from spacy_rnn.cli.schedule import schedule_for

from ..helpers.cli import run, shown
from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_doc
from ..helpers.slow import slow_but

TWO_STEPS = ["--training.max_steps", "2", "--training.eval_frequency", "1"]
#: Options for few documents, which would not fill a window of the usual number of streams.
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


def n_weights(path, task):
    module = spacy.load(path).get_pipe(task).shim.module
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("task", slow_but(["textcat"], TASKS))
def test_complete_and_trainable(corpus, tmp_path, task):
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    for optimize in ("efficiency", "accuracy"):
        config, filled = tmp_path / f"{optimize}.cfg", tmp_path / "filled.cfg"
        run("rnn", "init-config", config, "-l", "xx", "--task", task, "--optimize", optimize)
        assert "already complete" in run("init", "fill-config", config, filled)
        assert filled.read_text() == config.read_text()
        run("debug", "config", config, *paths)
        run(
            "train", config, *paths, *TWO_STEPS, *FEW.get(task, []), "--output", tmp_path / optimize
        )
    trained = [tmp_path / optimize / "model-last" for optimize in ("efficiency", "accuracy")]
    assert n_weights(trained[0], task) < n_weights(trained[1], task)
    # The optimizer can be created again from the saved config.
    assert spacy.load(trained[1]).resume_training().grad_clip == 1.0


def test_standard_output_has_only_the_config(tmp_path):
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
    cpu, gpu = (make_config([task], "xx", optimize, gpu) for gpu in (False, True))
    training, recipe = cpu["training"], RECIPES[task, optimize].training
    # The number of steps is for a corpus of typical size.
    assert training["max_steps"] == pytest.approx(recipe.max_steps, rel=0.05)
    assert training["batcher"]["size"] == recipe.size
    assert training["dropout"] == recipe.dropout
    assert training["optimizer"]["@optimizers"] == "spacy_rnn.AdamW.v1"
    assert training["logger"] == {"@loggers": "spacy_rnn.ConsoleLogger.v1", "progress_bar": None}
    # spaCy also reads this block on its own, where a variable would have no value.
    rate = training["optimizer"]["learn_rate"]
    assert rate["total_steps"] == training["max_steps"]
    assert rate["initial_rate"] == recipe.learn_rate
    assert sum(weight or 0 for weight in training["score_weights"].values()) == 1.0
    assert gpu["system"]["gpu_allocator"] == "pytorch" and cpu["system"]["gpu_allocator"] is None
    assert gpu["training"]["batcher"]["size"] > training["batcher"]["size"]
    models = [config["components"][task]["model"] for config in (cpu, gpu)]
    assert [model["mixed_precision"] for model in models] == ["none", "bf16"]
    assert models[1]["batch_tokens"] > models[0]["batch_tokens"]


@pytest.mark.parametrize("gpu, words", [(True, None), (False, 50_000), (True, 50_000)])
def test_a_batch_has_a_window_of_each_stream(gpu, words):
    configs = (
        make_config(["lm"], "xx", "accuracy"),
        make_config(["lm"], "xx", "accuracy", gpu, words),
    )
    streams = [config["components"]["lm"]["streams"] for config in configs]
    sizes = [config["training"]["batcher"]["size"] for config in configs]
    assert streams[0] != streams[1]
    assert streams[1] / streams[0] == pytest.approx(sizes[1] / sizes[0], rel=0.05)


@pytest.mark.parametrize("words", [10, 20_000, 200_000, 1_000_000, 100_000_000])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=map("-".join, RECIPES))
def test_the_length_of_a_training_depends_on_the_size_of_the_corpus(recipe, words):
    found = schedule_for(recipe.training, words)
    # The last step is evaluated, and patience can end the training.
    assert found.max_steps % found.eval_frequency == found.patience % found.eval_frequency == 0
    assert 3 * found.eval_frequency <= found.patience < found.max_steps
    assert 0 < found.warmup_steps < found.eval_frequency * 2
    assert found.max_steps >= 500 and 100 < found.batch_size <= recipe.training.size
    more = schedule_for(recipe.training, 4 * words)
    if found.max_steps > 600:
        assert more.max_steps == pytest.approx(2 * found.max_steps, rel=0.15)
    assert more.batch_size >= found.batch_size


def test_several_components_share_an_encoder(corpus, tmp_path):
    tasks = ["textcat", "ner", "tagger", "regressor"]
    for optimize in ("efficiency", "accuracy"):
        path, output = tmp_path / f"{optimize}.cfg", tmp_path / optimize
        options = ["--lang", "xx", "--optimize", optimize]
        run("rnn", "init-config", path, "--task", ",".join(tasks), *options)
        config = Config().from_disk(path)
        assert config["nlp"]["pipeline"] == ["tok2vec", *tasks]
        weights = config["training"]["score_weights"]
        assert {name: weight for name, weight in weights.items() if weight} == {
            "cats_micro_f": 0.25,
            "ents_f": 0.25,
            "label_acc": 0.25,
            "pearson": 0.25,
        }
        paths = ["--paths.train", corpus, "--paths.dev", corpus]
        printed = run("train", path, *paths, *TWO_STEPS, "--output", output)
        assert "WARN" not in printed
        nlp = spacy.load(output / "model-last")
        for task in tasks:
            assert nlp.get_pipe(task).model.get_ref("tok2vec").name == "tok2vec-listener"
        doc = nlp("I like green eggs")
        assert doc.cats and doc[0].tag_ and doc._.regression
    # Label smoothing is the same as in a pipeline with only this component.
    assert nlp.get_pipe("textcat").cfg["label_smoothing"] == 0.1


def test_the_shared_encoder_learns(corpus, tmp_path):
    run("rnn", "init-config", tmp_path / "both.cfg", "--lang", "xx", "--task", "tagger,ner")
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    steps = ["--training.max_steps", "40", "--training.eval_frequency", "20"]
    run("train", tmp_path / "both.cfg", *paths, *steps, "--output", tmp_path / "run")
    performance = spacy.load(tmp_path / "run" / "model-best").meta["performance"]
    assert performance["label_acc"] > 0.9 and performance["ents_f"] > 0.9


@pytest.mark.parametrize(
    "tasks, message",
    [
        ("lm,ner", "needs a pipeline of its own: --task lm. These can be together: tagger, ner,"),
        ("tagger,translator", "needs a pipeline of its own: --task translator"),
        ("ner,ner", "each once; got 'ner,ner'"),
        ("ner,", "got 'ner,'"),
        ("parser", "one or more of tagger, ner, textcat, textcat_multilabel, regressor,"),
        ("textcat,textcat_multilabel", "both set doc.cats. Choose one"),
    ],
)
def test_tasks_that_cannot_form_a_pipeline(tmp_path, tasks, message):
    printed = run("rnn", "init-config", tmp_path / "config.cfg", "--task", tasks, code=1)
    assert message in shown(printed)
    assert not (tmp_path / "config.cfg").exists()


@pytest.fixture
def table(tmp_path):
    """A folder with two tables; the second one lacks a label of the first."""
    rows = ["text,topic", *["Is the card here ?,card", "I lost my pin,pin", "Hello,other"] * 200]
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "dev.csv").write_text("\n".join(rows[:3]) + "\n")
    return tmp_path


def test_data(table):
    config, output = table / "topics.cfg", table / "run"
    columns = ["--columns", "text=text,label=topic"]
    files = ["--data", table / "train.csv", "--dev", table / "dev.csv"]
    printed = shown(run("rnn", "init-config", config, *files, *columns))
    for line in ("600 documents, 2000 tokens", "labels: card 200, pin 200, other 200"):
        assert line in printed
    assert (
        "chosen for 2000 words: 600 steps with batches of 200, which is about 60 passes" in printed
    )
    assert "evaluated every 30 steps; stopped after 300 steps" in printed
    training = f"{(Path('training') / 'topics' / 'model-best')}"
    for command in (
        f"python -m spacy train {config} --output training/topics",
        f"python -m spacy rnn evaluate {training} TEST_DATA",
        f"python -m spacy rnn apply {training} TEXTS --output predictions.jsonl",
    ):
        assert command in printed
    made = Config().from_disk(config)
    assert made["nlp"]["pipeline"] == ["textcat"]
    assert made["training"]["max_steps"] == 600 and made["training"]["batcher"]["size"] == 200
    # The paths are in the config.
    run("train", config, "--output", output, *TWO_STEPS)
    trained = spacy.load(output / "model-last")
    assert sorted(trained.get_pipe("textcat").labels) == ["card", "other", "pin"]
    # Without a file name, the same config is printed.
    assert run("rnn", "init-config", *files, *columns).strip() == config.read_text().strip()


@pytest.mark.parametrize(
    "name, task",
    [
        ("intents.csv", "textcat"),
        ("iob2.conll", "ner"),
        ("treebank.conllu", "tagger"),
        ("ratings.tsv", "regressor"),
        ("pairs.tsv", "translator"),
        ("lines.txt", "lm"),
    ],
)
def test_the_task_is_detected_from_the_data(tmp_path, name, task):
    path = ROOT / "tests" / "data" / name
    files = ["--data", path, "--dev", path]
    run("rnn", "init-config", tmp_path / "config.cfg", "--lang", "xx", *files)
    config = Config().from_disk(tmp_path / "config.cfg")
    assert config["nlp"]["pipeline"] == [task]
    resolved = spacy.util.load_model_from_config(config, auto_fill=True).config.interpolate()
    corpora = registry.resolve(resolved["corpora"])
    assert len(list(corpora["train"](spacy.blank("xx")))) > 1


def test_the_words_of_both_sides_of_pairs_count(tmp_path):
    path = ROOT / "tests" / "data" / "pairs.tsv"
    pairs = [line.split("\t") for line in path.read_text().splitlines()]
    nlp = spacy.blank("en")
    n_words = sum(len(nlp(source)) + len(target.split()) for source, target in pairs)
    printed = run("rnn", "init-config", tmp_path / "a.cfg", "--data", path, "--dev", path)
    assert f"chosen for {n_words} words:" in shown(printed)


def test_data_and_several_tasks(corpus, tmp_path):
    files = ["--data", corpus, "--dev", corpus]
    run("rnn", "init-config", tmp_path / "both.cfg", *files, "--task", "ner,tagger")
    config = Config().from_disk(tmp_path / "both.cfg")
    assert config["nlp"]["pipeline"] == ["tok2vec", "ner", "tagger"]
    assert config["corpora"]["train"]["@readers"] == "spacy.Corpus.v1"


def test_several_tasks_need_columns_for_each(tmp_path):
    data = tmp_path / "data.conll"
    data.write_text("Anna NNP B-NP B-PER\nsleeps VBZ B-VP O\n\n" * 3)
    arguments = ["rnn", "init-config", tmp_path / "config.cfg", "--task", "tagger,ner"]
    arguments += ["--data", data, "--dev", data]
    printed = shown(run(*arguments, code=1))
    assert "has no annotation for ner" in printed and "3 (B-PER, O)" in printed
    assert "tags = 1 (NNP, VBZ)" in printed and "--columns, such as tokens=0,tags=1," in printed
    run(*arguments, "--columns", "tokens=0,tags=1,entities=3")
    data.write_text("Anna B-PER\nsleeps O\n\n" * 3)
    printed = shown(run(*arguments, "--force", code=1))
    assert "no column of tags that are not entities" in printed and "--columns" in printed


@pytest.mark.parametrize("header", ["sentence,topic", "text,topics"])
def test_development_data_with_other_columns(header, table):
    (table / "other.csv").write_text(header + "\n" + "a b c,x\nd e f,y\nf g h,x\ni j k,y\n")
    files = ["--data", table / "train.csv", "--dev", table / "other.csv"]
    printed = shown(run("rnn", "init-config", table / "config.cfg", *files, code=1))
    assert "other.csv has no column" in printed and header.split(",")[1] in printed
    assert "development data must have the columns of the training data" in printed


def test_development_data_of_another_tool(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Anna sleeps.", "spans": [[0, 4, "PER"]]}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "Anna sleeps.", "label": [[0, 4, "PER"]]}\n')
    files = ["--data", tmp_path / "a.jsonl", "--dev", tmp_path / "b.jsonl"]
    printed = shown(run("rnn", "init-config", tmp_path / "config.cfg", *files, code=1))
    assert "no column ['spans']" in printed and "numbers from 0" not in printed


def test_data_in_two_formats(table, corpus):
    path = table / "config.cfg"
    run("rnn", "init-config", path, "--data", table / "train.csv", "--dev", corpus)
    corpora = Config().from_disk(path)["corpora"]
    assert corpora["train"]["@readers"] == "spacy_rnn.Corpus.v1"
    assert corpora["dev"]["@readers"] == "spacy.Corpus.v1"


def test_data_without_development_data(table):
    path = table / "config.cfg"
    printed = shown(run("rnn", "init-config", path, "--data", table / "train.csv", code=1))
    assert "Give it with --dev, or split the training data: python -m spacy rnn convert" in printed
    assert not path.exists()


def test_data_that_cannot_be_read(table):
    (table / "empty.csv").write_text("")
    for name, message in (("empty.csv", "is empty"), ("missing.csv", "does not exist")):
        files = ["--data", table / name, "--dev", table / "dev.csv"]
        assert message in shown(run("rnn", "init-config", table / "config.cfg", *files, code=1))


@pytest.mark.parametrize("given, lang", [("deu", "de"), ("xx", "xx"), ("sr", "sr")])
def test_languages(given, lang):
    assert make_config(["ner"], given)["nlp"]["lang"] == lang


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

    monkeypatch.setattr("spacy_rnn.cli.make_config.load_model_from_config", missing)
    printed = run("rnn", "init-config", tmp_path / "config.cfg", "-t", "ner", "-l", "ja", code=1)
    assert "pip install spacy[ja]" in shown(printed)


def test_wrong_options():
    assert "--data" in run("rnn", "init-config", "--task", "ner", "--dev", "dev.spacy", code=2)
    run("rnn", "init-config", code=2)
    run("rnn", "init-config", "--task", "ner", "--optimize", "both", code=2)
