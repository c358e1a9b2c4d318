"""Texts read in batches, windows and sentences, compared with each text alone."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.architectures.many_to_one import (
    ManyToOneArchitecture,
    make_many_to_one_model,
    predict_attention,
)
from spacy_rnn.architectures.rnn_encoder import make_rnn_encoder
from spacy_rnn.config.embedding import CharacterRNN, WordEmbedding
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.config.pooling import Pooling, SentenceEncoder
from spacy_rnn.nn import embedding as nn_embedding
from spacy_rnn.runtime import batching, word_cache
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.shim import TorchShim
from spacy_rnn.runtime.tok2vec import DocBatch

VOCAB = Vocab()
N_OUTPUTS = 3
DIRECTIONS = ["forward", "backward", "both"]
ALL = ("last", "mean", "max", "attention")
#: all texts in one batch, each in one window
WHOLE = MemoryLimits(batch_tokens=10_000, window=10_000, overlap=0)

doc_lengths = st.lists(st.integers(0, 12), min_size=1, max_size=6)
#: lengths of the sentences of texts; no sentence is empty
sentence_lengths = st.lists(st.lists(st.integers(1, 5), max_size=5), min_size=1, max_size=4)


def make_words(n, seed=0):
    return [f"w{number}" for number in np.random.default_rng([n, seed]).integers(0, 30, n)]


def make_doc(n, seed=0):
    return Doc(VOCAB, words=make_words(n, seed))


def make_sentences(lengths, seed=0):
    """A doc with sentences of these lengths."""
    starts = [i == 0 for n in lengths for i in range(n)]
    return Doc(VOCAB, words=make_words(len(starts), seed), sent_starts=starts)


def make_parts(direction="both", ways=ALL, by_sentences=False, second="both", second_ways=ALL):
    embedding = dict(
        words=WordEmbedding(width=4, min_freq=1), characters=CharacterRNN(width=3, hidden_size=2)
    )
    encoder = RNNEncoder(cell="lstm", direction=direction, hidden_size=4, depth=2)
    sentences = SentenceEncoder(
        RNNEncoder(cell="gru", direction=second, hidden_size=3, depth=1),
        Pooling(list(second_ways), attention_size=3),
    )
    pooling = Pooling(list(ways), attention_size=3)
    return embedding, encoder, pooling, sentences if by_sentences else None


def make_model(by_sentences=False, **settings):
    embedding, _, pooling, sentences = make_parts(by_sentences=by_sentences)
    encoder = make_rnn_encoder(hidden_size=4, depth=2)
    return make_many_to_one_model(embedding, encoder, pooling, sentences, **settings)


def make_shim(*, max_length=0, keep="head", **parts):
    torch.manual_seed(0)
    shim = TorchShim(ManyToOneArchitecture(*make_parts(**parts), max_length, keep))
    shim.features.build([make_doc(100)])
    shim.build({"text": N_OUTPUTS})
    for parameter in shim.module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return shim


@pytest.fixture(scope="module")
def shims():
    """Models that read texts as one sequence, in each direction, and one that reads sentences."""
    made = {direction: make_shim(direction=direction) for direction in DIRECTIONS}
    return {**made, "sentences": make_shim(by_sentences=True)}


def predict(shim, docs, limits=WHOLE):
    outputs = shim.architecture.predict(shim, DocBatch(docs), limits)
    assert outputs.shape == (len(docs), N_OUTPUTS) and outputs.dtype == np.float32
    return outputs


def one_sequence(shim, doc):
    """A batch of all tokens of a doc as one sequence."""
    architecture = replace(shim.architecture, max_length=0, sentences=None)
    return architecture.batch(shim, DocBatch([doc]))


@torch.no_grad()
def alone(shim, doc):
    """The module's outputs for one doc, read by itself as one sequence in one pass."""
    return shim.module(one_sequence(shim, doc))["text"][0].numpy()


@torch.no_grad()
def states_alone(shim, words):
    """The states of a sequence of words, read by itself: (n, size)."""
    batch = shim.module.embedding(one_sequence(shim, Doc(VOCAB, words=words)))
    return shim.module.tokens.encoder(batch.vectors, batch.lengths, batch.tokens)


