"""Sessions: threads, pickling, and bad graphs."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenEmbedding, WordEmbedding
from spacy_rnn.nn.tagger import Tagger
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.graph import Graph
from spacy_rnn.onnx.networks import write_graphs
from spacy_rnn.onnx.session import Session

SIZE = 6


@pytest.fixture
def network(randomized):
    embedding = TokenEmbedding({"words": WordEmbedding("words", 5, SIZE, 0.0)})
    encoder = RNNEncoder(hidden_size=16).module(SIZE)
    return randomized(Tagger(embedding, encoder, {"tag": 4}))


@pytest.fixture
def model(network):
    return write_graphs(network)["encoder"]


def grid(seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(30, 8, SIZE)).astype("float32")
    return {"x": x, "lengths": generator.integers(1, 31, 8).astype("int32")}


def test_threads_share_a_session(model):
    session = Session(model)
    expected = [session(grid(seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda seed: session(grid(seed)), range(8)))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_sessions_can_be_pickled(model):
    session = pickle.loads(pickle.dumps(Session(model)))
    assert np.array_equal(session(grid(0)), Session(model)(grid(0)))


@pytest.mark.parametrize("damage", [lambda m: m[: len(m) // 2], lambda m: b"", lambda m: b"text"])
def test_a_damaged_graph_is_an_error(model, damage):
    with pytest.raises(ValueError, match="cannot run this graph"):
        Session(damage(model))


def test_an_unknown_operator_is_named():
    graph = Graph("new")
    x = graph.input("x", "float32", "rows")
    graph.output("y", graph.add("Novelty", x, domain="com.microsoft"), "float32", "rows")
    with pytest.raises(ValueError, match="Novelty"):
        Session(graph.to_bytes())


def test_a_missing_graph_is_named(network):
    graphs = dict(write_graphs(network))
    del graphs["heads.tag"]
    with pytest.raises(ValueError, match=r"no graph of heads\.tag\. Write the graphs again"):
        with_graphs(network, graphs)


def test_a_graph_of_other_labels_is_an_error(network):
    graphs = write_graphs(network)
    network.resize({"tag": 6})
    with pytest.raises(ValueError, match=r"'heads.tag' has 4 outputs, but the network 6"):
        with_graphs(network, graphs)
