"""Poolings and sentence encoders as graphs against torch."""

import numpy as np
import pytest
import torch

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenEmbedding
from spacy_rnn.nn.layout import FlatBatch
from spacy_rnn.nn.many_to_one import ManyToOne
from spacy_rnn.nn.pooling import PooledEncoder, Pooling
from spacy_rnn.onnx.encoder import input_bounds
from spacy_rnn.onnx.networks import many_to_one_graph
from spacy_rnn.onnx.session import Session, padded

WAYS = ["last", "mean", "max", "attention"]
DIRECTIONS = ["forward", "backward", "both"]
SIZE = 4
LENGTHS = [3, 0, 7, 1, 5]
#: sentences of texts, of the lengths above
COUNTS = [2, 0, 1, 2]


def pooled(size, ways, direction, cell="lstm"):
    settings = RNNEncoder(cell=cell, direction=direction, hidden_size=5, depth=1)
    encoder = settings.module(size)
    return PooledEncoder(encoder, Pooling(encoder.output_size, direction, ways, 3))


def make(ways, direction="both", cell="lstm", sentences=False):
    tokens = pooled(SIZE, ways, direction, cell)
    above = pooled(tokens.output_size, ways, direction, cell) if sentences else None
    return ManyToOne(TokenEmbedding({}), tokens, above, {"cats": 3})


def session_of(network, *bounds):
    return Session(many_to_one_graph(network, *bounds).SerializeToString())


def grid(prefix, lengths):
    """The places of padded rows, of which some may be empty."""
    lengths = np.array(lengths)
    places, _ = padded(np.cumsum(lengths) - lengths, np.maximum(lengths, 1))
    return dict(zip(prefix, (places, lengths.astype("int32")), strict=True))


def run(session, x, lengths, counts=()):
    arrays = {"vectors": x.numpy(), **grid(("tokens", "lengths"), lengths)}
    return session({**arrays, **(grid(("sentences", "counts"), counts) if counts else {})})["cats"]


@pytest.mark.parametrize("ways", [*([way] for way in WAYS), WAYS], ids=" ".join)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "none"])
def test_poolings_equal_torch(ways, direction, cell, randomized, vectors):
    network = randomized(make(ways, direction, cell))
    x = vectors(sum(LENGTHS), SIZE)
    with torch.inference_mode():
        expected = network.read(FlatBatch(x, torch.tensor(LENGTHS)), None)["cats"].numpy()
    np.testing.assert_allclose(run(session_of(network), x, LENGTHS), expected, atol=1e-5)


@pytest.mark.parametrize("ways", [*([way] for way in WAYS), WAYS], ids=" ".join)
def test_sentence_encoders_equal_torch(ways, randomized, vectors):
    network = randomized(make(ways, sentences=True))
    x = vectors(sum(LENGTHS), SIZE)
    batch = FlatBatch(x, torch.tensor(LENGTHS))
    with torch.inference_mode():
        expected = network.read(batch, torch.tensor(COUNTS))["cats"].numpy()
    found = run(session_of(network), x, LENGTHS, COUNTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "none"])
@pytest.mark.parametrize("int8", [False, True])
def test_a_text_is_bit_equal_alone_and_in_batches(cell, int8, randomized, vectors):
    lengths = [3, 70, 7, 1, 5, 130, 12, 12]
    network = randomized(make(WAYS, cell=cell))
    x = vectors(sum(lengths), SIZE)
    batch = FlatBatch(x, torch.tensor(lengths))
    bounds = input_bounds(network.tokens.encoder, batch) if int8 else None
    session = session_of(network, bounds)
    together = run(session, x, lengths)
    alone = [run(session, row, [len(row)]) for row in x.split(lengths)]
    assert np.array_equal(together, np.concatenate(alone))
