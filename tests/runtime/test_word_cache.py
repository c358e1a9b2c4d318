"""The cache of the vectors of words, compared with networks that have cached nothing."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam

from spacy_rnn.architectures.tagger import TaggerArchitecture
from spacy_rnn.config.embedding import CharacterRNN, WordEmbedding
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.config.vectors import VectorEmbedding
from spacy_rnn.inspection.memory import PeakMemory
from spacy_rnn.nn import embedding as nn_embedding
from spacy_rnn.runtime import word_cache
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.optimizer import make_adamw
from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.runtime.tok2vec import DocBatch

from ..helpers.pipelines import make_examples, make_pipeline, train

N_WORDS = 40
LIMITS = MemoryLimits(batch_tokens=50, window=50, overlap=5)
#: bytes of the cached vectors of one word
ROW = 4 * (4 + 2 * 2)

texts = st.lists(st.lists(st.integers(0, N_WORDS - 1), max_size=8), min_size=1, max_size=4)


def make_vocab(seed=None):
    vocab = Vocab()
    if seed is not None:
        vocab.reset_vectors(width=3)
        for i, row in enumerate(np.random.default_rng(seed).normal(size=(N_WORDS, 3))):
            vocab.set_vector(f"w{i}", row.astype("float32"))
    return vocab


VOCAB = make_vocab()


def make_doc(numbers=range(10), vocab=VOCAB):
    return Doc(vocab, words=[f"w{number}" for number in numbers])


def make_shim(seed=0, vocab=VOCAB, **parts):
    torch.manual_seed(seed)
    embedding = dict(
        words=WordEmbedding(width=4, min_freq=1, unknown_dropout=0.9),
        **parts,
        characters=CharacterRNN(width=3, hidden_size=2),
    )
    encoder = RNNEncoder(cell="lstm", direction="both", hidden_size=4, depth=1)
    shim = TorchShim(TaggerArchitecture(embedding, encoder, "softmax"))
    shim.features.build([make_doc(range(N_WORDS), vocab)] * 2)
    shim.build({"tag": 3})
    for parameter in shim.module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return shim


def predict(shim, *docs):
    outputs = shim.architecture.scores(shim, DocBatch(docs), LIMITS)
    return np.concatenate([output["tag"] for output in outputs])


def assert_right(shim, *docs):
    """Compare with a copy, which has cached nothing yet."""
    np.testing.assert_allclose(
        predict(shim, *docs), predict(copy.deepcopy(shim), *docs), rtol=1e-6, atol=1e-6
    )


@pytest.fixture
def embedded(monkeypatch):
    """The embedding parts for which vectors of words were computed, and the number of words."""
    calls = []

    def embed_parts(self, words, parts):
        vectors = original(self, words, parts)
        calls.extend((name, len(some)) for name, some in vectors.items())
        return vectors

    original = nn_embedding.TokenEmbedding.embed_parts
    monkeypatch.setattr(nn_embedding.TokenEmbedding, "embed_parts", embed_parts)
    return calls


def test_only_new_words_are_embedded(embedded):
    shim = make_shim()
    first = predict(shim, make_doc(range(6)))
    assert embedded == [("words", 6), ("characters", 6)]
    assert np.array_equal(predict(shim, make_doc(range(6))), first)
    predict(shim, make_doc([5, 0]), make_doc([5, 1]))
    assert len(embedded) == 2
    predict(shim, make_doc([3, 7, 8]), make_doc([7]))
    assert embedded[2:] == [("words", 2), ("characters", 2)]


@settings(max_examples=30)
@given(calls=st.lists(texts, min_size=2, max_size=6))
def test_predictions_are_the_same_without_cached_vectors(calls):
    shim = make_shim()
    for numbers in calls:
        assert_right(shim, *(make_doc(some) for some in numbers))


# Changes of the weights


def learn(shim, optimizer):
    batch = shim.architecture.batch(shim, DocBatch([make_doc()]))
    with shim.training(0.0) as module:
        loss = module(batch)["tag"].scores.square().sum()
    _, backprop = shim.begin_update(loss, 1.0)
    backprop(1.0)
    shim.finish_update(optimizer)


def step_adamw(shim):
    learn(shim, make_adamw(0.1))


def step_thincs_adam(shim):
    learn(shim, Adam(0.1))


def load(shim):
    shim.from_bytes(make_shim(seed=1).to_bytes())


def build_again(shim):
    shim.build({"tag": 3})


def load_state(shim):
    shim.module.load_state_dict(make_shim(seed=1).module.state_dict())


def edit(shim):
    with torch.inference_mode():
        shim.module.embedding.parts["characters"].table.weight.mul_(2.0)


def replace_weights(shim):
    table = shim.module.embedding.parts["words"].table
    table.weight = torch.nn.Parameter(table.weight.detach() * 2.0)


def replace_module(shim):
    part = shim.module.embedding.parts["characters"]
    part.encoder = make_shim(seed=1).module.embedding.parts["characters"].encoder


CHANGES = [
    step_adamw,
    step_thincs_adam,
    load,
    build_again,
    load_state,
    edit,
    replace_weights,
    replace_module,
]


@pytest.mark.parametrize("change", CHANGES)
def test_vectors_of_previous_weights_are_not_used(change):
    shim = make_shim()
    for _ in range(3):
        before = predict(shim, make_doc())
        change(shim)
        assert_right(shim, make_doc())
        assert_right(shim, make_doc(range(5, 20)))
    if change not in (load, load_state, replace_module):
        assert not np.allclose(predict(shim, make_doc()), before)


def test_averages_are_used_while_they_are_swapped_in():
    shim, optimizer = make_shim(), make_adamw(0.1)
    for _ in range(3):
        learn(shim, optimizer)
    trained = predict(shim, make_doc())
    for _ in range(2):
        with shim.use_params(optimizer.averages):
            averaged = predict(shim, make_doc())
            assert_right(shim, make_doc())
        assert not np.allclose(averaged, trained)
        np.testing.assert_allclose(predict(shim, make_doc()), trained, rtol=1e-6, atol=1e-6)


def test_a_resize_of_the_output_keeps_the_vectors(embedded):
    shim = make_shim()
    predict(shim, make_doc())
    n_calls = len(embedded)
    shim.resize({"tag": 5})
    assert predict(shim, make_doc()).shape == (10, 5)
    assert len(embedded) == n_calls
    assert_right(shim, make_doc())


def test_vectors_are_read_and_cached_while_another_thread_trains(embedded):
    """Only training replaces words at random."""
    shim = make_shim()
    expected = predict(shim, make_doc())
    embedded.clear()
    with shim.training(0.0):
        assert np.array_equal(predict(shim, make_doc()), expected)
        assert not embedded
        predict(shim, make_doc(range(20)))
    assert_right(shim, make_doc(range(20)))


# The pipeline's vectors


def test_the_pipelines_vectors_are_read_each_time(embedded):
    vocab = make_vocab(seed=0)
    shim = make_shim(vocab=vocab, vectors=VectorEmbedding())
    before = predict(shim, make_doc(vocab=vocab))
    embedded.clear()
    vocab.set_vector("w3", np.ones(3, dtype="float32"))
    after = predict(shim, make_doc(vocab=vocab))
    assert {name for name, _ in embedded} == {"vectors"}
    assert not np.allclose(before, after)
    assert_right(shim, make_doc(vocab=vocab))


def test_words_of_two_vocabularies_have_different_vectors():
    one, other = make_vocab(seed=0), make_vocab(seed=1)
    shim = make_shim(vocab=one, vectors=VectorEmbedding())
    docs = [make_doc(vocab=one), make_doc(vocab=other), make_doc([3, 30], vocab=one)]
    expected = np.concatenate([predict(copy.deepcopy(shim), doc) for doc in docs])
    for _ in range(2):
        np.testing.assert_allclose(predict(shim, *docs), expected, rtol=1e-5, atol=1e-6)
        alone = [predict(shim, doc) for doc in docs]
        np.testing.assert_allclose(np.concatenate(alone), expected, rtol=1e-5, atol=1e-6)


# The bound


@pytest.mark.parametrize("max_words, max_bytes", [(3, 1), (3, 12 * ROW), (50, 1)])
def test_the_cache_is_bounded(monkeypatch, max_words, max_bytes):
    monkeypatch.setattr(word_cache, "MAX_WORDS", max_words)
    monkeypatch.setattr(word_cache, "MAX_BYTES", max_bytes)
    shim = make_shim()
    rng = np.random.default_rng(0)
    with PeakMemory() as memory:
        for _ in range(10):
            docs = [make_doc(rng.integers(0, N_WORDS, 9)) for _ in range(3)]
            outputs = predict(shim, *docs)
        del outputs
        assert memory.now <= max(max_words * ROW, max_bytes)
    for _ in range(10):
        assert_right(shim, make_doc(rng.integers(0, N_WORDS, 9)))


def test_copies_have_an_empty_cache(embedded):
    shim = make_shim()
    expected, saved = predict(shim, make_doc()), shim.to_bytes()
    with PeakMemory() as memory:
        made = [copy.deepcopy(shim.word_cache), pickle.loads(pickle.dumps(shim.word_cache))]
    assert memory.most == 0 and shim.to_bytes() == saved
    for cache in made:
        shim.word_cache = cache
        embedded.clear()
        np.testing.assert_allclose(predict(shim, make_doc()), expected, rtol=1e-6)
        assert embedded == [("words", 10), ("characters", 10)]


# Threads


def in_threads(work, n=4):
    errors = []

    def run(seed):
        try:
            work(np.random.default_rng(seed))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]


def test_threads_share_vectors(monkeypatch):
    """Also while the cache is replaced again and again."""
    monkeypatch.setattr(word_cache, "MAX_WORDS", 10)
    monkeypatch.setattr(word_cache, "MAX_BYTES", 1)
    shim = make_shim()
    docs = [make_doc(np.random.default_rng(i).integers(0, N_WORDS, 9)) for i in range(30)]
    expected = [predict(copy.deepcopy(shim), doc) for doc in docs]

    def work(rng):
        for i in rng.integers(0, len(docs), 60):
            np.testing.assert_allclose(predict(shim, docs[i]), expected[i], rtol=1e-5, atol=1e-6)

    in_threads(work)


def test_vectors_computed_during_a_change_of_the_weights_are_not_used_after_it():
    shim = make_shim()
    weight = shim.module.embedding.parts["words"].table.weight
    end = threading.Event()

    def work(rng):
        while not end.is_set():
            predict(shim, make_doc(rng.integers(0, N_WORDS, 9)))

    readers = threading.Thread(target=in_threads, args=(work, 3))
    readers.start()
    try:
        for _ in range(30):
            with torch.no_grad():
                weight.mul_(-1.1)
            assert_right(shim, make_doc())
    finally:
        end.set()
        readers.join()


def test_a_pipeline_loaded_in_inference_mode():
    """Its tensors have no versions."""
    nlp = make_pipeline("rnn_tagger")
    train(nlp, make_examples(nlp), steps=1)
    with torch.inference_mode():
        loaded = make_pipeline("rnn_tagger").from_bytes(nlp.to_bytes())
        tags = [token.tag_ for token in loaded("I like ham")]
        assert tags == [token.tag_ for token in loaded("I like ham")]
    assert tags == [token.tag_ for token in nlp("I like ham")]
