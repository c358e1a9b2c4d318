"""The commands for your own data, with their defaults, on public corpora as they are published."""

import json
import os
import subprocess
import sys

import pytest

from ..helpers.paths import ROOT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_commands_run(tmp_path, data_dir):
    script = ROOT / "benchmarks" / "first_steps.py"
    command = [sys.executable, str(script), "--quick", "--work", str(tmp_path / "work")]
    environment = {**os.environ, "SPACY_RNN_DATA": str(data_dir)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert 0.1 < figures["banking_acc"] <= 1.0
    assert 0.0 <= figures["wnut_f"] <= 1.0 and 0.0 <= figures["bleu"] <= 100.0
    assert all(figures[f"{name}_cpu_minutes"] > 0 for name in ("banking", "wnut", "pairs"))
