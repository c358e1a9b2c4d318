"""Under load, the service gives right answers, refuses excess requests and loses no request."""

import json
import os
import subprocess
import sys

import pytest

from ..helpers.paths import ROOT

pytest.importorskip("uvicorn", reason="needs the extra serve")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_load(data_dir):
    command = [sys.executable, str(ROOT / "benchmarks" / "serving.py"), "--quick"]
    environment = {**os.environ, "SPACY_RNN_DATA": str(data_dir)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["wrong_answers"] == figures["requests_lost"] == 0
    assert figures["memory_growth"] < 1.1 and figures["refused"] > 0
    assert figures["accepted_share"] > 0.2
