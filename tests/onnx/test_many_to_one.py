"""Networks of whole texts as graphs, compared with torch."""

import numpy as np
import pytest
import torch

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenBatch, TokenEmbedding, WordEmbedding
from spacy_rnn.nn.many_to_one import ManyToOne
from spacy_rnn.nn.pooling import PooledEncoder, Pooling
from spacy_rnn.onnx.bounds import measured_bounds
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.networks import write_graphs

WAYS = ["last", "mean", "max", "attention"]
DIRECTIONS = ["forward", "backward", "both"]
N_WORDS, SIZE = 20, 4
LENGTHS = [3, 0, 7, 1, 5]
#: the number of sentences of each text; the lengths above are those of the sentences
COUNTS = [2, 0, 1, 2]


def pooled(size, ways, direction, cell):
    settings = RNNEncoder(cell=cell, direction=direction, hidden_size=40, depth=1)
    encoder = settings.module(size)
    return PooledEncoder(encoder, Pooling(encoder.output_size, direction, ways, 30))


def make(ways=WAYS, direction="both", cell="lstm", sentences=False):
    embedding = TokenEmbedding({"words": WordEmbedding("words", N_WORDS, SIZE, 0.0)})
    tokens = pooled(SIZE, ways, direction, cell)
    above = pooled(tokens.output_size, ways, direction, cell) if sentences else None
    return ManyToOne(embedding, tokens, above, {"cats": 3})


def batch_of(lengths, counts=None):
    arrays = {"words": torch.arange(N_WORDS)}
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, N_WORDS, sum(lengths)))
    counts = counts and torch.tensor(counts)
    return TokenBatch(arrays, tokens, torch.tensor(lengths), counts)


def read(network, batch):
    with torch.inference_mode():
        return network(batch)["cats"].numpy()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "none"])
@pytest.mark.parametrize("sentences", [False, True])
def test_graphs_equal_torch(direction, cell, sentences, randomized):
    network = randomized(make(WAYS, direction, cell, sentences))
    batch = batch_of(LENGTHS, COUNTS if sentences else None)
    found = read(with_graphs(network, write_graphs(network)), batch)
    np.testing.assert_allclose(found, read(network, batch), 1e-4, 1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "none"])
@pytest.mark.parametrize("int8", [False, True])
def test_a_text_is_bit_equal_alone_and_in_batches(cell, int8, randomized):
    lengths = [3, 70, 7, 1, 5, 130, 12, 12]
    network = randomized(make(cell=cell))
    batch = batch_of(lengths)
    with measured_bounds(network) as bounds:
        read(network, batch)
    graphs = with_graphs(network, write_graphs(network, bounds if int8 else None))
    together = read(graphs, batch)
    for i, tokens in enumerate(batch.tokens.split(lengths)):
        alone = batch._replace(tokens=tokens, lengths=torch.tensor([len(tokens)]))
        assert np.array_equal(read(graphs, alone)[0], together[i])


def test_bounds_are_measured_for_both_encoders(randomized):
    network = randomized(make(sentences=True))
    with measured_bounds(network) as bounds:
        read(network, batch_of(LENGTHS, COUNTS))
    assert {network.sentences.encoder, network.tokens.encoder} <= set(bounds)
