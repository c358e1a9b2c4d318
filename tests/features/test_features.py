"""From words to integers: each feature alone, and the arrays of a batch."""

import copy
import json
import pickle
import random
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.strings import get_string_id
from spacy.tokens import Doc
from spacy.vectors import Vectors
from spacy.vocab import Vocab

from spacy_rnn.features import tokens
from spacy_rnn.features.affixes import AffixHashes
from spacy_rnn.features.characters import CharacterIds
from spacy_rnn.features.feature import ranked
from spacy_rnn.features.tokens import TokenFeatures, TokenSequences
from spacy_rnn.features.vectors import PipelineVectors
from spacy_rnn.features.words import WordIds

COUNTS = Counter({"The": 3, "the": 2, "cat": 4, "dog": 4, "Ox": 1, "ox": 1, "emu": 1})


@pytest.fixture
def vocab() -> Vocab:
    return Vocab(lex_attr_getters=LEX_ATTRS)


def through_json(feature, fresh):
    """`fresh` with what `feature` has learned, passed on as JSON."""
    fresh.from_dict(json.loads(json.dumps(feature.to_dict())))
    return fresh


def assert_same_ids(one, other, words, vocab):
    expected = one.arrays(words, vocab)
    actual = other.arrays(words, vocab)
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])


# Single features


def test_ranked_by_frequency_then_spelling():
    assert ranked(Counter(b=2, a=2, d=3, c=1), min_freq=2) == ["d", "a", "b"]


@given(st.permutations(sorted(COUNTS.items())))
@settings(max_examples=20)
def test_vocabularies_do_not_depend_on_the_order_of_words(items):
    for make in [lambda: WordIds("w", 1, True), lambda: CharacterIds("c", 5)]:
        one, other = make(), make()
        one.build(COUNTS, Vocab())
        other.build(Counter(dict(items)), Vocab())
        assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())


@pytest.mark.parametrize(
    ("min_freq", "lowercase", "expected"),
    [
        (1, True, ["the", "cat", "dog", "ox", "emu"]),  # the: 5, ox: 2
        (2, True, ["the", "cat", "dog", "ox"]),
        (2, False, ["cat", "dog", "The", "the"]),
        (9, True, []),
    ],
)
def test_word_ids(min_freq, lowercase, expected, vocab):
    feature = WordIds("w", min_freq, lowercase)
    feature.build(COUNTS, vocab)
    assert len(feature) == len(expected) + 1
    known = feature.arrays(expected, vocab)["w"]
    assert known.tolist() == list(range(1, len(expected) + 1)) and known.dtype == np.int64
    assert feature.arrays(["unseen", ""], vocab)["w"].tolist() == [0, 0]
    same = through_json(feature, WordIds("w", min_freq, lowercase))
    assert_same_ids(feature, same, ["THE", "the", "Ox", "emu", "?"], vocab)


def test_word_ids_of_words_in_another_case(vocab):
    lower, exact = WordIds("w", 1, True), WordIds("w", 1, False)
    for feature in (lower, exact):
        feature.build(Counter({"the": 1}), vocab)
    assert lower.arrays(["THE"], vocab)["w"].tolist() == [1]
    assert exact.arrays(["THE"], vocab)["w"].tolist() == [0]


