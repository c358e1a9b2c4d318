"""Words in pretrained vectors: how they are looked up, and how many are found."""

import json
import pickle
from collections import Counter

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.vectors import Vectors
from spacy.vocab import Vocab

from spacy_rnn.features.feature import BatchFeature
from spacy_rnn.features.lookup import VectorCoverage, VectorTable, ngrams, variants
from spacy_rnn.features.tokens import TokenFeatures, TokenSequences
from spacy_rnn.features.vectors import MAX_NGRAMS, PipelineVectors, StoredVectors

COUNTS = Counter({"cat": 4, "Cat": 2, "DOG": 3, "1999": 5, "B12": 1, "emu": 2})
KEYS = ["cat", "Cat", "dog", "0000", "b##"]
ROWS = np.arange(10, dtype="float32").reshape(5, 2) + 1
#: the row of each word
FOUND = {"cat": 0, "Cat": 1, "CAT": 0, "DOG": 2, "1999": 3, "B12": 4, "b12": 4, "emu": None}


# Looking up


@pytest.mark.parametrize(
    "word, forms",
    [
        ("cat", ["cat"]),
        ("Cat", ["Cat", "cat"]),
        ("B12", ["B12", "b12", "B00", "b00", "B##", "b##"]),
        ("0", ["0", "#"]),
        ("3", ["3", "0", "#"]),
        ("٣", ["٣", "0", "#"]),
        ("", [""]),
    ],
)
def test_forms_are_tried_in_order(word, forms):
    assert list(variants(word)) == forms


def test_ways_of_the_forms():
    ways = ["exact", "lower", "digits", "digits", "digits", "digits"]
    assert list(variants("B12").values()) == ways


def test_coverage_counts_words_and_tokens():
    counts = Counter({"a": 6, "B": 2, "7": 1, "?": 1})
    coverage = VectorCoverage.of(counts, ["exact", "lower", "digits", None])
    assert coverage == (4, 10, dict(exact=1, lower=1, digits=1), dict(exact=6, lower=2, digits=1))
    assert coverage.of_words == 0.75 and coverage.of_tokens == 0.9
    assert str(coverage) == (
        "75.0% of 4 words and 90.0% of 10 tokens have a vector "
        "(exact 25.0%, lower 25.0%, digits 25.0%)"
    )


@pytest.mark.parametrize("counts", [Counter(), Counter("a" * 2000)])
def test_coverage_of_nothing(counts):
    n = counts.total()
    expected = f"0.0% of {len(counts)} words and 0.0% of {n:,} tokens have a vector"
    assert str(VectorCoverage.of(counts, [None] * len(counts))) == expected


# Few words with a vector


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("make", ["pipeline", "stored"])
def test_few_tokens_with_a_vector_give_a_warning_with_words_of_both_sides(caplog, make):
    feature, vocab = make_pipeline_vectors() if make == "pipeline" else make_stored()
    counts = Counter({"chat": 9, "le": 30, "cat": 16, "un": 7, "et": 6, "ou": 5, "où": 1})
    feature.build(counts, vocab)
    assert warnings(caplog) == [
        "The embedding part 'v' has vectors for only 21.6% of the training tokens. Frequent words "
        "without a vector: ['le', 'chat', 'un', 'et', 'ou']. Words with one in its source: "
        "['cat', 'Cat', 'dog', '0000', 'b##']. If these are of another language, or split or "
        "written in another way, use other vectors."
    ]


@pytest.mark.parametrize("make", ["pipeline", "stored"])
@pytest.mark.parametrize("counts", [COUNTS, Counter({"cat": 1, "x": 1}), Counter()])
def test_half_of_the_tokens_are_enough(caplog, make, counts):
    feature, vocab = make_pipeline_vectors() if make == "pipeline" else make_stored()
    feature.build(counts, vocab)
    assert not warnings(caplog)


# The two features


def make_pipeline_vectors(trained=False):
    vocab = Vocab()
    vocab.vectors = Vectors(data=ROWS.copy(), keys=[vocab.strings.add(key) for key in KEYS])
    return PipelineVectors("v", trained), vocab


def make_stored():
    return StoredVectors("v", read_table), Vocab()


def read_table(words):
    return VectorTable(KEYS, ROWS)


