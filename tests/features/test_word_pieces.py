"""Pieces of words, compared with SentencePiece, and their places in texts."""

import copy
import functools
import io
import json
import pickle
from collections import Counter

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.config.embedding import PieceEmbedding
from spacy_rnn.config.pieces import SentencePieces
from spacy_rnn.features.subwords import MODEL_TYPES, SubwordModel
from spacy_rnn.features.tokens import TokenFeatures, TokenSequences
from spacy_rnn.features.word_pieces import MAX_LENGTH, WordPieces

COUNTS = Counter(
    {"the": 90, ".": 80, "cat": 20, "cats": 15, "walked": 9, "walking": 9, "é\u0301😀": 2}
)
ANY_KIND = pytest.mark.parametrize("kind", MODEL_TYPES)
#: any text, and more often text with blanks, line breaks, combining characters, emoji and NUL
TEXTS = st.one_of(st.text(), st.text("a the\n\u0301é😀\u200d\ufe0f\0\u3000\u2581 日walked."))
NLP = spacy.blank("en")


def make(kind="unigram", vocab_size=40, byte_fallback=False):
    config = SentencePieces(vocab_size, kind, byte_fallback=byte_fallback)
    return PieceEmbedding(config).feature("p")


@functools.cache
def built(kind="unigram", byte_fallback=False):
    feature = make(kind, 40 + 256 * byte_fallback, byte_fallback)
    feature.build(COUNTS, Vocab())
    return feature


def pieces_of(feature, words):
    """The ids of each word's pieces."""
    arrays = feature.arrays(words, Vocab())
    ids, lengths = arrays["p"], arrays["p_lengths"]
    assert ids.dtype == lengths.dtype == np.int64
    assert ids.shape == (len(words), MAX_LENGTH) and lengths.shape == (len(words),)
    assert not ids[np.arange(ids.shape[1]) >= lengths[:, None]].any()
    return [row[:n].tolist() for row, n in zip(ids, lengths, strict=True)]


@ANY_KIND
@given(words=st.lists(TEXTS, max_size=4))
@settings(max_examples=50)
def test_pieces_equal_those_of_sentencepiece(kind, words):
    feature = built(kind)
    oracle = SentencePieceProcessor(model_proto=feature.pieces.to_bytes())
    words = [word[:30] for word in words]
    assert pieces_of(feature, words) == [oracle.encode(word.encode()) for word in words]
    assert len(feature) == len(oracle)


@ANY_KIND
def test_words_without_pieces_and_no_words(kind):
    assert pieces_of(built(kind), ["", ""]) == [[], []]
    assert pieces_of(built(kind), []) == []


