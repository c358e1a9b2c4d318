"""The examples of docs/how-to/deploy.md that are not Python."""

import json
import os
import shutil
import subprocess

import pytest
import spacy
from spacy.tokens import Doc

from ..helpers.pages import blocks
from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_examples

WORDS = [*SENTENCES[0][0].split(), "antidisestablishmentarianism" * 2]


def block_of(language):
    (block,) = blocks(language)
    return block.text


def test_the_container_installs_what_the_benchmark_measures():
    lines = block_of("dockerfile").splitlines()
    script = (ROOT / "benchmarks" / "torch_free.py").read_text()
    (packages,) = (line for line in lines if "safetensors" in line)
    assert str(packages.split()[-3:]).replace("'", '"') in script
    for line in lines:
        if line.startswith("RUN find"):
            command = line.removeprefix("RUN ").replace("/packages -", "{0} -", 1)
            assert command.replace("{}", "{{}}") in script


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True])
def test_javascript_gives_the_same_tags(int8, tmp_path, monkeypatch):
    if shutil.which("npm") is None and not os.environ.get("CI"):
        pytest.skip("Node.js is not installed.")
    nlp = spacy.blank("en")
    nlp.add_pipe("rnn_tagger", name="tagger")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(15):
        nlp.update(examples, sgd=optimizer)
    nlp.get_pipe("tagger").write_graphs([eg.x for eg in examples], int8)
    nlp.get_pipe_config("tagger")["engine"] = "onnx"
    nlp.to_disk(tmp_path / "small")
    nlp = spacy.load(tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    (export,) = (b.text for b in blocks("python") if "features.json" in b.text)
    exec(export, {"nlp": nlp})
    (tmp_path / "tag.mjs").write_text(block_of("js"), encoding="utf8")
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "onnxruntime-web"], check=True)
    command = ["node", "tag.mjs", "web", *WORDS]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert json.loads(printed) == [token.tag_ for token in nlp(Doc(nlp.vocab, WORDS))]
