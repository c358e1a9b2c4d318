"""Own data without own code: from a file of each format to scores and predictions."""

import json

import pytest
import spacy
from spacy.cli.train import train

from .helpers.cli import run
from .helpers.paths import ROOT
from .helpers.slow import slow_but

DATA = ROOT / "tests" / "data"
#: the translations of aligned.en are read with it
FILES = sorted(path.name for path in DATA.iterdir() if path.name != "aligned.fr")
#: one for each task
QUICK = [
    "intents.csv",
    "iob1.conll",
    "lines.txt",
    "pairs.tsv",
    "prodigy_options.jsonl",
    "ratings.tsv",
    "treebank.conllu",
]
#: settings of networks and their values in these tests
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
    config_path, metrics = tmp_path / "config.cfg", tmp_path / "metrics.json"
    run("rnn", "convert", data, tmp_path / "converted.spacy")
    run("rnn", "init-config", config_path, "--data", data, "--dev", data)
    config = spacy.util.load_config(config_path)
    shrink(config)
    config.to_disk(config_path)
    train(config_path, tmp_path / "out")
    model = tmp_path / "out" / "model-last"
    for source in (data, tmp_path / "converted.spacy"):
        printed = run("rnn", "evaluate", model, source, "--output", metrics)
        assert "has no scores" not in printed and "does not know" not in printed
        scores = json.loads(metrics.read_text())
        weights = {key: w for key, w in config["training"]["score_weights"].items() if w}
        assert weights and all(scores[key] is not None for key in weights)
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    run("rnn", "apply", model, tmp_path / "texts.txt", "--output", tmp_path / "out.jsonl")
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [record["text"] for record in records] == TEXTS
    assert all(len(record) > 1 for record in records)