def sentence_words(doc):
    """The words of each sentence; a doc without tokens is one empty sentence."""
    return [[token.text for token in span] for span in doc.sents] if len(doc) else [[]]


def pool_alone(level, states):
    """The vector of one sequence of states: (1, size)."""
    return level.pooling(states, torch.tensor([len(states)]))


@torch.no_grad()
def second_level(shim, sentences):
    """The states of sentences, each pooled by itself: (sentences, size)."""
    vectors = [pool_alone(shim.module.tokens, states_alone(shim, words)) for words in sentences]
    return shim.module.sentences.encoder(torch.cat(vectors), torch.tensor([len(vectors)]))


@torch.no_grad()
def by_hand(shim, sentences):
    """The outputs for one text of these sentences, level by level."""
    vector = pool_alone(shim.module.sentences, second_level(shim, sentences))
    return shim.module.heads["text"](vector)[0].numpy()


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


# Batches


@pytest.mark.parametrize("direction", DIRECTIONS)
@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40))
@settings(max_examples=15)
def test_texts_have_the_same_outputs_in_batches_as_alone(shims, direction, lengths, batch_tokens):
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    outputs = predict(shims[direction], docs, MemoryLimits(batch_tokens, window=50, overlap=5))
    assert_close(outputs, [alone(shims[direction], doc) for doc in docs])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("way", ALL)
def test_every_way_of_pooling(way, direction):
    shim = make_shim(direction=direction, ways=[way])
    docs = [make_doc(n) for n in [5, 1, 0, 9, 5, 2]]
    expected = [alone(shim, doc) for doc in docs]
    for limits in (
        WHOLE,
        MemoryLimits(10, window=50, overlap=5),
        MemoryLimits(10, window=3, overlap=9),
    ):
        assert_close(predict(shim, docs, limits), expected)


def test_different_texts_have_different_outputs(shims):
    """So that the tests can tell texts apart."""
    docs = [make_doc(6, seed) for seed in range(4)]
    outputs = predict(shims["both"], docs)
    assert min(np.abs(a - b).max() for i, a in enumerate(outputs) for b in outputs[:i]) > 0.01


@pytest.mark.parametrize("kind", [*DIRECTIONS, "sentences"])
def test_training_and_prediction_have_the_same_outputs(shims, kind):
    shim = shims[kind]
    docs = [make_sentences(lengths) for lengths in [[3, 1], [], [2], [1, 4, 2]]]
    with torch.no_grad():
        outputs = shim.module(shim.architecture.batch(shim, DocBatch(docs)))["text"]
    assert_close(outputs, predict(shim, docs, MemoryLimits(7, window=50, overlap=5)))


@pytest.mark.parametrize("kind", [*DIRECTIONS, "sentences"])
@pytest.mark.parametrize("lengths", [[0], [0, 0, 0], [1], [0, 1, 0, 6, 1]])
def test_empty_texts_get_the_output_for_no_tokens(kind, lengths):
    """Also if they are the first texts that a model reads."""
    shim = make_shim(by_sentences=True) if kind == "sentences" else make_shim(direction=kind)
    docs = [make_sentences([n] if n else []) for n in lengths]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=4, window=3, overlap=6))
    for doc, output in zip(docs, outputs, strict=True):
        if kind == "sentences":
            assert_close(output, by_hand(shim, sentence_words(doc)))
        elif len(doc):
            assert_close(output, alone(shim, doc))
        else:
            assert_close(output, shim.module.heads["text"].bias.detach())


# Windows


@pytest.mark.parametrize("direction", ["forward", "backward"])
@given(lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4), window=st.integers(1, 9))
@settings(max_examples=12)
def test_windows_of_one_direction_equal_the_whole_text(shims, direction, lengths, window):
    shim = shims[direction]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=40, window=window, overlap=2))
    assert_close(outputs, [alone(shim, doc) for doc in docs])


