"""Initial weights, gate by gate."""

import math

import pytest
import torch
from torch import nn

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.cells import CELLS
from spacy_rnn.nn.init import init_recurrent

INPUT, HIDDEN = 7, 12
MODULES = {"rnn_tanh": nn.RNN, "rnn_relu": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
GATES = {"rnn_tanh": "h", "rnn_relu": "h", "gru": "rzn", "lstm": "ifgo"}
SUFFIXES = ["_l0", "_l0_reverse"]


def make(cell, chrono_length=0):
    torch.manual_seed(0)
    layer = MODULES[cell](INPUT, HIDDEN, bidirectional=True)
    init_recurrent(layer, CELLS[cell], chrono_length)
    return layer


def blocks(layer, name):
    return getattr(layer, name).detach().split(HIDDEN)


def biases(layer, cell, suffix):
    """The bias of each gate: the sum of torch's two biases."""
    pairs = zip(blocks(layer, "bias_ih" + suffix), blocks(layer, "bias_hh" + suffix), strict=True)
    return dict(zip(GATES[cell], [a + b for a, b in pairs], strict=True))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cell", MODULES)
def test_recurrent_weights_of_each_gate_are_orthogonal(cell, suffix):
    gates = blocks(make(cell), "weight_hh" + suffix)
    assert len(gates) == len(GATES[cell])
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)
    if len(gates) > 1:
        assert not torch.allclose(gates[0], gates[1])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cell", MODULES)
def test_input_weights_of_each_gate_are_glorot_uniform(cell, suffix):
    bound = math.sqrt(6 / (INPUT + HIDDEN))
    for gate in blocks(make(cell), "weight_ih" + suffix):
        assert 0.8 * bound < gate.abs().max() <= bound


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_two_biases_of_an_lstms_forget_gate_sum_to_one(suffix):
    gates = biases(make("lstm"), "lstm", suffix)
    assert gates.pop("f").eq(1.0).all()
    assert not any(bias.any() for bias in gates.values())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("cell", "chrono_length"), [("gru", 0), ("gru", 1), ("rnn_tanh", 0), ("rnn_relu", 40)]
)
def test_other_biases_are_zero(cell, chrono_length, suffix):
    gates = biases(make(cell, chrono_length), cell, suffix)
    assert not any(bias.any() for bias in gates.values())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("length", [2, 3, 100])
def test_chrono_memories_last_between_one_and_chrono_length_steps(cell, length, suffix):
    gates = biases(make(cell, length), cell, suffix)
    keep = gates.pop("f" if cell == "lstm" else "z")
    assert keep.min() >= 0
    assert keep.max() <= math.log(max(length - 1, 1)) + 1e-5
    if cell == "lstm":
        assert torch.equal(gates.pop("i"), -keep)
    assert not any(bias.any() for bias in gates.values())


def test_chrono_memories_are_uniform_in_steps():
    torch.manual_seed(0)
    layer = nn.LSTM(1, 400)
    init_recurrent(layer, CELLS["lstm"], 101)
    steps = layer.bias_ih_l0.detach()[400:800].exp()
    assert steps.mean() == pytest.approx(50.5, abs=4)
    assert steps.std() == pytest.approx(99 / math.sqrt(12), abs=3)


def test_every_layer_of_an_encoder_is_initialized():
    encoder = RNNEncoder(cell="lstm", hidden_size=HIDDEN, depth=3, chrono_length=50).module(INPUT)
    for layer in encoder.layers:
        for suffix in SUFFIXES:
            gates = biases(layer, "lstm", suffix)
            assert gates["f"].unique().numel() == HIDDEN
            assert torch.equal(gates["i"], -gates["f"])