def built(make, *args):
    feature, vocab = make(*args)
    feature.build(COUNTS, vocab)
    return feature, vocab


def arrays_of(feature, vocab, words):
    arrays = feature.arrays(words, vocab)
    return feature.finish(arrays, vocab) if isinstance(feature, BatchFeature) else arrays


def through_json(feature, fresh):
    fresh.from_dict(json.loads(json.dumps(feature.to_dict())))
    return fresh


MAKERS = [(make_pipeline_vectors, False), (make_pipeline_vectors, True), (make_stored,)]


@pytest.mark.parametrize("make", MAKERS)
def test_both_features_look_up_words_alike(make):
    feature, vocab = built(*make)
    again = through_json(feature, make[0](*make[1:])[0])
    for each in (feature, again, pickle.loads(pickle.dumps(feature))):
        arrays = arrays_of(each, vocab, list(FOUND))
        assert arrays["v_lengths"].tolist() == [row is not None for row in FOUND.values()]
        assert arrays["v_lengths"].dtype == np.int64
        found = arrays["v"][arrays["v_lengths"] > 0]
        rows = [row for row in FOUND.values() if row is not None]
        if found.dtype == np.float32:
            np.testing.assert_array_equal(found, ROWS[rows])
        else:
            assert found.dtype == np.int64 and found[:, 0].tolist() == rows
        assert arrays_of(each, vocab, [])["v_lengths"].shape == (0,)


@pytest.mark.parametrize("make", MAKERS)
def test_coverage_is_logged_and_kept(make, caplog):
    feature, _ = built(*make)
    expected = VectorCoverage(
        6, 17, dict(exact=2, lower=1, digits=2), dict(exact=6, lower=3, digits=6)
    )
    assert feature.coverage == expected
    assert caplog.messages[0] == (
        "v: 83.3% of 6 words and 88.2% of 17 tokens have a vector "
        "(exact 33.3%, lower 16.7%, digits 33.3%)"
    )
    assert through_json(feature, make[0](*make[1:])[0]).coverage == expected


@pytest.mark.parametrize("make", MAKERS)
def test_the_table_can_be_taken_once_and_afterwards_its_shape(make):
    feature, vocab = built(*make)
    assert np.array_equal(feature.take_table(), ROWS)
    assert feature.take_table() == (5, 2)
    assert through_json(feature, make[0](*make[1:])[0]).take_table() == (5, 2)


# Vectors of the pipeline


def test_training_a_copy_does_not_change_the_pipelines_table():
    feature, vocab = built(make_pipeline_vectors, True)
    feature.take_table()[:] = 0
    np.testing.assert_array_equal(vocab.vectors.data, ROWS)


def test_a_word_that_is_one_of_spacys_symbols_has_its_vector():
    """Such as NOUN, whose key is a small number and not a hash."""
    feature, vocab = built(make_pipeline_vectors)
    vocab.set_vector("NOUN", np.array([7, 8], dtype="float32"))
    batch = TokenSequences([Doc(vocab, words=["NOUN", "cat"])])
    arrays = TokenFeatures([feature])(batch)
    assert arrays.words["v"][arrays.tokens].tolist() == [[7, 8], [1, 2]]


def test_vectors_of_another_shape_than_in_training_are_an_error():
    trained, frozen = built(make_pipeline_vectors, True)[0], built(make_pipeline_vectors)[0]
    more = Vocab()
    more.vectors = Vectors(shape=(50, 2))
    with pytest.raises(ValueError, match="shape 50 x 2"):
        trained.arrays(["cat"], more)
    assert arrays_of(frozen, more, ["cat"])["v_lengths"].tolist() == [0]
    more.vectors = Vectors(shape=(50, 3))
    with pytest.raises(ValueError, match="shape 50 x 3"):
        frozen.arrays(["cat"], more)


def test_an_emptied_table_has_no_words():
    feature, _ = built(make_pipeline_vectors)
    vocab = Vocab()
    vocab.vectors = Vectors(shape=(0, 2))
    arrays = arrays_of(feature, vocab, ["cat"])
    assert arrays["v"].tolist() == [[0, 0]] and arrays["v_lengths"].tolist() == [0]


