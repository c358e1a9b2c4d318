"""python -m spacy rnn attention."""

import subprocess
import sys

import pytest
import spacy
from matplotlib.image import imread

from spacy_rnn import viz
from spacy_rnn.display import heatmap
from spacy_rnn.display.table import render_table

from ..helpers.cli import run, shown
from ..helpers.markup import texts
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, make_trained, train

NAME = "rnn_translator"
TEXT = " ".join(sentence[0] for sentence in SENTENCES[2:])  # They like blue ham Eggs !
TWO = f"{SENTENCES[1][0]} {TEXT}"


@pytest.fixture(scope="module")
def nlp():
    """A trained pipeline that translates sentence by sentence."""
    nlp = make_trained(NAME)
    nlp.add_pipe("sentencizer", first=True)
    return nlp


@pytest.fixture(scope="module")
def work(nlp, tmp_path_factory):
    """A folder with pipelines: with one translator, two, none, and one without attention."""
    folder = tmp_path_factory.mktemp("attention")
    nlp.to_disk(folder / "one")
    two = spacy.load(folder / "one")
    two.add_pipe(NAME, name="other", source=nlp)
    two.to_disk(folder / "two")
    spacy.blank("xx").to_disk(folder / "none")
    without = make_pipeline(NAME, {"decoder": {"attention": None}})
    train(without, make_examples(without), steps=1)
    without.to_disk(folder / "without")
    return folder


def matrices(nlp, text):
    (alignments,) = nlp.get_pipe(NAME).align([nlp(text)])
    return [viz.attention_heatmap(alignment) for alignment in alignments]


def test_table(work, nlp, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    printed = run("rnn", "attention", work / "one", TWO, TEXT)
    expected = [*matrices(nlp, TWO), *matrices(nlp, TEXT)]
    assert len(expected) == 3 and all(matrix.rows for matrix in expected)
    assert printed == "\n\n".join(render_table(matrix, 50) for matrix in expected) + "\n"
    assert "She eats one ham ." in printed


def test_html(work, nlp):
    path = work / "new" / "map.html"
    assert str(path) in shown(run("rnn", "attention", work / "one", TWO, "-o", path))
    expected = viz.attention(nlp(TWO), nlp.get_pipe(NAME), page=True)
    assert path.read_text(encoding="utf8") == expected


def test_svg(work, nlp):
    run("rnn", "attention", work / "one", TEXT, "--output", work / "map.SVG")
    svg = (work / "map.SVG").read_text(encoding="utf8")
    assert texts(svg, "column") == TEXT.split()
    assert svg == heatmap.render_heatmap(matrices(nlp, TEXT)[0])


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_file_for_each_sentence(work, ending):
    run("rnn", "attention", work / "one", TWO, TEXT, "--output", work / f"each.{ending}")
    assert [path.name for path in sorted(work.glob(f"each*.{ending}"))] == [
        f"each-{i}.{ending}" for i in (1, 2, 3)
    ]


def test_png(work):
    run("rnn", "attention", work / "one", TEXT, "--output", work / "map.png")
    assert imread(work / "map.png").size


def test_named_component(work):
    found = {
        run("rnn", "attention", work / "two", TEXT, "--component", name) for name in (NAME, "other")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "model, options, message",
    [
        ("missing", [], "Can't find model"),
        ("none", [], "has no rnn_translator. Its components: none."),
        ("two", [], f"more than one rnn_translator. Choose one with --component: {NAME}, other."),
        ("one", ["--component", "x"], "no rnn_translator 'x'. Choose one with --component: "
                                      f"{NAME}. Its components: sentencizer, {NAME}."),
        ("one", ["--component", "sentencizer"], "no rnn_translator 'sentencizer'."),
        ("none", ["--component", "x"], "has no rnn_translator."),
        ("without", [], "has no attention. Train"),
        ("missing", ["-o", "map.pdf"], "'map.pdf' does not end in one of .html, .svg, .png."),
        ("missing", ["-o", "map"], "'map' does not end in one of .html, .svg, .png."),
        ("one", [""], "Text 2 has nothing to translate"),
        ("one", [" \n"], "Text 2 has nothing to translate"),
    ],
)  # fmt: skip
def test_errors(work, model, options, message):
    assert message in shown(run("rnn", "attention", work / model, TEXT, *options, code=1))


def test_errors_of_files(work, monkeypatch, hide):
    (work / "folder.svg").mkdir()
    arguments = ["rnn", "attention", work / "one", TEXT, "-o"]
    assert "folder.svg" in shown(run(*arguments, work / "folder.svg", code=1))
    monkeypatch.setattr(heatmap, "LARGEST", 5)
    for ending in ("html", "svg", "png"):
        assert "too large" in run(*arguments, work / f"large.{ending}", code=1)
    hide("matplotlib")
    assert "spacy-rnn[plot]" in shown(run(*arguments, work / "map.png", code=1))


def test_no_text(work):
    run("rnn", "attention", work / "one", code=2)


@pytest.mark.slow
def test_import_is_quick():
    """The import must be quick, because other commands of spaCy import this package too."""
    code = (
        "import sys; from spacy.util import registry; assert 'rnn' in registry.cli.get_all(); "
        "print(*(m for m in sys.modules if m.startswith(('spacy_rnn.', 'matplotlib'))))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    imported = {module.split(".")[1] for module in output.split()}
    assert imported == {"atomic", "cli", "display", "optional", "text_files"}
