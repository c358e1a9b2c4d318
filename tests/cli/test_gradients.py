"""python -m spacy rnn gradients."""

import json

import numpy as np
import pytest
import spacy

from spacy_rnn.analysis.gradients import compute_gradients, initial_gradients
from spacy_rnn.config.encoder import RNNEncoder

from ..helpers.cli import run
from ..helpers.paths import ROOT
from ..helpers.pipelines import make_examples, make_pipeline

TEXT = "I like green eggs"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with taggers with two kinds of cells and without a cell, and an empty pipeline."""
    folder = tmp_path_factory.mktemp("gradients")
    for cell in ("gru", "lstm"):
        nlp = make_pipeline("rnn_tagger", {"encoder": {"cell": cell}})
        nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        nlp.to_disk(folder / cell)
    spacy.blank("xx").to_disk(folder / "blank")
    none = make_pipeline("rnn_tagger", {"encoder": {"cell": "none"}})
    none.initialize(lambda: make_examples(none))
    none.to_disk(folder / "none")
    return folder


def test_one_model(models, tmp_path):
    printed = run(
        "rnn", "gradients", models / "lstm", TEXT, "--output", tmp_path / "new" / "g.json"
    )
    assert "layer 0, forward" in printed and "layer 0, backward" in printed
    rows = [line.split() for line in printed.splitlines() if line.strip()[:1].isdigit()]
    # The last step back has a separate row.
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    nlp = spacy.load(models / "lstm")
    found = compute_gradients(nlp.get_pipe("rnn_tagger"), [nlp.make_doc(TEXT)])
    data = json.loads((tmp_path / "new" / "g.json").read_text(encoding="utf8"))
    for each in found:
        np.testing.assert_allclose(data[each.name], each.norms, rtol=1e-5)
    assert float(rows[1][1]) == pytest.approx(found[0].norms[1], rel=0.06)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_two_models_side_by_side(models, tmp_path, ending):
    both = (models / "gru", TEXT, "Eggs !", "--compare", models / "lstm")
    printed = run("rnn", "gradients", *both, "--output", tmp_path / f"g.{ending}")
    for name in ("gru, layer 0, forward", "lstm, layer 0, backward"):
        assert name in printed
    assert (tmp_path / f"g.{ending}").stat().st_size > 1000


def test_config():
    printed = run("rnn", "gradients", ROOT / "configs" / "tagger_small.cfg", TEXT, "--seed", "3")
    nlp = spacy.util.load_config(ROOT / "configs" / "tagger_small.cfg")
    encoder = dict(nlp["components"]["tagger"]["model"]["encoder"])
    del encoder["@architectures"]
    expected = initial_gradients(RNNEncoder(**encoder), [4], 3)[0].norms
    assert f"{expected[2]:.1e}" in printed


@pytest.mark.parametrize(
    "model, text, more, message",
    [
        ("nowhere", TEXT, (), "Can't find model"),
        ("blank", TEXT, (), "no component of spacy-rnn"),
        ("none", TEXT, (), "no recurrent layer"),
        ("lstm", "", (), "The texts have no tokens"),
        ("lstm", TEXT, ("--output", "g.txt"), "does not end in one of .json, .png, .svg"),
        ("lstm", TEXT, ("--component", "ner"), "no component of spacy-rnn 'ner'"),
    ],
)
def test_errors(models, model, text, more, message):
    printed = run("rnn", "gradients", models / model, text, *more, code=1)
    assert message in " ".join(printed.split())