@pytest.mark.parametrize("trained", [False, True])
def test_without_vectors_the_part_is_left_out_with_a_warning(trained, caplog):
    feature, vocab = PipelineVectors("v", trained), Vocab()
    feature.build(COUNTS, vocab)
    assert "left out" in caplog.text and "'v'" in caplog.text
    assert arrays_of(feature, vocab, ["cat", "dog"])["v"].shape == (2, 0)
    assert feature.take_table() == (0, 0)


def test_vectors_that_are_not_finite_are_an_error():
    feature, vocab = make_pipeline_vectors()
    vocab.set_vector("dog", np.array([np.nan, 0], dtype="float32"))
    with pytest.raises(ValueError, match="not finite"):
        feature.build(COUNTS, vocab)


def floret_vocab(attr="ORTH"):
    data = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    vocab = Vocab()
    vocab.vectors = Vectors(
        mode="floret", data=data, hash_count=2, minn=2, maxn=3, attr=attr, strings=vocab.strings
    )
    return vocab


def test_floret_gives_every_word_spacys_vector(caplog):
    vocab = floret_vocab()
    feature = PipelineVectors("v", False)
    feature.build(COUNTS, vocab)
    assert caplog.messages == [
        "v: 100.0% of 6 words and 100.0% of 17 tokens have a vector (subwords 100.0%)"
    ]
    words = ["cat", "Cat", "unheard-of", "日本", "x"]
    arrays = arrays_of(through_json(feature, PipelineVectors("v", False)), vocab, words)
    expected = [token.vector for token in Doc(vocab, words=words)]
    np.testing.assert_array_equal(arrays["v"], expected)
    assert arrays["v"].dtype == np.float32 and arrays["v_lengths"].tolist() == [1] * 5
    assert feature.take_table().shape == (20, 3)


def test_floret_of_lower_cased_words():
    vocab = floret_vocab("LOWER")
    feature = PipelineVectors("v", False)
    feature.build(COUNTS, vocab)
    one, other = arrays_of(feature, vocab, ["Cat", "cat"])["v"]
    np.testing.assert_array_equal(one, other)
    assert arrays_of(feature, vocab, [])["v"].shape == (0, 3)


def test_floret_vectors_are_not_trained():
    with pytest.raises(ValueError, match="'v' can't train .* trained = false, or make a table"):
        PipelineVectors("v", True).build(COUNTS, floret_vocab())


# Vectors that are a part of the model


def test_a_source_without_any_of_the_words_is_an_error():
    feature = StoredVectors("v", lambda words: VectorTable([], np.zeros((0, 2), dtype="float32")))
    with pytest.raises(
        ValueError, match="None of the training words.*'1999', .* 'v'.* same language"
    ):
        feature.build(COUNTS, Vocab())


def test_any_word_is_saved_unchanged():
    keys = ["\n", "\0", "a b", '"', "\\", "日本", "🥚", "\u2028", ""]
    feature = StoredVectors("v", lambda words: VectorTable(keys, np.ones((9, 2), dtype="float32")))
    feature.build(COUNTS, Vocab())
    again = through_json(feature, make_stored()[0])
    assert again.arrays(keys, Vocab())["v"][:, 0].tolist() == list(range(9))


def test_ngrams_of_a_word():
    assert ngrams("ab") == [
        "2gram-#BEGIN#a",
        "2gram-ab",
        "2gram-b#END#",
        "3gram-#BEGIN#ab",
        "3gram-ab#END#",
        "4gram-#BEGIN#ab#END#",
    ]


def test_words_of_a_table_of_ngrams_have_several_rows():
    keys = ["3gram-ab#END#", "2gram-ab", "4gram-aaaa"]
    table = VectorTable(keys, np.ones((3, 2), dtype="float32"), by_ngrams=True)
    feature = StoredVectors("v", lambda words: table)
    feature.build(Counter({"ab": 3, "xy": 1}), Vocab())
    assert feature.coverage == (2, 4, {"subwords": 1}, {"subwords": 3})
    for each in (feature, through_json(feature, make_stored()[0])):
        arrays = arrays_of(each, Vocab(), ["ab", "xy", "abb"])
        assert arrays["v"][:, :2].tolist() == [[1, 0], [0, 0], [1, 0]]
        assert arrays["v_lengths"].tolist() == [2, 0, 1]
        assert arrays_of(each, Vocab(), ["a" * 999])["v_lengths"].tolist() == [MAX_NGRAMS]
