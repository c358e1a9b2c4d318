"""Sessions: threads, pickling, bad graphs, and no torch."""

import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.embedding import TokenEmbedding
from spacy_rnn.nn.tagger import Tagger
from spacy_rnn.onnx.graph import Graph
from spacy_rnn.onnx.networks import tagger_graph
from spacy_rnn.onnx.session import BATCH_TOKENS, Session, group_by_length, read_tokens

SIZE = 6


@pytest.fixture
def model(randomized):
    tagger = randomized(
        Tagger(TokenEmbedding({}), RNNEncoder(hidden_size=16).module(SIZE), {"tag": 4})
    )
    bounds = [np.full(SIZE, 3.0), np.ones(32)]
    return tagger_graph(tagger, bounds).SerializeToString()


def texts(seed, n=40):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 30, n)
    vectors = generator.normal(size=(lengths.sum(), SIZE)).astype("float32")
    return vectors, np.arange(len(vectors)), lengths


def test_threads_share_a_session(model):
    session = Session(model)
    expected = [read_tokens(session, *texts(seed))["tag"] for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda seed: read_tokens(session, *texts(seed))["tag"], range(8)))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_process_without_torch_predicts_the_same(model, tmp_path):
    expected = read_tokens(Session(model), *texts(0))["tag"]
    (tmp_path / "model.onnx").write_bytes(model)
    np.savez(tmp_path / "texts.npz", *texts(0), expected)
    code = """
        import sys
        sys.modules["torch"] = sys.modules["onnx"] = None
        import numpy as np
        from pathlib import Path
        from spacy_rnn.onnx.session import Session, read_tokens
        *texts, expected = np.load("texts.npz").values()
        found = read_tokens(Session(Path("model.onnx").read_bytes()), *texts)["tag"]
        assert np.array_equal(found, expected)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True)


def test_sessions_can_be_pickled(model):
    session = pickle.loads(pickle.dumps(Session(model)))
    expected = read_tokens(Session(model), *texts(0))["tag"]
    assert np.array_equal(read_tokens(session, *texts(0))["tag"], expected)


def test_no_tokens_at_all(model):
    vectors = np.zeros((0, SIZE), dtype="float32")
    none = np.zeros(0, dtype="int64")
    for lengths in (none, np.zeros(3, dtype="int64")):
        assert read_tokens(Session(model), vectors, none, lengths)["tag"].shape == (0, 4)


@pytest.mark.parametrize("damage", [lambda m: m[: len(m) // 2], lambda m: b"", lambda m: b"text"])
def test_a_damaged_graph_is_an_error(model, damage):
    with pytest.raises(ValueError, match="cannot run this graph"):
        Session(damage(model))


def test_an_unknown_operator_is_named():
    graph = Graph("new")
    x = graph.input("x", "float32", "rows")
    graph.output("y", graph.add("Novelty", x, domain="com.microsoft"), "float32", "rows")
    with pytest.raises(ValueError, match="Novelty"):
        Session(graph.model().SerializeToString())


@given(st.lists(st.integers(0, 3000), max_size=40))
def test_calls_hold_each_row_once_and_are_bounded(lengths):
    sizes = np.array(lengths, dtype="int64")
    groups = group_by_length(sizes)
    rows = np.concatenate([np.zeros(0, dtype="int64"), *groups])
    assert sorted(rows.tolist()) == np.flatnonzero(sizes).tolist()
    for group in groups:
        assert sizes[group].max() * len(group) <= BATCH_TOKENS or len(group) == 1
