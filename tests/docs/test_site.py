"""The documentation as a site."""

import os
import subprocess
import sys

import pytest

from ..helpers.paths import ROOT

pytest.importorskip("mkdocs", reason="needs the extra docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def html(site, page):
    return (site / page / "index.html").read_text(encoding="utf8")


@pytest.mark.slow
def test_links_out_of_the_documentation_lead_to_the_repository(site):
    assert "/blob/main/spacy_rnn/nn/rnn.py" in html(site, "explanation/course")


@pytest.mark.slow
def test_the_reference_has_docstrings_with_their_fields_as_lists(site):
    page = html(site, "reference/api/viz")
    assert "Visualize the attention of a translator" in page
    assert "<li><code>translator</code> (<code>RNNTranslator</code>): The translator.</li>" in page
