"""Sequences of words as characters, compared with joined strings."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_rnn.nn.contextual_strings import spell

#: characters by ID: first the boundary of documents, then the space
ALPHABET = "| abcde"

words = st.text("abcde", max_size=6)
batches = st.lists(st.lists(words, max_size=5), max_size=4)


def spelled(batch, backward=False, n_more=0):
    """The characters of each sequence, and the places where words end.

    n_more: the number of additional columns of padding.
    """
    distinct = sorted({word for row in batch for word in row}) or [""]
    sizes = [len(word) for word in distinct]
    ids = np.zeros((len(distinct), max(sizes) + n_more), dtype="int64")
    for row, word in zip(ids, distinct, strict=True):
        row[: len(word)] = [ALPHABET.index(character) for character in word]
    tokens = [distinct.index(word) for row in batch for word in row]
    lengths = [len(row) for row in batch]
    marks = torch.tensor([ALPHABET.index(" "), ALPHABET.index("|")])
    integers = [torch.tensor(each, dtype=torch.int64) for each in (sizes, tokens, lengths)]
    sequences = spell(torch.from_numpy(ids), *integers, marks, backward)
    text = "".join(ALPHABET[i] for i in sequences.units)
    stops = sequences.lengths.cumsum(0).tolist()
    texts = [text[end - n : end] for end, n in zip(stops, sequences.lengths.tolist(), strict=True)]
    return texts, sequences.ends.tolist()


@given(batches)
def test_a_space_follows_each_word(batch):
    texts, ends = spelled(batch)
    assert texts == ["|" + "".join(word + " " for word in row) for row in batch]
    expected = [i for i, character in enumerate("".join(texts)) if character == " "]
    assert ends == expected


@given(batches)
def test_the_backward_direction_reads_the_reversed_text(batch):
    mirrored = [[word[::-1] for word in row[::-1]] for row in batch[::-1]]
    texts, ends = spelled(batch, backward=True)
    expected_texts, expected_ends = spelled(mirrored)
    assert texts == expected_texts
    # One place for each token, in the order of the tokens.
    assert ends == expected_ends[::-1]


@pytest.mark.parametrize("backward", [False, True])
@given(batches)
def test_padding_does_not_matter(backward, batch):
    assert spelled(batch, backward, n_more=3) == spelled(batch, backward)
