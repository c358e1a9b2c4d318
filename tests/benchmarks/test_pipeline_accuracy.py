"""The benchmark of whole pipelines, on a part of its treebank."""

import json
import os
import subprocess
import sys

import pytest

from ..helpers.paths import ROOT


@pytest.mark.slow
def test_both_sides_are_trained_and_scored(tmp_path, data_dir):
    script = ROOT / "benchmarks" / "pipeline_accuracy.py"
    command = [sys.executable, str(script), "--quick", "--work", str(tmp_path)]
    environment = {**os.environ, "SPACY_RNN_DATA": str(data_dir)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    # Both sides have the same tokenizer, which is not trained.
    assert figures["raw_tokens"] == figures["cnn_raw_tokens"] > 95
    assert figures["gold_words"] == figures["gold_sentences"] == 100
    assert 0 < figures["raw_las"] <= figures["raw_uas"] <= figures["raw_words"]
    assert figures["words_vs_cnn"] > 0.5
