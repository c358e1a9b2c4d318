"""A tagger's conditional random field over documents that are read in batches and windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.architectures.tagger import TaggerArchitecture, score_batches
from spacy_rnn.config.embedding import CharacterRNN, WordEmbedding
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.linear_chain import marginals, viterbi
from spacy_rnn.nn.tag_scores import TagScores
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.runtime.tok2vec import DocBatch

VOCAB = Vocab()
OUTPUTS = {"tag": 4, "pos": 3}
DIRECTIONS = ["forward", "backward", "both"]
#: all documents in one batch, each in one window
WHOLE = MemoryLimits(batch_tokens=10_000, window=10_000, overlap=0)

doc_lengths = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def make_doc(n, seed=0):
    numbers = np.random.default_rng([n, seed]).integers(0, 30, n)
    return Doc(VOCAB, words=[f"w{number}" for number in numbers])


def make_shim(direction="both"):
    torch.manual_seed(0)
    embedding = dict(
        words=WordEmbedding(width=4, min_freq=1), characters=CharacterRNN(width=3, hidden_size=2)
    )
    encoder = RNNEncoder(cell="lstm", direction=direction, hidden_size=4, depth=1)
    shim = TorchShim(TaggerArchitecture(embedding, encoder, "crf"))
    shim.features.build([make_doc(100)])
    shim.build(OUTPUTS)
    for parameter in shim.module.parameters():
        torch.nn.init.normal_(parameter)
    return shim


@pytest.fixture(scope="module")
def shims():
    return {direction: make_shim(direction) for direction in DIRECTIONS}


def predict(shim, docs, limits=WHOLE):
    return shim.architecture.predict(shim, DocBatch(docs), limits, probabilities=True)


def assert_same(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        for name in OUTPUTS:
            assert one[name].tolist() == other[name].tolist()
            p = name + "_probabilities"
            np.testing.assert_allclose(one[p], other[p], rtol=1e-4, atol=1e-5)


def decoded_whole(shim, scores):
    """The output of the conditional random field for the scores of all tokens of a document."""
    outputs = {}
    for name, x in scores.items():
        x, lengths = torch.from_numpy(x), torch.tensor([len(x)])
        potentials = TagScores(x, lengths, shim.module.crfs[name]).potentials()
        with torch.no_grad():
            outputs[name] = viterbi(potentials, x, lengths).numpy()
            outputs[name + "_probabilities"] = marginals(potentials, x, lengths).numpy()
    return outputs


@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40), data=st.data())
@settings(max_examples=15)
def test_batches_and_order_change_nothing(shims, lengths, batch_tokens, data):
    shim = shims["both"]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    alone = [predict(shim, [doc])[0] for doc in docs]
    order = data.draw(st.permutations(range(len(docs))))
    limits = MemoryLimits(batch_tokens, window=50, overlap=5)
    outputs = predict(shim, [docs[i] for i in order], limits)
    assert_same(outputs, [alone[i] for i in order])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("window", [1, 7, 30])
def test_a_doc_in_windows_is_decoded_as_a_whole(shims, direction, window):
    shim = shims[direction]
    docs = [make_doc(n) for n in (60, 3, 0, 31)]
    limits = MemoryLimits(batch_tokens=20, window=window, overlap=2)
    scores = shim.architecture.scores(shim, DocBatch(docs), limits)
    assert [x["tag"].shape for x in scores] == [(len(doc), OUTPUTS["tag"]) for doc in docs]
    outputs = predict(shim, docs, limits)
    assert_same(outputs, [decoded_whole(shim, x) for x in scores])
    if direction != "both":
        assert_same(outputs, predict(shim, docs))
    # The conditional random field decides, not the scores of each token alone.
    assert any((x["tag"].argmax(1) != y["tag"]).any() for x, y in zip(scores, outputs, strict=True))


@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40))
@settings(max_examples=30)
def test_docs_are_decoded_once_in_batches_that_fit(shims, lengths, batch_tokens):
    generator = np.random.default_rng(0)
    scores = [
        {name: generator.normal(size=(n, k)).astype("float32") for name, k in OUTPUTS.items()}
        for n in lengths
    ]
    seen = []
    limits = MemoryLimits(batch_tokens, window=50, overlap=5)
    for places, found in score_batches(shims["both"], scores, limits):
        sizes = [lengths[i] for i in places]
        assert len(sizes) == 1 or max(sizes) * len(sizes) <= batch_tokens
        for name in OUTPUTS:
            assert found[name].lengths.tolist() == sizes
            assert found[name].crf is shims["both"].module.crfs[name]
            expected = np.concatenate([scores[i][name] for i in places])
            assert (found[name].scores.numpy() == expected).all()
        seen += places.tolist()
    assert sorted(seen) == list(range(len(lengths)))


def test_only_empty_docs(shims):
    for output in predict(shims["both"], [make_doc(0), make_doc(0)]):
        assert output["tag"].shape == (0,)
        assert output["tag_probabilities"].shape == (0, OUTPUTS["tag"])
