"""Cutting documents into batches and windows, and putting the results together again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.architectures.tagger import TaggerArchitecture
from spacy_rnn.config.embedding import CharacterRNN, WordEmbedding
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.runtime.tok2vec import DocBatch

VOCAB = Vocab()
N_LABELS = 4
DIRECTIONS = ["forward", "backward", "both"]

doc_lengths = st.lists(st.integers(0, 12), max_size=8)


def make_doc(n, seed=0):
    numbers = np.random.default_rng([n, seed]).integers(0, 30, n)
    return Doc(VOCAB, words=[f"w{number}" for number in numbers])


def make_shim(direction="both", cell="lstm"):
    torch.manual_seed(0)
    embedding = dict(
        words=WordEmbedding(width=4, min_freq=1), characters=CharacterRNN(width=3, hidden_size=2)
    )
    encoder = RNNEncoder(cell=cell, direction=direction, hidden_size=4, depth=2, residual=True)
    shim = TorchShim(TaggerArchitecture(embedding, encoder, "softmax"))
    shim.features.build([make_doc(100)])
    shim.build({"tag": N_LABELS})
    for parameter in shim.module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return shim


@pytest.fixture(scope="module")
def shims():
    return {direction: make_shim(direction) for direction in DIRECTIONS}


def predict(shim, docs, limits):
    if not docs:
        return []
    outputs = shim.architecture.scores(shim, DocBatch(docs), limits)
    assert all(output.keys() == {"tag"} for output in outputs)
    return [output["tag"] for output in outputs]


def one_pass(shim, doc, start=0, end=None):
    """The scores of some tokens of a document, read by themselves in one pass."""
    words = [token.text for token in doc[start:end]]
    batch = shim.architecture.batch(shim, DocBatch([Doc(VOCAB, words=words)]))
    with torch.no_grad():
        return shim.module(batch)["tag"].scores.numpy()


def assert_close(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


class Spy:
    """Keeps the lengths of the rows in each batch that an encoder reads."""

    def __init__(self, shim):
        self.encoder = shim.module.encoder
        self.batches = []

    def _recorded(self, function):
        def call(x, lengths, *others):
            self.batches.append(lengths.tolist())
            return function(x, lengths, *others)

        return call

    def __enter__(self):
        for name in ("forward", "forward_stateful"):
            setattr(self.encoder, name, self._recorded(getattr(self.encoder, name)))
        return self.batches

    def __exit__(self, *error):
        for name in ("forward", "forward_stateful"):
            delattr(self.encoder, name)


@pytest.mark.parametrize("direction", DIRECTIONS)
@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40))
@settings(max_examples=20)
def test_documents_have_the_same_scores_as_alone(shims, direction, lengths, batch_tokens):
    shim = shims[direction]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens, window=50, overlap=5))
    assert_close(outputs, [one_pass(shim, doc) for doc in docs])


@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40))
@settings(max_examples=30)
def test_batches_stay_within_their_size_and_read_every_token_once(shims, lengths, batch_tokens):
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    with Spy(shims["both"]) as batches:
        predict(shims["both"], docs, MemoryLimits(batch_tokens, window=50, overlap=5))
    assert sorted(n for rows in batches for n in rows) == sorted(lengths)
    for rows in batches:
        assert len(rows) == 1 or len(rows) * max(rows) <= batch_tokens


def test_batches_are_filled_with_documents_of_similar_length(shims):
    docs = [make_doc(n) for n in [1, 10, 1, 10, 1, 1]]
    with Spy(shims["both"]) as batches:
        predict(shims["both"], docs, MemoryLimits(batch_tokens=20, window=50, overlap=5))
    assert batches == [[10, 10], [1, 1, 1, 1]]


@given(
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    window=st.integers(2, 9),
    overlap=st.integers(0, 4),
    batch_tokens=st.integers(1, 60),
)
@settings(max_examples=25)
def test_windows_of_both_directions_are_read_with_their_context(
    shims, lengths, window, overlap, batch_tokens
):
    shim = shims["both"]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    expected = []
    for doc in docs:
        if len(doc) <= window:
            expected.append(one_pass(shim, doc))
            continue
        pieces = []
        for start in range(0, len(doc), window):
            left = min(start, overlap)
            scores = one_pass(shim, doc, start - left, start + window + overlap)
            pieces.append(scores[left : left + window])
        expected.append(np.concatenate(pieces))
    with Spy(shim) as batches:
        outputs = predict(shim, docs, MemoryLimits(batch_tokens, window, overlap))
    assert_close(outputs, expected)
    assert max(n for rows in batches for n in rows) <= window + 2 * overlap


def test_windows_differ_from_the_whole_document_without_context(shims):
    """Otherwise the tests of windows could not notice a mistake."""
    doc = make_doc(20)
    (windowed,) = predict(shims["both"], [doc], MemoryLimits(100, window=5, overlap=0))
    assert np.abs(windowed - one_pass(shims["both"], doc)).max() > 1e-3


@pytest.mark.parametrize("direction", ["forward", "backward"])
@given(lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4), window=st.integers(1, 9))
@settings(max_examples=20)
def test_windows_of_one_direction_equal_the_whole_document(shims, direction, lengths, window):
    shim = shims[direction]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    with Spy(shim) as batches:
        outputs = predict(shim, docs, MemoryLimits(batch_tokens=40, window=window, overlap=2))
    assert max(n for rows in batches for n in rows) <= window
    assert_close(outputs, [one_pass(shim, doc) for doc in docs])


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", ["gru", "rnn_tanh", "rnn_relu", "none"])
def test_every_cell_carries_its_state_over_windows(cell, direction):
    shim = make_shim(direction, cell)
    docs = [make_doc(n) for n in (11, 3)]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=40, window=4, overlap=0))
    assert_close(outputs, [one_pass(shim, doc) for doc in docs])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [0, 3, 0, 0, 9, 0]])
def test_empty_documents(direction, lengths):
    """Also if they are the first documents that a model reads."""
    shim = make_shim(direction)
    docs = [make_doc(n) for n in lengths]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=20, window=4, overlap=1))
    assert [output.shape for output in outputs] == [(n, N_LABELS) for n in lengths]


def test_a_batch_points_at_distinct_words():
    shim = make_shim()
    docs = [Doc(VOCAB, words=["w1", "w2", "w1"]), Doc(VOCAB, words=[]), Doc(VOCAB, words=["w2"])]
    batch = shim.architecture.batch(shim, DocBatch(docs))
    assert batch.lengths.tolist() == [3, 0, 1]
    assert len(batch.arrays["words"]) == 2
    first, second, third, fourth = batch.tokens.tolist()
    assert first == third != second == fourth