@given(
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    window=st.integers(1, 9),
    batch_tokens=st.integers(1, 60),
)
@settings(max_examples=15)
def test_windows_of_both_directions_with_all_context_equal_the_whole_text(
    shims, lengths, window, batch_tokens
):
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    outputs = predict(shims["both"], docs, MemoryLimits(batch_tokens, window, overlap=20))
    assert_close(outputs, [alone(shims["both"], doc) for doc in docs])


def test_windows_differ_from_the_whole_text_without_context(shims):
    """Otherwise the tests of windows could not notice a mistake."""
    doc = make_doc(20)
    windowed = predict(shims["both"], [doc], MemoryLimits(100, window=5, overlap=0))
    assert np.abs(windowed - alone(shims["both"], doc)).max() > 1e-3


def test_without_context_windows_are_pooled_as_one_text(shims):
    """Each window is read alone. The last state is that of the last window in the forward
    direction, and that of the first window in the backward direction."""
    shim, doc = shims["both"], make_doc(20)
    words = [token.text for token in doc]
    with torch.no_grad():
        states = torch.cat([states_alone(shim, words[i : i + 7]) for i in (0, 7, 14)])
        expected = shim.module.heads["text"](pool_alone(shim.module.tokens, states))
    assert_close(predict(shim, [doc], MemoryLimits(100, window=7, overlap=0)), expected)


# Texts of which only a part is read


@pytest.mark.parametrize(
    ("keep", "max_length", "read"),
    [
        ("head", 4, [0, 1, 2, 3]),
        ("tail", 4, [6, 7, 8, 9]),
        ("both", 4, [0, 1, 8, 9]),
        ("both", 5, [0, 1, 2, 8, 9]),
        ("both", 1, [0]),
        ("tail", 1, [9]),
        ("head", 10, list(range(10))),
        ("both", 9, [0, 1, 2, 3, 4, 6, 7, 8, 9]),
        ("tail", 0, list(range(10))),
    ],
)
def test_a_long_text_is_read_as_a_text_of_its_kept_words(keep, max_length, read):
    shim = make_shim(max_length=max_length, keep=keep)
    doc, short = make_doc(10), make_doc(1)
    kept = Doc(VOCAB, words=[doc[i].text for i in read])
    outputs = predict(shim, [short, doc])
    assert_close(outputs, [alone(shim, short), alone(shim, kept)])
    assert (np.abs(outputs[1] - alone(shim, doc)).max() > 1e-3) == (len(read) < 10)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("head", [[0, 1, 2], [3]]),
        ("tail", [[6], [7, 8, 9]]),
        # Words after a gap are not a part of the sentence before it.
        ("both", [[0, 1], [8, 9]]),
    ],
)
def test_sentences_of_a_text_of_which_only_a_part_is_read(keep, expected):
    shim = make_shim(max_length=4, keep=keep, by_sentences=True)
    doc = make_sentences([3, 4, 3])
    sentences = [[doc[i].text for i in sentence] for sentence in expected]
    assert_close(predict(shim, [doc])[0], by_hand(shim, sentences))


def test_a_gap_within_one_sentence_splits_it():
    shim = make_shim(max_length=4, keep="both", by_sentences=True)
    doc = make_sentences([10])
    words = [token.text for token in doc]
    assert_close(predict(shim, [doc])[0], by_hand(shim, [words[:2], words[8:]]))


# Sentences


@given(texts=sentence_lengths, batch_tokens=st.integers(1, 30))
@settings(max_examples=15)
def test_sentences_are_read_one_by_one_and_then_as_a_sequence(shims, texts, batch_tokens):
    shim = shims["sentences"]
    docs = [make_sentences(lengths, seed) for seed, lengths in enumerate(texts)]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens, window=50, overlap=5))
    assert_close(outputs, [by_hand(shim, sentence_words(doc)) for doc in docs])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("second", DIRECTIONS)
def test_both_levels_are_read_in_windows(direction, second):
    shim = make_shim(direction=direction, by_sentences=True, second=second)
    docs = [make_sentences(lengths) for lengths in [[7, 1, 2, 1, 5], [1, 1], [], [9]]]
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=12, window=2, overlap=9))
    assert_close(outputs, [by_hand(shim, sentence_words(doc)) for doc in docs])


