"""The README has the commands that continuous integration runs, and figures of the benchmarks."""

import re

from ..helpers.output import NUMBER
from ..helpers.pages import parts
from ..helpers.paths import ROOT

README = ROOT / "README.md"
FIGURES = [
    row
    for table in parts(ROOT / "benchmarks" / "README.md").tables
    for row in table.rows
    if {"key", "figure"} <= row.keys()
]


def test_the_readme_has_two_commands():
    """Continuous integration runs them."""
    blocks = [block for block in parts(README).blocks if block.language == "bash"]
    assert [block.text.count("\n") for block in blocks] == [1, 1]
    assert "spacy project run all" in blocks[0].text and "pytest" in blocks[1].text


def test_figures_are_those_of_the_benchmarks():
    """After the name of a row comes its figure, or a range of several runs."""
    text = README.read_text(encoding="utf8")
    found = re.findall(r"`(\w+)` (\d+\.\d+)(?: to (\d+\.\d+))?", text)
    assert len(found) >= 5
    for key, *figures in found:
        rows = [row for row in FIGURES if f"`{key}`" in row["key"]]
        measured = [re.findall(NUMBER, row["figure"]) for row in rows]
        assert any(set(filter(None, figures)) <= set(each) for each in measured), (key, figures)
