"""The coverage of vocabularies."""

from collections import Counter

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_rnn.features.affixes import AffixHashes
from spacy_rnn.features.characters import CharacterIds
from spacy_rnn.features.subwords import SubwordModel
from spacy_rnn.features.tokens import TokenFeatures
from spacy_rnn.features.translation import TranslationVocabularies
from spacy_rnn.features.units import Characters, PieceUnits, Words
from spacy_rnn.features.vectors import PipelineVectors
from spacy_rnn.features.vocabulary import VocabularyProbe
from spacy_rnn.features.word_pieces import WordPieces
from spacy_rnn.features.words import WordIds
from spacy_rnn.inspection.vocabulary import WordCoverage, describe_vocabulary, vocabularies

#: "the" and "cat" occur twice
TRAIN = "The cat the cat sat".split()
DEV = "the cats sat the mat".split()


@pytest.fixture
def vocab():
    return spacy.blank("xx").vocab


def token_features(vocab, *parts):
    features = TokenFeatures(parts)
    features.build([Doc(vocab, words=TRAIN)])
    return features


def of_tokens(vocab, *parts):
    features = token_features(vocab, *parts)
    found = vocabularies(features, {"text": Counter(TRAIN)}, {"text": Counter(DEV)}, vocab)
    return found["text"]


def test_words_by_hand(vocab):
    (words,) = of_tokens(vocab, WordIds("words", min_freq=2, lowercase=True)).values()
    # "the" and "cat" are kept.
    assert words.size == 2
    assert words.train == WordCoverage(
        types=4, tokens=5, unknown_types=1 / 4, unknown_tokens=1 / 5, unknown_units=1 / 5,
        mean=1.0, most_words=1, longest=1,
    )  # fmt: skip
    assert (words.dev.types, words.dev.tokens) == (4, 5)
    assert (words.dev.unknown_types, words.dev.unknown_tokens) == (3 / 4, 3 / 5)
    assert words.missing == ["cats", "mat", "sat"]


def test_vectors_by_hand(vocab):
    vocab.set_vector("the", np.ones(3, dtype="float32"))
    vocab.set_vector("cats", np.ones(3, dtype="float32"))
    (vectors,) = of_tokens(vocab, PipelineVectors("vectors", trained=False)).values()
    # "The" is looked up as "the" too.
    assert (vectors.train.unknown_types, vectors.train.unknown_tokens) == (2 / 4, 3 / 5)
    assert (vectors.dev.unknown_types, vectors.dev.unknown_tokens) == (2 / 4, 2 / 5)
    assert vectors.missing == ["mat", "sat"]


def test_vectors_that_are_left_out(vocab):
    assert of_tokens(vocab, PipelineVectors("vectors", trained=False)) == {}


def test_characters_by_hand(vocab):
    (characters,) = of_tokens(vocab, CharacterIds("characters", max_length=3)).values()
    # The characters that occur at least twice: a, c, e, h, t, but neither s nor T.
    assert characters.size == 5
    assert characters.train.unknown_tokens == 2 / 5
    assert characters.dev.unknown_tokens == 3 / 5
    # Only the first two and the last character of "cats" are read.
    assert (characters.dev.mean, characters.dev.longest) == (3.0, 3)
    assert characters.dev.unknown_units == 3 / 15


def test_affixes_know_every_word(vocab):
    assert of_tokens(vocab, AffixHashes("affixes", 10, 1, 1, True)) == {}


def test_pieces_by_hand(vocab):
    model = SubwordModel(vocab_size=30, model_type="char")
    feature = WordPieces("pieces", model, SubwordModel.train)
    (pieces,) = of_tokens(vocab, feature).values()
    # Seven characters, the blank before each word, four control pieces.
    assert pieces.size == 12
    assert pieces.train.mean == 4.0
    # "cats" has a blank and four characters; one character of "mat" is unknown.
    assert (pieces.dev.mean, pieces.dev.longest) == (21 / 5, 5)
    assert (pieces.dev.unknown_tokens, pieces.dev.unknown_units) == (1 / 5, 1 / 21)
    assert pieces.missing == ["mat"]


def test_pairs(vocab):
    models = [SubwordModel(vocab_size=30, model_type="char") for _ in range(2)]
    features = TranslationVocabularies(*models)
    features.source.train(["ab ab"])
    features.target.train(["x y"])
    train = {"source": Counter(["ab", "ab"]), "target": Counter(["x", "y"])}
    dev = {"source": Counter(["abc"]), "target": Counter(["xx"])}
    found = vocabularies(features, train, dev, vocab)
    source, target = found["source"]["pieces"], found["target"]["pieces"]
    assert source.train.mean == 3.0 and source.dev.unknown_units == 1 / 4
    assert target.train.mean == 2.0 and target.dev.unknown_units == 0.0


@pytest.mark.parametrize(
    "units, name, size, mean, unknown",
    [
        (Characters(min_freq=1), "characters", 6, 3.5, 1 / 2),
        (Words(min_freq=1), "words", 3, 1.0, 1 / 2),
        (PieceUnits(SubwordModel(vocab_size=30, model_type="char")), "pieces", 10, 4.0, 1 / 2),
    ],
)  # fmt: skip
def test_units_of_language_models(vocab, units, name, size, mean, unknown):
    # a, c, s, t, blank and line break; pieces have four control pieces too, and unknown
    # characters that follow each other are one
    units.fit([Doc(vocab, words=["cat", "sat", "\n"])])
    dev = {"text": Counter(["cat", "cows"])}
    (found,) = vocabularies(units, dev, dev, vocab)["text"].items()
    assert found[0] == name
    assert found[1].size == size
    assert found[1].dev.mean == mean
    assert found[1].dev.unknown_tokens == unknown
    assert found[1].missing == ["cows"]


#: for each word, its frequency and its numbers of known and unknown units
LENGTHS = st.dictionaries(
    st.text(st.characters(categories=["Ll"]), min_size=1),
    st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
)


@given(LENGTHS)
def test_coverage_counts_every_word(found):
    """The result is what numpy computes from a list of all words."""

    def read(words):
        return [np.array([1] * found[word][1] + [0] * found[word][2]) for word in words]

    counts = Counter({word: n for word, (n, _, _) in found.items()})
    coverage = describe_vocabulary(VocabularyProbe(3, 0, read), counts, Counter()).train
    words = list(counts.elements())
    n_units = np.array([found[word][1] + found[word][2] for word in words])
    n_unknown = np.array([found[word][2] for word in words])
    assert coverage.types == len(found) and coverage.tokens == len(words)
    assert coverage.mean == pytest.approx(n_units.mean())
    assert coverage.most_words == np.quantile(n_units, 0.95, method="inverted_cdf")
    assert coverage.longest == n_units.max()
    assert coverage.unknown_tokens == pytest.approx((n_unknown > 0).mean())
    assert coverage.unknown_units == pytest.approx(n_unknown.sum() / max(n_units.sum(), 1))


def test_a_corpus_without_words():
    coverage = describe_vocabulary(VocabularyProbe(3, 0, list), Counter(), Counter()).dev
    assert coverage == WordCoverage(0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0)
