"""Compressed pipelines where torch is not installed."""

import json
import os
import subprocess
import sys

import pytest
import spacy

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_trained

TEXTS = [sentence[0] for sentence in SENTENCES] + ["", "Eggs"]
#: hides torch, as if it were not installed
PREAMBLE = """
import json, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
import spacy
from tests.helpers.kinds import KINDS
"""
PREDICT = """
texts, *paths = map(json.loads, sys.argv[1:])
for path in paths:
    nlp = spacy.load(path)
    kind = KINDS[nlp.pipe_names[0]]
    print(json.dumps([output.tolist() for output in kind.output(nlp, map(nlp.make_doc, texts))]))
assert "torch" not in sys.modules
"""
FAIL = """
for action in sys.argv[2:]:
    try:
        exec(action, {"spacy": spacy, "path": sys.argv[1]})
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def without_torch(code, *arguments):
    """The lines that code prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def compressed(factory, path):
    nlp = make_trained(factory)
    nlp.get_pipe(factory).write_graphs(list(map(nlp.make_doc, TEXTS)))
    nlp.get_pipe_config(factory)["engine"] = "onnx"
    nlp.to_disk(path)
    return path


def test_answers_are_those_with_torch(tmp_path):
    paths = [compressed(factory, tmp_path / factory) for factory in TOKEN_KINDS]
    found = without_torch(PREDICT, json.dumps(TEXTS), *(json.dumps(str(path)) for path in paths))
    for factory, path, outputs in zip(TOKEN_KINDS, paths, found, strict=True):
        nlp = spacy.load(path)
        expected = KINDS[factory].output(nlp, map(nlp.make_doc, TEXTS))
        # Outputs of the same code are bit-identical.
        assert [output.tolist() for output in expected] == outputs


def test_other_operations_are_errors_that_name_torch_or_the_original(tmp_path):
    path, trained = compressed("rnn_tagger", tmp_path / "small"), tmp_path / "trained"
    make_trained("rnn_tagger").to_disk(trained)
    load = "nlp = spacy.load(path); "
    of_torch, *others = without_torch(
        FAIL,
        path,
        f"spacy.load({str(trained)!r})",
        load + "nlp.get_pipe('rnn_tagger').attribution_target(nlp('I eat'), 0)",
        load + "nlp.get_pipe('rnn_tagger').add_label('NEW')",
    )
    assert "needs the library torch" in of_torch and "pip install torch" in of_torch
    for error in others:
        assert "use the pipeline that the compressed one was made from" in error


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_size_of_an_environment_without_torch(data_dir):
    script = ROOT / "benchmarks" / "torch_free.py"
    environment = {**os.environ, "SPACY_RNN_DATA": str(data_dir), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script, "--quick"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["torch_free_mb"] <= 330 and figures["function_mb"] <= 250
    assert figures["torch_free_agreement"] == 1.0 and figures["folder_size_ratio"] < 0.6
