"""Sequences of words as characters, against strings put together by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.features.contextual_strings import MAX_LENGTH, Sourced, WordCharacters
from spacy_rnn.features.streams import BACKWARD, FORWARD
from spacy_rnn.features.tokens import TokenFeatures, TokenSequences
from spacy_rnn.features.units import UNKNOWN, Characters

ALPHABET = "abcde "
#: what the boundary of documents looks like here
BOUNDARY = "|"

words = st.text("abcde", min_size=1, max_size=6)
batches = st.lists(st.lists(words, max_size=5), min_size=1, max_size=4)


def make_features(directions=(FORWARD, BACKWARD), alphabet=ALPHABET):
    characters = Characters()
    characters.from_dict({"characters": list(alphabet)})
    context = WordCharacters("context", lambda: Sourced(characters, {"directions": directions}, {}))
    context.build(Counter(), Vocab())
    return TokenFeatures([], context)


def strings_of(features, batch):
    vocab = Vocab()
    sequences = TokenSequences([Doc(vocab, words=row) for row in batch])
    return features.strings(features(sequences), sequences.lengths)


def text_of(features, strings):
    """The characters of each sequence."""
    surfaces = [BOUNDARY, "?", *features.context.characters.strings[2:]]
    text = "".join(surfaces[i] for i in strings.units)
    ends = np.cumsum(strings.lengths)
    return [text[end - n : end] for end, n in zip(ends, strings.lengths, strict=True)]


@given(batches)
def test_a_blank_follows_each_word(batch):
    features = make_features()
    forward = strings_of(features, batch)[FORWARD]
    expected = [BOUNDARY + "".join(word + " " for word in row) for row in batch]
    assert text_of(features, forward) == expected
    ends, place = [], 0
    for row in batch:
        place += 1
        for word in row:
            place += len(word) + 1
            ends.append(place - 1)
    assert forward.ends.tolist() == ends


@given(batches)
def test_the_other_direction_reads_all_from_the_end(batch):
    features = make_features()
    mirrored = [[word[::-1] for word in row[::-1]] for row in batch[::-1]]
    backward = strings_of(features, batch)[BACKWARD]
    forward = strings_of(features, mirrored)[FORWARD]
    assert backward.units.tolist() == forward.units.tolist()
    assert backward.lengths.tolist() == forward.lengths.tolist()
    # Each token's place, in the order of the tokens.
    assert backward.ends.tolist() == forward.ends.tolist()[::-1]


def test_only_the_directions_of_the_model_are_read():
    assert list(strings_of(make_features([BACKWARD]), [["a"]])) == [BACKWARD]


def test_characters_that_the_model_has_not_seen_are_unknown():
    features = make_features(alphabet="ab")
    strings = strings_of(features, [["axb"]])[FORWARD]
    assert text_of(features, strings) == [BOUNDARY + "a?b?"]
    assert (strings.units == UNKNOWN).sum() == 2


@pytest.mark.parametrize("n", [MAX_LENGTH, MAX_LENGTH + 1, 100_000])
def test_both_ends_of_a_long_word_are_read(n):
    features = make_features()
    word = "a" * (n // 2) + "b" * (n - n // 2)
    (text,) = text_of(features, strings_of(features, [[word]])[FORWARD])
    half = min(n, MAX_LENGTH) // 2
    assert text == BOUNDARY + "a" * half + "b" * half + " "


def test_what_is_saved_is_read_again():
    features, other = make_features(), make_features([FORWARD], "xyz")
    other.from_dict(features.to_dict())
    batch = [["ab", "cd"], ["e"]]
    expected, found = strings_of(features, batch), strings_of(other, batch)
    assert {name: x.units.tolist() for name, x in expected.items()} == {
        name: x.units.tolist() for name, x in found.items()
    }
