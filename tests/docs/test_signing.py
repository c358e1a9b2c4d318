"""Signing a pipeline as docs/how-to/troubleshooting.md says."""

import shutil
import subprocess

import pytest

from ..helpers.paths import ROOT
from ..helpers.pipelines import make_trained

COMMANDS = ("model_signing", "openssl")
PAGE = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf8")


def call(command, folder, code=0):
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, COMMANDS)), reason=f"needs the commands {' and '.join(COMMANDS)}"
)
def test_a_signed_pipeline_is_verified_and_a_change_is_found(tmp_path):
    flat = " ".join(PAGE.split())
    make_trained("rnn_tagger").to_disk(tmp_path / "PIPELINE")
    for start, end in (("openssl ecparam", "private.pem"), ("openssl ec -in", "public.pem")):
        begin = flat.index(start)
        call(flat[begin : flat.index(end, begin) + len(end)].replace("`", ""), tmp_path)
    sign, verify = (line for line in PAGE.splitlines() if line.startswith("model_signing "))
    call(sign, tmp_path)
    call(verify, tmp_path)
    with (tmp_path / "PIPELINE" / "rnn_tagger" / "cfg").open("a") as file:
        file.write(" ")
    assert "rnn_tagger/cfg" in call(verify, tmp_path, code=1)
