"""The script for a GPU runs all of its steps, here without a GPU."""

import json
import os
import subprocess

import pytest

from ..helpers.paths import ROOT

RATIOS = ("infer_ratio", "train_ratio")
#: figures of each step, without the seconds
FIGURES = {
    "pytest": {"passed", "failed", "skipped"},
    "tagger_speed": {*RATIOS},
    "textcat_speed": {*RATIOS},
    "crf_speed": {"infer_ratio", "infer_ratio_crf"},
    "translator_speed": {"train_ratio", "step_ratio", "step_ratio_greedy"},
    "lm_speed": {"train_ratio", "characters_train_ratio", "small_train_ratio"},
    "lm_awd": {"steps", "valid_perplexity", "words_per_second"},
}


@pytest.mark.timeout(1800)
def test_dry_run(tmp_path, data_dir):
    output = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "on_gpu.sh"
    environment = {**os.environ, "SPACY_RNN_DATA": str(data_dir)}
    subprocess.run([script, output, "--dry-run"], env=environment, check=True)
    results = json.loads(output.read_text())
    assert {"device", "torch", "date"} < results.keys()
    for step, figures in FIGURES.items():
        assert results[step].keys() - {"processor"} == figures | {"seconds"}
        assert (tmp_path / f"on_gpu.{step}.log").exists()
    assert results["pytest"]["passed"] > 0
