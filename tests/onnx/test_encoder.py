"""Encoders as graphs against torch, and the 8-bit one alone and in batches."""

import itertools

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenEmbedding
from spacy_rnn.nn.layout import FlatBatch
from spacy_rnn.nn.tagger import Tagger
from spacy_rnn.onnx.encoder import input_bounds
from spacy_rnn.onnx.networks import tagger_graph
from spacy_rnn.onnx.session import Session, read_tokens

from ..helpers.cells import LIGHT, light_gru

CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm", "none"]
DIRECTIONS = ["forward", "backward", "both"]
SIZE = 6
LENGTHS = [3, 0, 7, 1, 3, 5, 12, 1]
#: (residual, layer_norm)
EXTRAS = list(itertools.product([False, True], [False, True]))


def make_tagger(randomized, **settings):
    encoder = RNNEncoder(**settings).module(SIZE)
    return randomized(Tagger(TokenEmbedding({}), encoder, {"tag": 4, "pos": 3}))


def session_of(tagger, bounds=None):
    return Session(tagger_graph(tagger, bounds).SerializeToString())


def read(session, x, lengths):
    """The scores when each token has its own vector."""
    tokens = np.arange(len(x))
    return read_tokens(session, x.numpy(), tokens, np.array(lengths))


def check_alone(session, x, lengths):
    """Each sequence has the same scores alone, bit for bit."""
    together = read(session, x, lengths)["tag"]
    alone = [read(session, row, [len(row)])["tag"] for row in x.split(lengths) if len(row)]
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
        with torch.inference_mode():
            expected = tagger.read(FlatBatch(x, torch.tensor(LENGTHS)))
        found = read(session_of(tagger), x, LENGTHS)
        assert list(found) == ["tag", "pos"]
        for target, of_target in expected.items():
            np.testing.assert_allclose(found[target], of_target.scores.numpy(), 1e-5, 1e-5)


def test_tokens_share_vectors_of_words(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5)
    x, tokens = vectors(4, SIZE), torch.tensor([3, 0, 0, 1, 3, 2, 3])
    lengths = torch.tensor([4, 3])
    with torch.inference_mode():
        expected = tagger.read(FlatBatch(x, lengths, tokens))["tag"].scores
    session = session_of(tagger)
    found = read_tokens(session, x.numpy(), tokens.numpy(), lengths.numpy())["tag"]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


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
        # Bounds of a part of the input: the rest is clipped.
        bounds = input_bounds(tagger.encoder, FlatBatch(x[:20], torch.tensor([20])))
        check_alone(session_of(tagger, bounds), x, LENGTHS)


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
        check_alone(session_of(tagger), x, LENGTHS)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("depth", [1, 2])
def test_int8_is_near_torch(direction, depth, vectors):
    torch.manual_seed(0)
    encoder = RNNEncoder(direction=direction, hidden_size=64, depth=depth).module(SIZE)
    tagger = Tagger(TokenEmbedding({}), encoder, {"tag": 4}).eval()
    x, lengths = vectors(sum(LENGTHS), SIZE), torch.tensor(LENGTHS)
    with torch.inference_mode():
        expected = tagger.read(FlatBatch(x, lengths))["tag"].scores.numpy()
    session = session_of(tagger, input_bounds(encoder, FlatBatch(x, lengths)))
    found = read(session, x, LENGTHS)["tag"]
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert not np.array_equal(found, expected)


def test_no_pair_of_products_exceeds_16_bits(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5)
    x = vectors(7, SIZE)
    model = tagger_graph(tagger, input_bounds(tagger.encoder, FlatBatch(x, torch.tensor([7]))))
    stored = [numpy_helper.to_array(each) for each in model.graph.initializer]
    weights = [each for each in stored if each.dtype == np.int8 and each.any()]
    assert len(weights) == 4  # of two layers
    for weight in weights:
        assert 2 * 255 * np.abs(weight.astype(int)).max() < 2**15


def test_inputs_that_are_always_0_do_not_matter(randomized, vectors):
    tagger = make_tagger(randomized, hidden_size=5, depth=1)
    x = vectors(7, SIZE)
    x[:, 2] = 0
    bounds = input_bounds(tagger.encoder, FlatBatch(x, torch.tensor([7])))
    assert np.isfinite(read(session_of(tagger, bounds), x, [7])["tag"]).all()


@pytest.mark.parametrize("cell", ["gru", "rnn_tanh", "rnn_relu", "none"])
def test_other_cells_stay_in_float32(cell, randomized, vectors):
    tagger = make_tagger(randomized, cell=cell, hidden_size=5)
    x = vectors(7, SIZE)
    bounds = input_bounds(tagger.encoder, FlatBatch(x, torch.tensor([7])))
    exact, found = (read(session_of(tagger, b), x, [7])["tag"] for b in (None, bounds))
    assert np.array_equal(exact, found)


def test_a_cell_without_an_operator_is_an_error(randomized):
    with light_gru():
        tagger = make_tagger(randomized, cell=LIGHT, hidden_size=5)
        with pytest.raises(ValueError, match=f"no operator for the cell '{LIGHT}', only for rnn"):
            tagger_graph(tagger)
