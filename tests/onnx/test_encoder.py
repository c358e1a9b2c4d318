"""Encoders as graphs, compared with torch; and results alone compared with those in batches."""

import itertools

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenEmbedding, WordEmbedding
from spacy_rnn.nn.layout import FlatBatch
from spacy_rnn.nn.ragged import Carry
from spacy_rnn.nn.tagger import Tagger
from spacy_rnn.onnx.bounds import measured_bounds
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.networks import write_graphs

from ..helpers.cells import LIGHT, light_gru

CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm", "none"]
DIRECTIONS = ["forward", "backward", "both"]
SIZE = 6
LENGTHS = [3, 0, 7, 1, 3, 5, 12, 1]
#: (residual, layer_norm)
EXTRAS = list(itertools.product([False, True], [False, True]))


def make_tagger(randomized, **settings):
    encoder = RNNEncoder(**settings).module(SIZE)
    return randomized(Tagger(Given(), encoder, {"tag": 4, "pos": 3}))


class Given(TokenEmbedding):
    """A stand-in for any kind of embedding; these tests embed nothing."""

    def __init__(self):
        super().__init__({"words": WordEmbedding("words", 2, 3, 0.0)})


def by_graphs(tagger, bounds=None):
    return with_graphs(tagger, write_graphs(tagger, bounds))


def bounds_of(tagger, *batch):
    with measured_bounds(tagger) as bounds:
        read(tagger, *batch)
    return bounds


def read(tagger, x, lengths, tokens=None):
    """The scores of each target; by default each token has its own vector."""
    with torch.inference_mode():
        found = tagger.read(FlatBatch(x, torch.tensor(lengths), tokens))
    return {target: of_target.scores.numpy() for target, of_target in found.items()}


def check_alone(tagger, x, lengths):
    """Each sequence has the same scores alone, bit for bit."""
    together = read(tagger, x, lengths)["tag"]
    alone = [read(tagger, row, [len(row)])["tag"] for row in x.split(lengths)]
    assert np.array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_graphs_equal_torch(cell, direction, depth, randomized, vectors):
    x = vectors(sum(LENGTHS), SIZE)
    for residual, layer_norm in EXTRAS:
        tagger = make_tagger(
            randomized,
            cell=cell,
            direction=direction,
            hidden_size=5,
            depth=depth,
            residual=residual,
            layer_norm=layer_norm,
        )
        found = read(by_graphs(tagger), x, LENGTHS)
        assert list(found) == ["tag", "pos"]
        for target, expected in read(tagger, x, LENGTHS).items():
            np.testing.assert_allclose(found[target], expected, 1e-5, 1e-5)


def test_tokens_share_vectors_of_words(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5)
    x, tokens = vectors(4, SIZE), torch.tensor([3, 0, 0, 1, 3, 2, 3])
    expected, found = (read(t, x, [4, 3], tokens)["tag"] for t in (tagger, by_graphs(tagger)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("hidden_size", [5, 64])
def test_int8_is_bit_equal_alone_and_in_batches(direction, depth, hidden_size, randomized, vectors):
    x = 3 * vectors(sum(LENGTHS), SIZE)
    for residual, layer_norm in EXTRAS:
        tagger = make_tagger(
            randomized,
            direction=direction,
            hidden_size=hidden_size,
            depth=depth,
            residual=residual,
            layer_norm=layer_norm,
        )
        # The bounds are those of a part of the input: the rest is clipped.
        check_alone(by_graphs(tagger, bounds_of(tagger, x[:20], [20])), x, LENGTHS)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden_size", [5, 64])
def test_float32_is_bit_equal_alone_and_in_batches(cell, hidden_size, randomized, vectors):
    x = vectors(sum(LENGTHS), SIZE)
    for residual, layer_norm in EXTRAS:
        tagger = make_tagger(
            randomized,
            cell=cell,
            hidden_size=hidden_size,
            residual=residual,
            layer_norm=layer_norm,
        )
        check_alone(by_graphs(tagger), x, LENGTHS)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("depth", [1, 2])
def test_int8_is_close_to_torch(direction, depth, vectors):
    torch.manual_seed(0)
    encoder = RNNEncoder(direction=direction, hidden_size=64, depth=depth).module(SIZE)
    tagger = Tagger(Given(), encoder, {"tag": 4}).eval()
    batch = vectors(sum(LENGTHS), SIZE), LENGTHS
    expected = read(tagger, *batch)["tag"]
    found = read(by_graphs(tagger, bounds_of(tagger, *batch)), *batch)["tag"]
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert not np.array_equal(found, expected)


def test_no_pair_of_products_exceeds_16_bits(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5)
    x = vectors(7, SIZE)
    model = onnx.load_from_string(write_graphs(tagger, bounds_of(tagger, x, [7]))["encoder"])
    stored = [numpy_helper.to_array(each) for each in model.graph.initializer]
    weights = [each for each in stored if each.dtype == np.int8 and each.any()]
    assert len(weights) == 4  # of two layers
    for weight in weights:
        assert 2 * 255 * np.abs(weight.astype(int)).max() < 2**15


def test_inputs_that_are_always_0_do_not_matter(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5, depth=1)
    x = vectors(7, SIZE)
    x[:, 2] = 0
    small = by_graphs(tagger, bounds_of(tagger, x, [7]))
    assert np.isfinite(read(small, x, [7])["tag"]).all()


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh", "rnn_relu", "none"])
def test_other_cells_stay_in_float32(cell, randomized, vectors):
    tagger = make_tagger(randomized, cell=cell, hidden_size=5)
    x = vectors(7, SIZE)
    measured = bounds_of(tagger, x, [7])
    exact, found = (read(by_graphs(tagger, b), x, [7])["tag"] for b in (None, measured))
    assert np.array_equal(exact, found)


def test_a_cell_without_an_operator_is_an_error(randomized):
    with light_gru():
        tagger = make_tagger(randomized, cell=LIGHT, hidden_size=5)
        with pytest.raises(ValueError, match=f"no operator for the cell '{LIGHT}', only for rnn"):
            write_graphs(tagger)


def test_a_carried_state_equals_that_of_torch(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5, direction="forward")
    x = vectors(10, SIZE)
    whole, carry = read(tagger, x, [10])["tag"], Carry()
    graphs, parts = by_graphs(tagger), []
    with torch.inference_mode():
        for part in x.split(4):
            batch = FlatBatch(part, torch.tensor([len(part)]), carry=carry)
            parts.append(graphs.read(batch)["tag"].scores)
    np.testing.assert_allclose(torch.cat(parts).numpy(), whole, atol=1e-5)


def test_lower_layers_equal_those_of_torch(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5, depth=2)
    x, lengths = vectors(7, SIZE), torch.tensor([3, 4])
    with torch.inference_mode():
        expected, found = (
            t.encoder.first_layers(1)(x, lengths) for t in (tagger, by_graphs(tagger))
        )
    assert torch.equal(found, expected)


def test_bounds_cover_everything_that_is_read(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5, depth=2)
    batches = [(vectors(5, SIZE), [3, 2]), (3 * vectors(4, SIZE), [4]), (vectors(0, SIZE), [0])]
    with measured_bounds(tagger) as bounds:
        for batch in batches:
            read(tagger, *batch)
    of_input, of_states = bounds[tagger.encoder]
    largest = torch.cat([x for x, _ in batches]).abs().amax(0)
    np.testing.assert_array_equal(of_input, largest.numpy())
    assert of_states.shape == (10,) and (of_states <= 1).all()
    read(tagger, 9 * batches[0][0], [5])
    np.testing.assert_array_equal(of_input, largest.numpy())