def test_the_ends_of_sentences_matter(shims):
    """Otherwise the tests of sentences could not notice a mistake."""
    first, second = predict(shims["sentences"], [make_sentences([2, 4]), make_sentences([4, 2])])
    assert np.abs(first - second).max() > 1e-3


def test_texts_without_sentences_are_an_error(shims):
    limits = MemoryLimits(10, window=50, overlap=5)
    docs = [make_sentences([2, 1]), make_doc(3)]
    for read in (
        lambda: predict(shims["sentences"], docs, limits),
        lambda: shims["sentences"].architecture.batch(shims["sentences"], DocBatch(docs)),
        lambda: shims["sentences"].architecture.attention(
            shims["sentences"], DocBatch(docs), limits
        ),
    ):
        with pytest.raises(ValueError, match="sentencizer"):
            read()


def test_texts_of_up_to_one_token_need_no_sentences(shims):
    """A sentencizer has nothing to set in them."""
    docs = [make_doc(0), make_doc(1)]
    expected = [by_hand(shims["sentences"], [[token.text for token in doc]]) for doc in docs]
    assert_close(predict(shims["sentences"], docs), expected)


# Attention


def attention_alone(level, states):
    """Equation by equation, in float64: u = tanh(W h + b), a = softmax(c u)."""
    weights = {
        name: p.detach().double().numpy()
        for name, p in level.pooling.ways["attention"].named_parameters()
    }
    scores = []
    for state in states.double().numpy():
        u = np.tanh(weights["hidden.weight"] @ state + weights["hidden.bias"])
        scores.append(weights["context.weight"][0] @ u)
    return np.exp(scores) / np.exp(scores).sum()


def attention(shim, docs, limits=WHOLE):
    weights = shim.architecture.attention(shim, DocBatch(docs), limits)
    assert [array.shape for array in weights] == [(len(doc),) for doc in docs]
    assert all(array.dtype == np.float32 for array in weights)
    for array in weights:
        assert array.sum() == pytest.approx(1.0 if len(array) else 0.0, abs=1e-5)
    return weights


@pytest.mark.parametrize("direction", DIRECTIONS)
@given(lengths=doc_lengths, batch_tokens=st.integers(1, 40), window=st.integers(1, 15))
@settings(max_examples=10)
def test_attention_is_the_softmax_of_the_scores(shims, direction, lengths, batch_tokens, window):
    shim = shims[direction]
    docs = [make_doc(n, seed) for seed, n in enumerate(lengths)]
    weights = attention(shim, docs, MemoryLimits(batch_tokens, window, overlap=12))
    for doc, array in zip(docs, weights, strict=True):
        states = states_alone(shim, [token.text for token in doc])
        assert_close(array, attention_alone(shim.module.tokens, states))


@pytest.mark.parametrize(
    ("keep", "read"), [("head", [0, 1, 2]), ("tail", [5, 6, 7]), ("both", [0, 1, 7])]
)
def test_tokens_that_are_not_read_have_no_attention(keep, read):
    shim = make_shim(max_length=3, keep=keep)
    doc = make_doc(8)
    short, weights = attention(shim, [make_doc(2), doc])
    assert short.all() and np.flatnonzero(weights).tolist() == read
    states = states_alone(shim, [doc[i].text for i in read])
    assert_close(weights[read], attention_alone(shim.module.tokens, states))


@given(texts=sentence_lengths, batch_tokens=st.integers(1, 30), window=st.integers(1, 6))
@settings(max_examples=10)
def test_attention_by_sentences_is_that_of_both_levels(shims, texts, batch_tokens, window):
    shim = shims["sentences"]
    docs = [make_sentences(lengths, seed) for seed, lengths in enumerate(texts)]
    weights = attention(shim, docs, MemoryLimits(batch_tokens, window, overlap=9))
    for doc, array in zip(docs, weights, strict=True):
        sentences = sentence_words(doc)
        factors = attention_alone(shim.module.sentences, second_level(shim, sentences))
        parts = [
            factor * attention_alone(shim.module.tokens, states_alone(shim, words))
            for factor, words in zip(factors, sentences, strict=True)
        ]
        assert_close(array, np.concatenate(parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"ways": ["last", "mean", "max"]},
        {"ways": ["max"], "by_sentences": True},
        {"second_ways": ["max"], "by_sentences": True},
    ],
)
def test_attention_must_be_one_of_the_ways_of_pooling(parts):
    shim = make_shim(**parts)
    with pytest.raises(ValueError, match='Add "attention"'):
        shim.architecture.attention(shim, DocBatch([make_sentences([2, 3])]), WHOLE)


