"""User data without any code: from a file of each format to scores and predictions."""

import json

import pytest
import spacy
from spacy.cli.train import train

from .helpers.cli import run
from .helpers.paths import ROOT
from .helpers.slow import slow_but

DATA = ROOT / "tests" / "data"
#: all data files except the translations of aligned.en
FILES = sorted(path.name for path in DATA.iterdir() if path.name != "aligned.fr")
#: one file for each task
QUICK = [
    "intents.csv",
    "iob1.conll",
    "lines.txt",
    "pairs.tsv",
    "prodigy_options.jsonl",
    "ratings.tsv",
    "treebank.conllu",
]
#: settings of networks and their largest values in these tests
SMALL = {
    "width": 8,
    "hidden_size": 8,
    "embedding_size": 8,
    "depth": 1,
    "rows": 50,
    "vocab_size": 60,
    "max_steps": 20,
    "eval_frequency": 10,
    "warmup_steps": 5,
}
TEXTS = ["Anna met Bob in Paris.", "", "How do I change my PIN?"]


def shrink(config):
    """Make the networks and the training of a config small."""
    for name, value in config.items():
        if isinstance(value, dict):
            shrink(value)
        elif name in SMALL and isinstance(value, int):
            config[name] = min(value, SMALL[name])


@pytest.mark.parametrize("name", slow_but(QUICK, FILES))
def test_from_data_to_predictions(name, tmp_path):
    data = DATA / name
    run("rnn", "convert", data, tmp_path / "converted.spacy")
    train_on(data, tmp_path)
    check_scores(tmp_path, data)
    check_scores(tmp_path, tmp_path / "converted.spacy")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    output = tmp_path / "predictions.jsonl"
    run("rnn", "apply", tmp_path / "model-last", tmp_path / "texts.txt", "--output", output)
    records = [json.loads(line) for line in output.read_text(encoding="utf8").splitlines()]
    assert [record["text"] for record in records] == TEXTS
    assert all(len(record) > 1 for record in records)


def test_translations_in_a_separate_file(tmp_path):
    data, target = DATA / "aligned.en", ("--target", DATA / "aligned.fr")
    run("rnn", "convert", data, tmp_path / "pairs.spacy", *target)
    train_on(tmp_path / "pairs.spacy", tmp_path)
    check_scores(tmp_path, data, *target)


def train_on(data, folder):
    """Train a small pipeline on a data file."""
    path = folder / "config.cfg"
    run("rnn", "init-config", path, "--data", data, "--dev", data)
    config = spacy.util.load_config(path)
    shrink(config)
    config.to_disk(path)
    train(path, folder)


def check_scores(folder, data, *options):
    """Check that the scores that training maximizes are computed on a data file."""
    metrics, model = folder / "metrics.json", folder / "model-last"
    printed = run("rnn", "evaluate", model, data, "--output", metrics, *options)
    assert "has no scores" not in printed and "does not know" not in printed
    scores = json.loads(metrics.read_text())
    weights = spacy.util.load_config(folder / "config.cfg")["training"]["score_weights"]
    assert any(weights.values())
    assert all(scores[name] is not None for name, weight in weights.items() if weight)
