"""python -m spacy rnn inspect."""

import json

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import load_config

from spacy_rnn.cli.make_config import make_config
from spacy_rnn.cli.recipes import RECIPES

from ..helpers.cli import run
from ..helpers.pipelines import SENTENCES, make_doc
from ..helpers.slow import slow_but

TASKS = list(dict.fromkeys(task for task, _ in RECIPES))


def write(path, docs):
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with corpora, and a config for each task."""
    folder = tmp_path_factory.mktemp("inspect")
    vocab = spacy.blank("xx").vocab
    docs = [make_doc(vocab, *sentence) for sentence in SENTENCES]
    write(folder / "train.spacy", docs[:3])
    write(folder / "dev.spacy", docs[2:])
    write(folder / "plain.spacy", [Doc(vocab, words=["Not", "annotated"])])
    write(folder / "blank.spacy", [Doc(vocab), Doc(vocab)])
    write(folder / "empty.spacy", [])
    for task in TASKS:
        config = make_config([task])
        config["components"][task]["model"]["batch_tokens"] = 64
        if task == "lm":
            config["components"]["lm"].update(streams=2, bptt_length=4)
        config.to_disk(folder / f"{task}.cfg", interpolate=False)
    return folder


def inspect(work, task, *more, train="train", dev="dev", code=0):
    paths = ["--paths.train", work / f"{train}.spacy", "--paths.dev", work / f"{dev}.spacy"]
    return shown(run("rnn", "inspect", work / f"{task}.cfg", *paths, *more, code=code))


def shown(output):
    """The output without its line breaks."""
    return " ".join(output.split())


@pytest.mark.parametrize("task", slow_but(["textcat"], TASKS))
def test_every_task(work, task):
    path = work / "new" / f"{task}.json"
    printed = inspect(work, task, "--output", path)
    assert f"{task} (rnn_{task})" in printed and str(path.name) in printed
    found = json.loads(path.read_text(encoding="utf8"))
    assert found["train"]["lengths"] == {"4-7": 3} and found["leaked"] == 1
    assert "train 3 0 13 4.3 5 dev 2 0 6 3.0 4" in printed
    assert "Dev documents also in train (leakage): 1" in printed
    component = found["components"][task]
    memory = component["memory"]
    together = memory["weights"] + memory["gradients"] + memory["optimizer"] + memory["activations"]
    assert f"weights: {memory['parameters']:,} parameters" in printed
    assert f"training, total {together / 1e6:,.1f}" in printed
    assert found["warnings"]
    for warning in found["warnings"]:
        assert warning in printed


def test_tables(work):
    printed = inspect(work, "tagger")
    assert "words 2 train 11 81.8 % 13 69.2 %" in printed
    assert "words 2 dev 6 66.7 % 6 66.7 %" in printed
    assert "Dev words unknown to words: !, Eggs, They, blue" in printed
    assert "PRP 3 23.1 % 1 16.7 %" in printed
    assert "train: 3 annotated documents, with 4.33 labels on average." in printed
    printed = inspect(work, "regressor")
    assert "train 3 1 1.472 -1 2.5" in printed
    printed = inspect(work, "lm")
    assert "text: units per word mean 95 % max unknown" in printed
    assert "largest batch of 8 units" in printed


def test_many_labels(work, tmp_path):
    vocab = spacy.blank("xx").vocab
    docs = [Doc(vocab, words=["a"] * n, tags=[f"T{n:02}"] * n) for n in range(1, 31)]
    write(tmp_path / "train.spacy", docs)
    printed = shown(
        run("rnn", "inspect", work / "tagger.cfg", "--paths.train", tmp_path / "train.spacy",
            "--paths.dev", tmp_path / "train.spacy")
    )  # fmt: skip
    assert "tag: 30 labels" in printed and "... 10 more" in printed
    for label, there in (("T30", True), ("T21", True), ("T20", False), ("T10", True)):
        assert (f" {label} {int(label[1:])} " in printed) == there


def test_no_warnings(tmp_path):
    vocab = spacy.blank("xx").vocab
    for part, word in (("train", "a"), ("dev", "b")):
        docs = [Doc(vocab, words=[word, "b"] * n, tags=["X", "Y"] * n) for n in range(2, 103)]
        write(tmp_path / f"{part}.spacy", docs)
    make_config(["tagger"]).to_disk(tmp_path / "tagger.cfg", interpolate=False)
    printed = inspect(tmp_path, "tagger")
    assert "None." in printed.split(" Warnings ")[1]


def test_overrides_and_code(work, tmp_path):
    code = tmp_path / "reader.py"
    code.write_text(
        "import spacy\n"
        "from spacy.training import Corpus\n"
        "@spacy.registry.readers('first_of.v1')\n"
        "def first_of(path: str):\n"
        "    return Corpus(path, limit=1)\n"
    )
    config = load_config(work / "ner.cfg")
    config["corpora"]["train"] = {"@readers": "first_of.v1", "path": "${paths.train}"}
    config.to_disk(work / "code.cfg", interpolate=False)
    printed = inspect(work, "code", "--code", code, "--corpora.dev.limit", 1)
    assert "train 1 0 4 4.0 4 dev 1 0 4 4.0 4" in printed
    missing = inspect(work, "ner", "--code", tmp_path / "none.py", code=1)
    assert "code not found" in missing


def test_streamed(work):
    printed = inspect(work, "textcat", "--training.max_epochs", "-1")
    assert "streamed: only the first documents are counted" in printed


@pytest.mark.parametrize(
    "task, options, message",
    [
        ("none", {}, "Could not read config"),
        ("tagger", {"train": "none"}, "none.spacy"),
        ("tagger", {"dev": "none"}, "none.spacy"),
        (
            "tagger",
            {"train": "empty"},
            "[training] train_corpus has no documents. Check --paths.t",
        ),
        ("tagger", {"dev": "empty"}, "[training] dev_corpus has no documents. Check --paths.dev"),
        ("tagger", {"train": "plain"}, "Annotate token.tag in the training data"),
        ("ner", {"train": "plain"}, "no entity is annotated in the training data"),
        ("textcat", {"train": "plain"}, "Annotate doc.cats"),
        ("textcat_multilabel", {"train": "plain"}, "Annotate doc.cats"),
        ("regressor", {"train": "plain"}, "Set doc._.regression"),
        ("translator", {"train": "plain"}, "no pairs to learn from"),
        # spaCy's reader leaves out documents without tokens.
        ("lm", {"train": "blank"}, "[training] train_corpus has no document"),
    ],
)
def test_bad_data(work, task, options, message):
    assert message in inspect(work, task, **options, code=1)


def test_without_paths(work):
    printed = shown(run("rnn", "inspect", work / "ner.cfg", code=1))
    assert "Corpus path can't be None" in printed


@pytest.mark.parametrize(
    "options, message",
    [
        (["--nlp.pipeline", "[]"], "trains no component of spacy-rnn; its components: none."),
        (["--training.frozen_components", '["ner"]'], "init-config --task TASK"),
        (["--components.ner.factory", "no_such_factory"], "no_such_factory"),
        (["--components.ner.model.no_such_setting", "1"], "no_such_setting"),
        (["--nlp.lang", "zz"], "zz"),
        (["--initialize.vectors", "no/such/vectors"], "no/such/vectors"),
        (["nonsense"], "Invalid config override 'nonsense'"),
    ],
)
def test_bad_config(work, options, message):
    assert message in inspect(work, "ner", *options, code=1)


def test_malformed_config(work):
    (work / "broken.cfg").write_text("[nlp\nlang = ")
    assert "inspect" not in inspect(work, "broken", code=1)


@pytest.mark.skipif(spacy.prefer_gpu(), reason="there is a GPU")
def test_missing_gpu(work):
    assert "GPU" in inspect(work, "ner", "--gpu-id", 0, code=1)
