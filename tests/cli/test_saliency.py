"""python -m spacy rnn saliency and states."""

import json

import numpy as np
import pytest
import spacy
from matplotlib.image import imread

from spacy_rnn import viz
from spacy_rnn.analysis.saliency import compute_saliency
from spacy_rnn.analysis.states import compute_states
from spacy_rnn.display import heatmap
from spacy_rnn.display.table import render_table

from ..helpers.cli import run, shown
from ..helpers.markup import texts
from ..helpers.pipelines import make_examples, make_pipeline, train

TEXTS = ["She eats one ham .", "Eggs !"]
TAGGER, TEXTCAT = "rnn_tagger", "rnn_textcat"


@pytest.fixture(scope="module")
def nlp():
    """A trained pipeline with two components of spacy-rnn and one of spaCy."""
    nlp = trained(TAGGER)
    nlp.add_pipe(TEXTCAT, source=trained(TEXTCAT))
    nlp.add_pipe("sentencizer")
    return nlp


def trained(factory):
    nlp = make_pipeline(factory)
    train(nlp, make_examples(nlp), steps=10)
    return nlp


@pytest.fixture(scope="module")
def work(nlp, tmp_path_factory):
    """A folder with pipelines: with all components, one, none, and only one of spaCy."""
    folder = tmp_path_factory.mktemp("saliency")
    nlp.to_disk(folder / "two")
    trained(TEXTCAT).to_disk(folder / "one")
    spacy.blank("xx").to_disk(folder / "none")
    stock = spacy.blank("xx")
    stock.add_pipe("sentencizer")
    stock.to_disk(folder / "stock")
    return folder


def rows(printed):
    """The lines of a table: tokens and numbers."""
    return [line.split() for line in printed.splitlines() if line.strip()]


def test_table(work, nlp):
    printed = run("rnn", "saliency", work / "two", *TEXTS, "--component", TAGGER, "--token", 1)
    expected = [compute_saliency(nlp.get_pipe(TAGGER), nlp(text), token=1) for text in TEXTS]
    lines = rows(printed)
    assert " ".join(lines[0]) == (
        f"{expected[0].summary}; without tokens {expected[0].baseline:.3f}, "
        f"gap {expected[0].gap:+.3f}"
    )
    scores = [[t, f"{s:+.3f}"] for t, s in zip(expected[0].tokens, expected[0].scores, strict=True)]
    assert lines[1:6] == scores
    assert " ".join(lines[6]).startswith(expected[1].summary) and len(lines) == 9


def test_options(work, nlp):
    command = ["rnn", "saliency", work / "two", TEXTS[0], "--component", TAGGER, "--token", 2]
    options = ["--label", "NN", "--target", "tag", "--method", "occlusion"]
    expected = compute_saliency(
        nlp.get_pipe(TAGGER), nlp(TEXTS[0]), token=2, label="NN", method="occlusion"
    )
    printed = run(*command, *options)
    assert rows(printed)[4] == ["ham", f"{expected.scores[3]:+.3f}"]
    assert printed.splitlines()[0] == expected.summary
    assert expected.summary.startswith("Tag NN of 'one': probability ")
    gaps = [float(run(*command, "--steps", n).split("gap ")[1].split()[0]) for n in (1, 100)]
    assert abs(gaps[0]) > 0.01 > abs(gaps[1])


def test_json(work, nlp):
    path = work / "new" / "found.json"
    assert str(path) in shown(run("rnn", "saliency", work / "one", *TEXTS, "-o", path))
    found = json.loads(path.read_text(encoding="utf8"))
    for each, text in zip(found, TEXTS, strict=True):
        expected = compute_saliency(nlp.get_pipe(TEXTCAT), nlp(text))._asdict()
        assert list(each) == list(expected)
        np.testing.assert_allclose(each.pop("scores"), expected.pop("scores"), atol=1e-6)
        assert each.pop("tokens") == expected.pop("tokens") == text.split()
        assert each.pop("prediction") == expected.pop("prediction")
        assert each == pytest.approx(expected, abs=1e-6)


def test_html(work, nlp):
    path = work / "new" / "found.html"
    run("rnn", "saliency", work / "one", *TEXTS, "-o", path, "--label", "EAT")
    docs = list(nlp.pipe(TEXTS))
    expected = viz.saliency(docs, nlp.get_pipe(TEXTCAT), label="EAT", page=True)
    assert path.read_text(encoding="utf8") == expected