# Distinct words


@pytest.fixture
def embedded(monkeypatch):
    """The number of words for which each call of the embeddings computes vectors."""
    rows = []

    def embed_parts(self, words, parts):
        vectors = original(self, words, parts)
        rows.extend({len(some) for some in vectors.values()})
        return vectors

    original = nn_embedding.TokenEmbedding.embed_parts
    monkeypatch.setattr(nn_embedding.TokenEmbedding, "embed_parts", embed_parts)
    return rows


def n_distinct(docs):
    return len({token.text for doc in docs for token in doc})


@pytest.mark.parametrize("kind", ["both", "forward", "sentences"])
def test_distinct_words_of_many_batches_are_embedded_once(shims, embedded, kind):
    """Ten batches of one sentence or text."""
    docs = [make_sentences([5], seed) for seed in range(10)]
    shim = copy.deepcopy(shims[kind])
    predict(shim, docs, MemoryLimits(batch_tokens=5, window=50, overlap=5))
    assert embedded == [n_distinct(docs)] and n_distinct(docs) < 50


def test_words_are_embedded_when_they_first_occur(shims, embedded, monkeypatch):
    """Three batches at a time, the words that were in no earlier batch."""
    docs = [make_doc(5, seed) for seed in range(7)]
    expected = predict(shims["both"], docs)
    embedded.clear()
    monkeypatch.setattr(batching, "CHUNK_BATCHES", 3)
    shim = copy.deepcopy(shims["both"])
    outputs = predict(shim, docs, MemoryLimits(batch_tokens=5, window=50, overlap=5))
    known = [n_distinct(docs[:n]) for n in (0, 3, 6, 7)]
    new = np.diff(known).tolist()
    assert embedded == [n for n in new if n]
    assert_close(outputs, expected)


@pytest.mark.parametrize("max_words", [1, 4, 7])
@pytest.mark.parametrize("kind", ["both", "backward", "sentences"])
def test_words_are_embedded_a_bounded_number_at_a_time(
    shims, embedded, monkeypatch, kind, max_words
):
    docs = [make_sentences(lengths) for lengths in [[5, 8], [], [1], [9]]]
    expected = predict(shims[kind], docs)
    embedded.clear()
    monkeypatch.setattr(word_cache, "MAX_WORDS", max_words)
    assert_close(predict(copy.deepcopy(shims[kind]), docs), expected)
    full, rest = divmod(n_distinct(docs), max_words)
    assert embedded == [max_words] * full + [rest] * (rest > 0)


# The model


def test_the_model_predicts_from_texts():
    docs = [make_sentences(lengths) for lengths in [[5, 8], [], [1], [9]]]
    for by_sentences in (False, True):
        torch.manual_seed(0)
        model = make_model(by_sentences, batch_tokens=6, window=4, overlap=13)
        model.initialize(X=docs, Y={"text": N_OUTPUTS})
        (shim,) = model.shims
        assert_close(model.predict(docs), predict(shim, docs))
        for one, other in zip(predict_attention(model, docs), attention(shim, docs), strict=True):
            assert_close(one, other)


@pytest.mark.parametrize(
    "setting", [{"max_length": -1}, {"batch_tokens": 0}, {"window": 0}, {"overlap": -1}]
)
def test_settings_out_of_range_are_an_error(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        make_model(**setting)


@pytest.mark.parametrize("ways", [[], ["mean", "max", "mean"]])
def test_there_must_be_ways_of_pooling_without_repetition(ways):
    with pytest.raises(ValueError, match="each once"):
        Pooling(ways)


def test_attention_needs_a_width():
    with pytest.raises(ValueError, match="attention_size"):
        Pooling(["attention"], attention_size=0)
