"""The picture of the README shows the session of its script, with its output."""

import html
import re
import runpy

import pytest

from ..helpers.paths import ROOT

PICTURE = ROOT / "docs" / "images" / "session.svg"
SCRIPT = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))


def text_of(picture):
    """The text of the lines, without white space."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", picture.read_text(encoding="utf8"))
    return re.sub(r"\s+", "", html.unescape("".join(texts)))


def test_the_picture_has_the_session():
    text = text_of(PICTURE)
    for line in SCRIPT["SESSION"].splitlines():
        assert re.sub(r"\s+", "", line) in text, line


@pytest.mark.slow
def test_the_session_prints_what_the_picture_shows(tmp_path, monkeypatch):
    """The pipelines are those that the first command of the README trains, if they exist."""
    if not all((ROOT / f"training/{x}/model-best").exists() for x in SCRIPT["TRAINED"]):
        pytest.skip("needs: python -m spacy project run all")
    monkeypatch.chdir(ROOT)
    SCRIPT["draw"](ROOT, tmp_path / "session.svg")
    assert text_of(tmp_path / "session.svg") == text_of(PICTURE)