def test_character_ids(vocab):
    """Frequencies: a and b 4, c 2, x and z 1, so that these two are unknown."""
    feature = CharacterIds("c", 4)
    feature.build(Counter({"bab": 2, "c": 2, "xz": 1, "": 5}) + Counter({"aa": 1}), vocab)
    assert len(feature) == 5
    arrays = feature.arrays(["abc", "zx", ""], vocab)
    assert arrays["c"].tolist() == [[2, 3, 4, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert arrays["c_lengths"].tolist() == [3, 2, 0]
    assert_same_ids(feature, through_json(feature, CharacterIds("c", 4)), ["abc", "zx"], vocab)


@pytest.mark.parametrize("max_length", [1, 2, 5, 6, 7, 8])
def test_both_ends_of_long_words_are_kept(max_length, vocab):
    feature = CharacterIds("c", max_length)
    feature.build(Counter({"abcdefg": 2}), vocab)
    arrays = feature.arrays(["abcdefg"], vocab)
    kept = "".join(" -abcdefg"[i] for i in arrays["c"][0, : arrays["c_lengths"][0]])
    assert kept == {1: "a", 2: "ag", 5: "abcfg", 6: "abcefg"}.get(max_length, "abcdefg")


@pytest.mark.parametrize(("words", "columns"), [(["ab", "abcd"], 4), (["ab"], 2), ([], 1)])
def test_character_columns_are_cut_to_the_longest_word_of_a_batch(words, columns, vocab):
    feature = CharacterIds("c", 24)
    feature.build(Counter({"abcd": 2}), vocab)
    arrays = TokenFeatures([feature])(sequences_of(vocab, words))
    assert arrays.words["c"].shape == (len(set(words)), columns)


def test_affix_hashes_equal_those_of_spacys_attributes(vocab):
    doc = Doc(vocab, words=["Running", "running", "4.5", "X"])
    feature = AffixHashes("a", 1000, prefixes=1, suffixes=3, shape=True)
    expected = [
        [
            vocab.strings.add(string) % 1000
            for string in (
                token.lower_[0],
                token.lower_[-1:],
                token.lower_[-2:],
                token.lower_[-3:],
                token.shape_,
            )
        ]
        for token in doc
    ]
    assert feature.n_properties == 5
    assert feature.arrays([token.text for token in doc], vocab)["a"].tolist() == expected


@pytest.mark.parametrize(("prefixes", "suffixes", "shape"), [(0, 1, False), (2, 0, True)])
def test_affix_hashes_have_a_column_for_each_property(prefixes, suffixes, shape, vocab):
    feature = AffixHashes("a", 7, prefixes, suffixes, shape)
    for words in (["one", "two"], []):
        ids = feature.arrays(words, vocab)["a"]
        assert ids.shape == (len(words), feature.n_properties)
        assert ids.dtype == np.int64 and (ids < 7).all() and (ids >= 0).all()
    same = through_json(feature, AffixHashes("a", 7, prefixes, suffixes, shape))
    assert_same_ids(feature, same, ["one", "two"], vocab)


# Batches


def sequences_of(vocab, *sequences):
    return TokenSequences([Doc(vocab, words=words) for words in sequences])


def make_parts():
    return [WordIds("w", 1, True), CharacterIds("c", 6), AffixHashes("a", 100, 1, 2, True)]


def make_features(vocab, words=("The", "cat", "the", "dog"), parts=None):
    features = TokenFeatures(make_parts() if parts is None else parts)
    features.build([Doc(vocab, words=words)])
    return features


def assert_right(features, sequences, vocab):
    """The rows that the tokens of a batch point at are the features of their words."""
    batch = sequences_of(vocab, *sequences)
    arrays = features(batch)
    words = [word for sequence in sequences for word in sequence]
    assert batch.lengths.tolist() == [len(sequence) for sequence in sequences]
    assert len(arrays.tokens) == len(words)
    for part in features.parts:
        for name, rows in part.arrays(words, vocab).items():
            assert len(arrays.words[name]) == len(set(words))
            found = arrays.words[name][arrays.tokens]
            if rows.ndim == 2:
                assert not rows[:, found.shape[1] :].any()
                rows = rows[:, : found.shape[1]]
            np.testing.assert_array_equal(found, rows)


def test_a_batch_points_at_its_distinct_words(vocab):
    features = make_features(vocab)
    sequences = sequences_of(vocab, ["cat", "a", "cat"], ["a"])
    arrays = features(sequences)
    assert {name: len(array) for name, array in arrays.words.items()} == {
        "w": 2,
        "c": 2,
        "c_lengths": 2,
        "a": 2,
    }
    first, second, third, fourth = arrays.tokens
    assert first == third != second == fourth
    assert sequences.lengths.tolist() == [3, 1]
    assert sequences.lengths.dtype == arrays.tokens.dtype == np.int64


@given(
    st.lists(st.lists(st.text("aBc", min_size=1, max_size=7), max_size=6), min_size=1, max_size=5)
)
@settings(max_examples=50)
def test_a_batch_has_the_features_of_its_words(sequences):
    vocab = Vocab()
    features = make_features(vocab)
    assert_right(features, [["dog"]], vocab)
    assert_right(features, sequences, vocab)
    assert_right(features, sequences[::-1], vocab)


@pytest.mark.parametrize("sequences", [[[]], [[], []]])
def test_the_first_batch_may_be_without_tokens(sequences, vocab):
    features = make_features(vocab)
    assert_right(features, sequences, vocab)
    assert_right(features, [["cat"], []], vocab)


def test_the_cache_grows_past_its_first_size_and_its_doubling(vocab):
    features = make_features(vocab)
    words = [f"w{i}" for i in range(5000)]
    for end in (10, 1024, 1025, 2048, 2049, 5000):
        assert_right(features, [words[:end]], vocab)
    assert_right(features, [words[::-1]], vocab)


def test_features_of_a_word_are_computed_once(vocab):
    seen = []

    class Spy(WordIds):
        def arrays(self, words, vocab):
            seen.extend(words)
            return super().arrays(words, vocab)

    features = make_features(vocab, parts=[Spy("w", 1, True)])
    for _ in range(3):
        features(sequences_of(vocab, ["cat", "dog"], ["cat"]))
    assert sorted(seen) == ["cat", "dog"]


def test_a_full_cache_is_replaced(vocab, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_WORDS", 20)
    features = make_features(vocab)
    for start in (0, 8, 16, 0, 24):
        assert_right(features, [[f"w{i}" for i in range(start, start + 8)]], vocab)
        assert len(features._cache.rows) <= 20
    # One batch with more words than fit is still right.
    assert_right(features, [[f"w{i}" for i in range(50)]], vocab)
    assert_right(features, [["w1", "w49"]], vocab)


@pytest.fixture
def vectors_vocab(vocab) -> Vocab:
    vocab.reset_vectors(width=2)
    vocab.set_vector("cat", np.array([1, 2], dtype="float32"))
    vocab.set_vector("Cat", np.array([3, 4], dtype="float32"))
    vocab.set_vector("dog", np.array([5, 6], dtype="float32"))
    return vocab


def test_new_vectors_are_seen(vectors_vocab):
    features = make_features(vectors_vocab, parts=[PipelineVectors("v", False)])
    vocab = vectors_vocab

    def vector(word):
        return features(sequences_of(vocab, [word])).words["v"][0].tolist()

    assert vector("emu") == [0, 0]
    vocab.set_vector("emu", np.array([7, 8], dtype="float32"))
    assert vector("emu") == [7, 8]
    vocab.set_vector("emu", np.array([9, 9], dtype="float32"))
    assert vector("emu") == [9, 9]
    # Another table with as many keys.
    keys = list(vocab.vectors.keys())
    data = np.tile(np.arange(len(keys), dtype="float32")[:, None], (1, 2))
    vocab.vectors = Vectors(data=data, keys=keys[::-1])
    assert vector("emu") == [keys[::-1].index(vocab.strings["emu"])] * 2


def reloaded(vectors):
    """The same vectors in another order of rows, loaded into the same object."""
    other = Vectors(data=vectors.data[::-1].copy())
    for key, row in vectors.key2row.items():
        other.add(key, row=len(vectors) - 1 - row)
    vectors.from_bytes(other.to_bytes())


def another_row(vectors):
    vectors.add("cat", row=vectors.find(key="dog"))


def another_key(vectors):
    """The number of keys does not change."""
    vectors.key2row[get_string_id("emu")] = vectors.key2row.pop(get_string_id("cat"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (reloaded, {"cat": [1, 2], "Cat": [3, 4], "dog": [5, 6], "emu": [0, 0]}),
        (another_row, {"cat": [5, 6], "Cat": [3, 4], "dog": [5, 6], "emu": [0, 0]}),
        (another_key, {"cat": [0, 0], "Cat": [3, 4], "dog": [5, 6], "emu": [1, 2]}),
    ],
)
def test_vectors_that_change_in_place_are_seen(change, expected, vectors_vocab):
    vocab = vectors_vocab
    features = make_features(vocab, parts=[PipelineVectors("v", False)])
    batch = sequences_of(vocab, list(expected))
    assert features(batch).words["v"].any(axis=1).sum() == 3
    change(vocab.vectors)
    arrays = features(batch)
    assert arrays.words["v"][arrays.tokens].tolist() == list(expected.values())
    found = [any(vector) for vector in expected.values()]
    assert arrays.words["v_lengths"][arrays.tokens].tolist() == found


@pytest.mark.parametrize("change", [reloaded, another_row, another_key])
def test_a_table_that_is_trained_keeps_its_rows(change, vectors_vocab):
    vocab, words = vectors_vocab, ["cat", "Cat", "dog", "emu"]
    features = make_features(vocab, parts=[PipelineVectors("v", True)])
    loaded = through_json(features, TokenFeatures([PipelineVectors("v", True)]))
    before = features(sequences_of(vocab, words))
    change(vocab.vectors)
    for each in (features, loaded, copy.deepcopy(loaded)):
        after = each(sequences_of(vocab, words))
        for name, array in before.words.items():
            np.testing.assert_array_equal(after.words[name], array)


def test_another_floret_table_is_seen(vocab):
    def table(seed):
        data = np.random.default_rng(seed).normal(size=(20, 3)).astype("float32")
        return Vectors(mode="floret", data=data, hash_count=2, minn=2, maxn=3)

    vocab.vectors = table(0)
    features = make_features(vocab, parts=[PipelineVectors("v", False)])
    for seed in (0, 1):
        vocab.vectors.from_bytes(table(seed).to_bytes())
        (found,) = features(sequences_of(vocab, ["cat"])).words["v"]
        np.testing.assert_array_equal(found, vocab.vectors["cat"])


def test_each_sequence_is_read_with_its_vocabulary(vectors_vocab):
    """Each vocabulary lacks words of the others, and the vectors differ."""
    other, without_words = Vocab(), Vocab()
    other.reset_vectors(width=2)
    other.set_vector("cat", np.array([7, 8], dtype="float32"))
    other.set_vector("gnu", np.array([9, 9], dtype="float32"))
    vocabs = [vectors_vocab, other, without_words, vectors_vocab, other]
    texts = [["cat", "emu"], ["longest-word", "cat"], [], ["dog", "emu"], ["gnu", "cat"]]
    parts = [*make_parts(), PipelineVectors("v", False)]
    features = TokenFeatures(parts)
    docs = [Doc(vocab, words=words) for vocab, words in zip(vocabs, texts, strict=True)]
    features.build(docs)
    assert features.parts[0].to_dict()["words"] == ["cat", "emu", "dog", "gnu", "longest-word"]
    for each in (docs, [Doc(vocab) for vocab in vocabs]):
        together = features(TokenSequences(each))
        start = 0
        for doc in each:
            if len(doc):
                alone = features(TokenSequences([doc]))
                tokens = together.tokens[start : start + len(doc)]
                start += len(doc)
                for name, array in alone.words.items():
                    found, expected = together.words[name][tokens], array[alone.tokens]
                    if expected.ndim == 2:
                        assert not found[:, expected.shape[1] :].any()
                        found = found[:, : expected.shape[1]]
                    np.testing.assert_array_equal(found, expected)


def test_another_vocab_with_other_vectors(vectors_vocab):
    features = make_features(vectors_vocab, parts=[PipelineVectors("v", False)])
    other = Vocab()
    other.vectors = Vectors(shape=(3, 2))
    for vocab, expected in [(vectors_vocab, [1, 2]), (other, [0, 0]), (vectors_vocab, [1, 2])]:
        assert features(sequences_of(vocab, ["cat"])).words["v"][0].tolist() == expected


@pytest.mark.parametrize("max_words", [1 << 16, 300])
def test_threads_get_the_right_rows(max_words, vocab, monkeypatch):
    """Four threads look up random words while the cache grows and, with few words, is replaced."""
    monkeypatch.setattr(tokens, "MAX_WORDS", max_words)
    features = make_features(vocab)
    words = [f"w{i}" for i in range(2500)]
    Doc(vocab, words=words)
    failures = []

    def hammer(seed):
        choose = random.Random(seed)
        try:
            for _ in range(100):
                assert_right(features, [choose.sample(words, 40)], vocab)
        except BaseException as error:  # an error in a thread would not fail the test
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


def test_saved_features_are_the_same(vocab):
    features = make_features(vocab)
    loaded = TokenFeatures(make_parts())
    loaded(sequences_of(vocab, ["cat"]))  # what is cached here becomes outdated
    through_json(features, loaded)
    assert loaded.to_dict() == features.to_dict()
    sequences = sequences_of(vocab, ["The", "cat", "unseen"])
    expected, actual = features(sequences), loaded(sequences)
    for name, array in expected.words.items():
        np.testing.assert_array_equal(actual.words[name], array)


def test_building_again_clears_the_cache(vocab):
    features = make_features(vocab, words=["cat"])
    assert_right(features, [["cat", "dog"]], vocab)
    features.build([Doc(vocab, words=["dog", "dog", "cat"])])
    assert_right(features, [["cat", "dog"]], vocab)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda features: pickle.loads(pickle.dumps(features))]
)
def test_copies(duplicate, vocab):
    features = make_features(vocab)
    assert_right(features, [["cat", "dog"]], vocab)
    copied = duplicate(features)
    assert copied.to_dict() == features.to_dict()
    assert_right(copied, [["cat", "new"]], vocab)
    copied.build([Doc(vocab, words=["other"])])
    assert len(features.parts[0]) == 4  # the, cat, dog and the unknown word