@pytest.mark.parametrize("n", [MAX_LENGTH - 1, MAX_LENGTH, MAX_LENGTH + 1, 1000])
def test_both_ends_of_a_word_of_many_pieces_are_kept(n):
    """The first piece is a blank."""
    feature = built("char")
    word = "thecatw" * n
    word = word[: n - 1]
    (expected,) = feature.pieces.encode([word])
    assert len(expected) == n
    if n > MAX_LENGTH:
        expected = [*expected[: MAX_LENGTH // 2], *expected[-MAX_LENGTH // 2 :]]
    assert pieces_of(feature, [word]) == [list(expected)]


# The model


@ANY_KIND
def test_training_depends_only_on_the_counts_of_words(kind):
    again, once = make(kind), make(kind)
    again.build(Counter(dict(reversed(COUNTS.items()))), Vocab())
    assert again.pieces.to_bytes() == built(kind).pieces.to_bytes()
    once.build(Counter(COUNTS.keys()), Vocab())
    assert once.pieces.to_bytes() != again.pieces.to_bytes()


def test_each_word_is_in_the_training_data_as_often_as_it_occurs():
    seen = []
    feature = WordPieces("p", SubwordModel(), lambda pieces, lines: seen.extend(lines))
    counts = Counter({f"w{i}": i for i in range(30)})
    feature.build(counts, Vocab())
    assert Counter(" ".join(seen).split(" ")) == +counts


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_frequent_words_are_single_pieces(kind):
    """Also if no other word begins like them."""
    counts = Counter({word: 50 for word in ["from", "which", "because", "very", "said", "if"]})
    feature = make(kind, vocab_size=60)
    feature.build(counts + Counter({letter: 1 for letter in "xyzjk"}), Vocab())
    assert [len(pieces) for pieces in pieces_of(feature, sorted(counts))] == [1] * len(counts)


@pytest.mark.parametrize("words", [[], [""], [" ", "\n\n"]])
def test_nothing_to_train_on_is_an_error(words):
    with pytest.raises(ValueError, match="no text to train"):
        make().build(Counter(words), Vocab())


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.deepcopy,
        lambda feature: pickle.loads(pickle.dumps(feature)),
        lambda feature: _through_json(feature),
    ],
)
def test_copies(duplicate):
    feature = copy.deepcopy(built())
    copied = duplicate(feature)
    words = ["walks", "the", "", "é", "?"]
    assert pieces_of(copied, words) == pieces_of(feature, words)
    copied.build(Counter({"other": 5, "words": 4}), Vocab())
    assert pieces_of(copied, words) != pieces_of(feature, words)
    assert pieces_of(feature, words) == pieces_of(built(), words)


def _through_json(feature):
    fresh = make()
    fresh.from_dict(json.loads(json.dumps(feature.to_dict())))
    return fresh


def test_a_loaded_model_that_leaves_nothing_of_a_word(tmp_path):
    """Its normalization removes some characters."""
    proto = io.BytesIO()
    ids = {"pad_id": 3, "unk_id": 0, "bos_id": 1, "eos_id": 2}
    SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat", "the mat"]),
        model_writer=proto,
        vocab_size=12,
        minloglevel=2,
        **ids,
    )
    path = tmp_path / "nfkc.model"
    path.write_bytes(proto.getvalue())
    feature = PieceEmbedding(SentencePieces(path=path)).feature("p")
    feature.build(Counter(), Vocab())
    assert feature.pieces.to_bytes() == path.read_bytes()
    nothing, blank, cat = pieces_of(feature, ["\u200b", " ", "cat"])
    assert nothing == blank == [] and len(cat) >= 1


# Tokens of texts


def assert_aligned(feature, doc):
    """The pieces of each token cover its characters, each once, in order."""
    arrays = TokenFeatures([feature])(TokenSequences([doc]))
    ids, lengths = arrays.words["p"][arrays.tokens], arrays.words["p_lengths"][arrays.tokens]
    covered = []
    for token, row, n in zip(doc, ids, lengths, strict=True):
        found, starts, ends = feature.pieces.offsets(token.text)
        assert row[:n].tolist() == found.tolist()
        assert [0, *ends] == [*starts, len(token)]
        for start, end in zip(starts + token.idx, ends + token.idx, strict=True):
            covered.extend(range(start, end))
    blanks = [token.idx + len(token) for token in doc if token.whitespace_]
    assert sorted(covered + blanks) == list(range(len(doc.text)))
    assert covered == sorted(covered)


@ANY_KIND
@pytest.mark.parametrize("byte_fallback", [False, True])
@given(text=TEXTS.map(lambda text: text[:15]))
@settings(max_examples=50)
def test_pieces_cover_the_tokens_of_any_text(kind, byte_fallback, text):
    doc = NLP.make_doc(text)
    assert doc.text == text
    assert_aligned(built(kind, byte_fallback), doc)


@given(words=st.lists(TEXTS.map(lambda word: word[:15] or "e"), max_size=5), data=st.data())
@settings(max_examples=50)
def test_pieces_cover_tokens_cut_anywhere(words, data):
    """Also within characters of several code points, and if tokens have blanks or are blank."""
    spaces = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    assert_aligned(built(), Doc(Vocab(), words=words, spaces=spaces))
