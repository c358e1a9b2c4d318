"""The course as a notebook."""

import pytest

from ..helpers.pages import parts
from ..helpers.paths import ROOT

jupytext = pytest.importorskip("jupytext", reason="needs the extra docs")

PAGE = ROOT / "docs" / "explanation" / "course.md"


def test_the_cells_are_the_blocks_of_the_page():
    notebook = jupytext.read(PAGE)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    blocks = [block.text for block in parts(PAGE).blocks if block.language == "python"]
    assert cells == [text.strip() for text in blocks]
