"""python -m spacy rnn generate and suggest."""

import pytest
import spacy

from ..helpers.cli import run
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A pipeline that has memorized four sentences, and its path."""
    nlp = make_pipeline("rnn_lm")
    train(nlp, make_examples(nlp), steps=60)
    path = tmp_path_factory.mktemp("lm") / "model"
    nlp.to_disk(path)
    return nlp, path


def test_generate(model):
    nlp, path = model
    prompts = ["I like", "She", "", "Zyxdog", "She eats ", "They!"]
    printed = run("rnn", "generate", path, *prompts, "--beam", "1", "--max-length", "9")
    assert printed.splitlines() == nlp.get_pipe("rnn_lm").generate(prompts, beam=1, max_length=9)
    assert printed.splitlines()[:2] == [SENTENCES[0][0], SENTENCES[1][0]]


def test_generate_samples(model):
    nlp, path = model
    options = {"temperature": 2.0, "top_k": 5, "top_p": 0.9, "seed": 3}
    arguments = [x for k, v in options.items() for x in (f"--{k.replace('_', '-')}", v)]
    printed = run("rnn", "generate", path, "I", *arguments)
    assert printed.rstrip("\n") == nlp.get_pipe("rnn_lm").generate(["I"], **options)[0]


def test_errors_of_generate(model):
    _, path = model
    printed = run("rnn", "generate", path, "I", "--temperature", "0", code=1)
    assert "'temperature' must be a number above 0" in " ".join(printed.split())
    # Python reads arguments that are not UTF-8 in this way.
    for command in ("generate", "suggest"):
        printed = run("rnn", command, path, "caf\udce9", code=1)
        assert "half of a surrogate pair" in " ".join(printed.split())


def test_suggest(model):
    nlp, path = model
    printed = run("rnn", "suggest", path, "I like gr", "--number", "2")
    (word, probability), *_ = (line.split() for line in printed.splitlines() if line.strip())
    best = nlp.get_pipe("rnn_lm").suggest("I like gr", 2)[0]
    assert (word, float(probability)) == ("green", pytest.approx(best.probability, abs=1e-4))
    assert "knows no word" in run("rnn", "suggest", path, "I like zz")


def test_a_pipeline_without_a_language_model(tmp_path):
    spacy.blank("xx").to_disk(tmp_path)
    for command in ("generate", "suggest"):
        assert "has no rnn_lm" in run("rnn", command, tmp_path, "I", code=1)