@pytest.mark.parametrize(
    "model, options, message",
    [
        ("missing", [], "Can't find model"),
        ("none", [], "has no component of spacy-rnn. Its components: none."),
        ("stock", [], "has no component of spacy-rnn. Its components: sentencizer."),
        ("two", [], f"more than one component of spacy-rnn. Choose one with --component: {TAGGER}, "
                    f"{TEXTCAT}."),
        ("two", ["--component", "sentencizer"], "no component of spacy-rnn 'sentencizer'."),
        ("two", ["--component", TAGGER], "Specify one with --token N, the index of the token"),
        ("two", ["--component", TAGGER, "--token", 9], "9 of the token is out of range"),
        ("one", ["--label", "X"], "no label 'X'. Its labels: EAT, LIKE."),
        ("one", ["--token", 1], "unexpected keyword argument 'token'"),
        ("one", ["--method", "x"], "integrated_gradients, occlusion; got 'x'"),
        ("one", ["--steps", 0], "'steps' must be"),
        ("missing", ["-o", "map.svg"], "'map.svg' does not end in one of .html, .json."),
    ],
)  # fmt: skip
def test_errors(work, model, options, message):
    printed = shown(run("rnn", "saliency", work / model, TEXTS[0], *options, code=1))
    assert message in printed


# States


def test_states_as_a_table(work, nlp, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    printed = run("rnn", "states", work / "two", *TEXTS, "--component", TAGGER, "--top", 3)
    found = [compute_states(nlp.get_pipe(TAGGER), nlp(text)) for text in TEXTS]
    expected = [render_table(viz.states_heatmap(each, top=3), 60) for each in found]
    assert printed == "\n\n".join(expected) + "\n"


def test_states_as_pictures(work, nlp):
    docs = list(nlp.pipe(TEXTS))
    pipe = nlp.get_pipe(TEXTCAT)
    command = ["rnn", "states", work / "one", *TEXTS]
    run(*command, "--layer", 0, "-o", work / "new" / "states.html")
    page = (work / "new" / "states.html").read_text(encoding="utf8")
    assert page == viz.states(docs, pipe, layer=0, page=True)
    options = ["--unit", "forward 3", "--unit", "backward 0", "--start", 1, "--end", 2]
    run(*command, *options, "-o", work / "states.svg")
    for i, text in enumerate(TEXTS, 1):
        svg = (work / f"states-{i}.svg").read_text(encoding="utf8")
        assert texts(svg, "row") == ["forward 3", "backward 0"]
        assert texts(svg, "column") == text.split()[1:2]
    run(*command[:-1], "-o", work / "states.png")
    assert imread(work / "states.png").size


@pytest.mark.parametrize(
    "model, options, message",
    [
        ("missing", [], "Can't find model"),
        ("stock", [], "has no component of spacy-rnn. Its components: sentencizer."),
        ("one", ["--layer", 1], "is out of range: it must be from -1 to 0"),
        ("one", ["--unit", "unit 3"], "Layer 0 has no unit 'unit 3'. Its 16 units are 'forward 0' "
                                      "to 'backward 7'."),
        ("missing", ["-o", "map.pdf"], "'map.pdf' does not end in one of .html, .svg, .png."),
    ],
)  # fmt: skip
def test_errors_of_states(work, model, options, message):
    assert message in shown(run("rnn", "states", work / model, TEXTS[0], *options, code=1))


def test_a_long_text(work, monkeypatch):
    monkeypatch.setattr(heatmap, "LARGEST", 20)
    command = ["rnn", "states", work / "one", " ".join(["ham"] * 21)]
    assert "20 tokens with 'start' and 'end'" in shown(run(*command, code=1))
    assert run(*command, "--start", 5).count("ham") == 16


def test_an_empty_text(work):
    assert "forward 0" in run("rnn", "states", work / "one", "")
    printed = run("rnn", "saliency", work / "one", "")
    assert printed.startswith("Predicted label ") and len(printed.strip().splitlines()) == 1
    run("rnn", "saliency", work / "one", "", "-o", work / "empty.html")
    run("rnn", "states", work / "one", "", "-o", work / "empty.html")


def test_without_matplotlib(work, hide):
    hide("matplotlib")
    path = work / "map.png"
    assert "spacy-rnn[plot]" in shown(
        run("rnn", "states", work / "one", TEXTS[1], "-o", path, code=1)
    )
