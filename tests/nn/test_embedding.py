"""Each part of a token's embedding, compared word by word."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_rnn.nn.embedding import (
    CharacterCNN,
    HashEmbedding,
    SubwordMean,
    SubwordRNN,
    TokenEmbedding,
    WordEmbedding,
)
from spacy_rnn.nn.vectors import GivenVectors

WIDTH = 4

#: words as lists of ids of characters or pieces; some lists are empty
spellings = st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=5)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def make_words(words, extra_columns=0):
    """The arrays of words, which are given as lists of ids, padded to the longest word."""
    columns = max([1, *map(len, words)]) + extra_columns
    ids = [word + [0] * (columns - len(word)) for word in words]
    return {
        "chars": torch.tensor(ids, dtype=torch.int64).reshape(-1, columns),
        "chars_lengths": torch.tensor([len(word) for word in words], dtype=torch.int64),
    }


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(words=spellings)
@settings(max_examples=30)
def test_subword_rnn_gives_torchs_last_states_word_by_word(cell, words):
    part = SubwordRNN("chars", 10, WIDTH, 3, cell).eval()
    alone = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](WIDTH, 3, bidirectional=True)
    alone.load_state_dict(part.encoder.layers[0].state_dict())
    vectors = part(make_words(words))
    assert vectors.shape == (len(words), part.output_size) == (len(words), 6)
    for word, vector in zip(words, vectors, strict=True):
        if word:
            last = alone(part.table(torch.tensor(word)))[1]
            h_n = last[0] if cell == "lstm" else last
            assert_close(vector, torch.cat([h_n[0], h_n[1]]))
        else:
            assert not vector.any()


@given(words=spellings, extra_columns=st.integers(0, 3))
@settings(max_examples=30)
def test_subword_mean_is_the_mean_word_by_word(words, extra_columns):
    part = SubwordMean("chars", 10, WIDTH)
    vectors = part(make_words(words, extra_columns))
    assert vectors.shape == (len(words), part.output_size) == (len(words), WIDTH)
    for word, vector in zip(words, vectors, strict=True):
        assert_close(vector, part.table.weight[word].mean(dim=0) if word else torch.zeros(WIDTH))


def test_each_piece_gets_its_share_of_a_means_gradient():
    part = SubwordMean("chars", 6, WIDTH).train()
    part(make_words([[2, 3, 2, 5], [], [3]])).sum().backward()
    expected = torch.tensor([0, 0, 2 / 4, 1 / 4 + 1, 0, 1 / 4])
    assert_close(part.table.weight.grad, expected.unsqueeze(1).expand(-1, WIDTH))


def convolve(part, word):
    """Apply each filter at each character of one word, with zeros beyond the ends of the word.
    Returns the maximum of each filter, at least 0."""
    table, weight, bias = (
        tensor.detach().double().numpy()
        for tensor in (part.table.weight, part.convolution.weight, part.convolution.bias)
    )
    if not word:
        return np.zeros(len(bias))
    size = weight.shape[2]
    beyond = np.zeros((size // 2, WIDTH))
    x = np.concatenate([beyond, table[word], beyond])
    values = [
        [bias[k] + (weight[k].T * x[i : i + size]).sum() for k in range(len(bias))]
        for i in range(len(word))
    ]
    return np.maximum(np.max(values, axis=0), 0.0)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@given(words=spellings, extra_columns=st.integers(0, 3))
@settings(max_examples=30)
def test_character_cnn_by_hand(kernel_size, words, extra_columns):
    """The result does not depend on the longest word of the batch."""
    part = CharacterCNN("chars", 10, WIDTH, 6, kernel_size).eval()
    nn.init.normal_(part.convolution.bias)
    vectors = part(make_words(words, extra_columns))
    assert vectors.shape == (len(words), part.output_size) == (len(words), 6)
    for word, vector in zip(words, vectors.detach().numpy(), strict=True):
        np.testing.assert_allclose(vector, convolve(part, word), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "part_class, options", [(SubwordRNN, (3, "lstm")), (SubwordMean, ()), (CharacterCNN, (3, 3))]
)
def test_a_word_without_characters_has_no_gradient(part_class, options):
    part = part_class("chars", 10, WIDTH, *options).train()
    part(make_words([[], [2, 3]]))[0].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in part.parameters())


def test_the_padding_character_stays_zero():
    part = CharacterCNN("chars", 10, WIDTH, 12, 3).train()
    assert not part.table.weight[0].any()
    part(make_words([[2], [3, 4, 5]])).sum().backward()
    assert not part.table.weight.grad[0].any()
    assert part.table.weight.grad[3].any()


def test_word_embedding_looks_up_words_and_drops_some_to_the_unknown_word():
    part = WordEmbedding("words", 50, WIDTH, 0.3).eval()
    ids = torch.randint(1, 50, (5000,))
    assert torch.equal(part({"words": ids}), part.table.weight[ids])
    rows = part.train()({"words": ids})
    unknown = (rows == part.table.weight[0]).all(dim=1)
    assert unknown.float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(rows[~unknown], part.table.weight[ids][~unknown])


def test_hash_embedding_has_a_table_for_each_property():
    part = HashEmbedding("affixes", 2, 3, WIDTH)
    tables = part.table.weight.split(3)
    ids = [[0, 0], [2, 1], [1, 2]]
    expected = torch.stack([torch.cat([tables[0][i], tables[1][j]]) for i, j in ids])
    vectors = part({"affixes": torch.tensor(ids)})
    assert torch.equal(vectors, expected)
    assert vectors.shape[1] == part.output_size


def test_hash_embedding_saves_only_its_table():
    assert list(HashEmbedding("affixes", 2, 3, WIDTH).state_dict()) == ["table.weight"]


def test_token_embedding_concatenates_in_the_order_of_its_parts():
    words, vectors = WordEmbedding("words", 5, WIDTH, 0.0), GivenVectors("vectors", (0, 2))
    batch = {"words": torch.tensor([3, 0]), "vectors": torch.randn(2, 2)}
    batch["vectors_lengths"] = torch.ones(2, dtype=torch.int64)
    one = TokenEmbedding({"words": words, "vectors": vectors})
    assert torch.equal(one.embed_words(batch), torch.cat([words(batch), batch["vectors"]], dim=1))
    other = TokenEmbedding({"vectors": vectors, "words": words})
    assert torch.equal(other.embed_words(batch), torch.cat([batch["vectors"], words(batch)], dim=1))
    assert one.output_size == other.output_size == WIDTH + 2


def test_no_words():
    part = TokenEmbedding(
        {
            "words": WordEmbedding("words", 5, WIDTH, 0.0),
            "rnn": SubwordRNN("chars", 5, WIDTH, 3, "lstm"),
            "mean": SubwordMean("chars", 5, WIDTH),
            "cnn": CharacterCNN("chars", 5, WIDTH, 3, 3),
            "affixes": HashEmbedding("affixes", 2, 3, WIDTH),
            "vectors": GivenVectors("vectors", (0, 2)),
        }
    )
    no_ids = torch.zeros(0, dtype=torch.int64)
    batch = {
        **make_words([]),
        "words": no_ids,
        "affixes": no_ids.view(0, 2),
        "vectors": torch.zeros(0, 2),
        "vectors_lengths": no_ids,
    }
    assert part.embed_words(batch).shape == (0, part.output_size)
