"""Cells and attentions of other packages are found by their entry points."""

import pytest

from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.attention import ATTENTIONS
from spacy_rnn.nn.cells import CELLS

MODULE = """
from spacy_rnn.nn.attention import DotAttention
from spacy_rnn.nn.cells import CELLS

CELL = CELLS["gru"]
"""
ENTRY_POINTS = """
[spacy_rnn_cells]
new_cell = parts_of_a_package:CELL
lstm = parts_of_a_package:CELL

[spacy_rnn_attentions]
new_attention = parts_of_a_package:DotAttention
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    info = tmp_path / "parts_of_a_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: parts-of-a-package\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "parts_of_a_package.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    CELLS.pop("new_cell", None)
    ATTENTIONS.pop("new_attention", None)


def test_parts_are_found():
    assert RNNEncoder(cell="new_cell").module(4).cell == "new_cell"
    decoder = RNNDecoder(attention="new_attention", hidden_size=6).module(4, 6)
    assert isinstance(decoder.attention, ATTENTIONS["dot"])


def test_no_name_of_this_package_is_replaced():
    lstm = CELLS["lstm"]
    RNNEncoder(cell="new_cell")
    assert CELLS["lstm"] is lstm


def test_errors_list_parts_of_other_packages():
    with pytest.raises(ValueError, match="none, new_cell, got 'no_cell'"):
        RNNEncoder(cell="no_cell")
