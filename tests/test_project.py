"""The project's workflow for treebanks, from a mirror in a local folder."""

import json
import lzma
import shutil
import subprocess
import sys

from .conftest import ROOT

TREEBANKS = {
    "ud-en-ewt": "UD_English-EWT/r2.16",
    "ud-pt-bosque": "UD_Portuguese-Bosque/r2.16",
    "ud-cs-cltt": "UD_Czech-CLTT/r2.17",
}


def project(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "project", *arguments],
        cwd=folder, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ud_workflow(data_dir, tmp_path):
    mirror = tmp_path / "mirror"
    for folder, address in TREEBANKS.items():
        (mirror / address).mkdir(parents=True)
        for packed in (data_dir / folder).glob("*.conllu.xz"):
            (mirror / address / packed.stem).write_bytes(lzma.open(packed).read())
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(ROOT / "project.yml", clone)
    for folder in ("configs", "corpora"):
        shutil.copytree(ROOT / folder, clone / folder)
    # Checksums of all nine files hold.
    project(clone, "assets", ".", "--extra", "--vars.mirror", mirror.as_uri())
    variables = {
        "treebank": "UD_Czech-CLTT",
        "ud_lang": "cs",
        "ud_targets": '["pos"]',
        "ud_config": "configs/tagger_small.cfg",
        # The first evaluation after step 0 is at step 100.
        "ud_steps": "110",
    }
    overrides = [part for name, value in variables.items() for part in (f"--vars.{name}", value)]
    project(clone, "run", "ud", ".", *overrides)
    scores = json.loads((clone / "metrics" / "UD_Czech-CLTT.json").read_text())
    assert scores["pos_acc"] > 0.5
    # What has not changed is not done again.
    assert project(clone, "run", "ud", ".", *overrides).count("Skipping") == 3
