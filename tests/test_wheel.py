"""The wheel contains only the package, and works from another folder."""

import os
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from .helpers.installed import call
from .helpers.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


def test_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "spacy_rnn/py.typed" in names and "spacy_rnn/nn/rnn.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"spacy_rnn"}


def test_works_from_another_folder(wheel, tmp_path):
    """The wheel runs in a separate environment with the same dependencies, not in this checkout."""
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    purelib = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(purelib) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    code = """
import spacy, spacy_rnn
from spacy.training import Example
from spacy.tokens import Doc
print(spacy_rnn.__file__)
nlp = spacy.blank("en")
nlp.add_pipe("rnn_tagger")
gold = Doc(nlp.vocab, words=["Cats", "sleep"], tags=["NNS", "VBP"])
examples = [Example(nlp.make_doc("Cats sleep"), gold)]
optimizer = nlp.initialize(lambda: examples)
for _ in range(20):
    nlp.update(examples, sgd=optimizer)
nlp.to_disk("pipeline")
print([token.tag_ for token in spacy.load("pipeline")("Cats sleep")])
"""
    output = call(python, "-c", code, cwd=tmp_path).splitlines()
    assert Path(output[0]).is_relative_to(tmp_path)
    assert output[1] == "['NNS', 'VBP']"
