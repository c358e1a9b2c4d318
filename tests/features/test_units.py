"""The units of language models: their vocabularies, their tokens, encoding and decoding."""

import functools
import io
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.features.subword_training import EOS
from spacy_rnn.features.subwords import SubwordModel
from spacy_rnn.features.units import BOUNDARY, UNKNOWN, Characters, PieceUnits, Words

VOCAB = Vocab()
#: characters of one to four bytes, line breaks of all sorts, and a code point without a character
STRANGE = "\0\t\n\r\x0b\x1f\x85\xa0\u2028\u0301\u3000\ue000\ufeff\ufffe\ufffféß日😀𝔘\U0010ffff"
SURROGATES = "\ud800\udfff"
any_text = st.text(st.characters(exclude_categories=[])) | st.text("ab \n\0\ud800😀")
some_tokens = st.lists(
    st.tuples(st.text("ab日😀 \n\0Ω", min_size=1, max_size=4), st.booleans()), max_size=8
)


def doc_of(text):
    """A doc whose tokens are separated by blanks."""
    words = text.split(" ") if text else []
    return Doc(VOCAB, words=words, spaces=[True] * (len(words) - 1) + [False] * bool(words))


def doc_from(tokens):
    words, spaces = zip(*tokens, strict=True) if tokens else ((), ())
    return Doc(VOCAB, words=words, spaces=spaces)


def characters(texts, min_freq=1):
    units = Characters(min_freq)
    units.from_dict({"characters": list(dict.fromkeys("".join(texts)))})
    return units


def words_of(text, min_freq=1, max_words=0):
    units = Words(min_freq, max_words)
    units.fit([doc_of(text)])
    return units


@pytest.fixture(scope="module", params=["unigram", "bpe", "char", "bytes"])
def pieces(request):
    fallback = request.param == "bytes"
    kind = "unigram" if fallback else request.param
    units = PieceUnits(SubwordModel(40 + 256 * fallback, kind, byte_fallback=fallback))
    units.fit([doc_of("ab ab a 日 😀 b ab 日b \n aab")])
    return units


def everything(units):
    return [units.strings[i] for i in range(len(units))]


# Characters


def test_characters_by_rank():
    """The most frequent characters are first, ties are sorted by code point; ids start at 2."""
    units = Characters(min_freq=1)
    units.fit([doc_of("ba ab"), doc_of("c")])
    assert everything(units) == ["", "", "a", "b", " ", "c"]
    assert units.boundary_id == BOUNDARY == 0 and UNKNOWN == 1
    assert units.encode_text("cab ").tolist() == [5, 2, 3, 4]
    assert units.encode_text("cab ").dtype == np.int64


@pytest.mark.parametrize("min_freq, known", [(1, "\nabc"), (2, "ab"), (3, "b"), (4, "")])
def test_rare_characters_are_unknown(min_freq, known):
    units = Characters(min_freq)
    units.fit([Doc(VOCAB, words=["ab", "bb"], spaces=[False, False]), doc_of("a\nc")])
    assert set(units.strings) - {""} == set(known)
    assert [i != UNKNOWN for i in units.encode_text("\nabcx")] == [c in known for c in "\nabcx"]


@given(known=any_text, text=any_text)
@settings(max_examples=60)
def test_each_character_is_itself_or_unknown(known, text):
    units = characters([known])
    ids = units.encode_text(text)
    assert ids.dtype == np.int64 and len(ids) == len(text)
    assert [units.strings[i] for i in ids] == [c if c in known else "" for c in text]
    assert ((ids == UNKNOWN) == [c not in known for c in text]).all()
    assert units.decode(ids) == "".join(c for c in text if c in known)
    assert not (ids == BOUNDARY).any()


@given(text=any_text)
@settings(max_examples=40)
def test_known_characters_are_decoded_unchanged(text):
    units = characters([text, STRANGE, SURROGATES])
    assert units.decode(units.encode_text(text)) == text
    assert units.decode(units.encode_text(STRANGE + SURROGATES)) == STRANGE + SURROGATES
    assert units.decode([BOUNDARY, UNKNOWN, *units.encode_text(text), BOUNDARY]) == text


def test_characters_of_docs_are_those_of_their_texts():
    """Including blanks and line breaks."""
    docs = [
        Doc(VOCAB, words=["é😀", "\n", "\0"], spaces=[True, False, True]),
        Doc(VOCAB),
        Doc(VOCAB, words=["  "], spaces=[False]),
    ]
    units = Characters(1)
    units.fit(docs)
    texts = ["é😀 \n\0 ", "", "  "]
    assert [units.decode(ids) for ids in units.encode(docs)] == texts
    assert [len(ids) for ids in units.encode(docs)] == [6, 0, 2]
    assert [ids.dtype for ids in units.encode(docs)] == [np.int64] * 3


def test_a_character_belongs_to_its_token():
    doc = Doc(VOCAB, words=["é😀", "\n", "x"], spaces=[True, False, True])
    assert Characters().token_indices(doc).tolist() == [0, 0, 0, 1, 2, 2]
    assert Characters().token_indices(doc).dtype == np.int64


# Words


def test_words_by_rank():
    units = words_of("b a \n b a. A")
    assert everything(units) == ["", "", " b", " \n", " A", " a", " a."]
    assert units.boundary_id == BOUNDARY
    assert units.encode([doc_of("a b \n x")])[0].tolist() == [5, 2, 3, UNKNOWN]


@pytest.mark.parametrize(
    "min_freq, max_words, known",
    [(1, 0, "cbad"), (2, 0, "cb"), (3, 0, "c"), (1, 3, "cba"), (2, 3, "cb"), (4, 1, "")],
)
def test_rare_words_and_those_above_max_words_are_unknown(min_freq, max_words, known):
    units = words_of("c b a c b c d", min_freq, max_words)
    assert everything(units) == ["", "", *(" " + word for word in known)]
    ids = units.encode_text("a b c d e", doc_of)
    assert [i == UNKNOWN for i in ids] == [word not in known for word in "abcde"]


@given(text=st.lists(st.sampled_from(["a", "b", "é", "x."]), max_size=9).map(" ".join))
@settings(max_examples=40)
def test_known_words_are_decoded_unchanged(text):
    units = words_of("a b é x. c")
    ids = units.encode_text(text, doc_of)
    assert ids.dtype == np.int64
    assert units.decode(ids) == text
    assert units.encode([doc_of(text)])[0].tolist() == ids.tolist()


def test_words_are_written_with_one_blank_between_them():
    """Except for words that are white space."""
    units = words_of("a \n b")
    a, newline, b = (units.strings.index(" " + word) for word in ("a", "\n", "b"))
    assert units.decode([BOUNDARY, a, UNKNOWN, b, BOUNDARY]) == "a b"
    assert units.decode([b, a, newline, b]) == "b a\nb"
    assert units.decode([]) == units.decode([UNKNOWN]) == ""


@pytest.mark.parametrize(
    "text, more", [("a", " b a"), ("x", " b a"), ("", "b a"), ("a ", "b a"), ("x\n", "b a")]
)
def test_words_after_a_text(text, more):
    """One blank is between them, whether or not the text is known."""
    units = words_of("a b")
    added = units.encode_text("b a", doc_of)
    read = units.encode_text(text.strip(), doc_of)
    assert units.decode_continuation(text, read, added) == more


def test_the_stable_prefix_ends_before_the_last_word_or_white_space():
    """More text may follow, and form one token with it."""
    units = words_of("a b")
    texts = ("a b.", "a b. ", "a\nb \n", "ab", " ", "", " a b")
    found = [units.stable_prefix(text) for text in texts]
    assert found == ["a", "a b.", "a\nb", "", "", "", " a"]


def test_pieces_after_a_text(pieces):
    """A blank at the end of the text belongs to the next piece."""
    more = pieces.encode_text("ab")
    for text, read, added in [("ab", "ab", " ab"), ("ab ", "ab", "ab"), ("", "", "ab")]:
        assert pieces.decode_continuation(text, pieces.encode_text(read), more) == added
    assert pieces.stable_prefix("ab a") == "ab" and pieces.stable_prefix("ab\na") == ""


def test_blanks_are_not_words_but_tokens_of_blanks_are():
    docs = [Doc(VOCAB, words=["a", "  ", "a"], spaces=[True, False, False]), Doc(VOCAB)]
    units = Words(1)
    units.fit(docs)
    assert units.strings == ["", "", " a", "   "]
    assert [ids.tolist() for ids in units.encode(docs)] == [[2, 3, 2], []]
    assert [ids.dtype for ids in units.encode(docs)] == [np.int64] * 2
    assert units.token_indices(docs[0]).tolist() == [0, 1, 2]


@given(tokens=some_tokens)
@settings(max_examples=40)
def test_words_of_docs_are_those_of_their_tokens(tokens):
    doc = doc_from(tokens)
    units = words_of("a b 😀")
    expected = [
        units.strings.index(" " + w) if w in "ab😀" and len(w) == 1 else UNKNOWN for w, _ in tokens
    ]
    assert units.encode([doc])[0].tolist() == expected


# Pieces


def test_the_boundary_of_pieces_is_the_end_of_a_sentence(pieces):
    assert pieces.boundary_id == pieces.model.eos == EOS
    assert len(pieces) == len(pieces.model) == len(pieces.strings)
    assert pieces.strings[:4] == [""] * 4 and all(pieces.strings[4:])


def test_strings_of_pieces_have_blanks_instead_of_marks(pieces):
    assert list(pieces.model.pieces[4:]) == [s.replace(" ", "\u2581") for s in pieces.strings[4:]]
    ids = pieces.encode_text("ab 日b")
    assert "".join(pieces.strings[i] for i in ids) == " ab 日b"


@given(text=st.text("ab日😀 \n"))
@settings(max_examples=40)
def test_known_pieces_are_decoded_unchanged(pieces, text):
    assert pieces.decode(pieces.encode_text(text)) == text
    doc = Doc(VOCAB, words=[text] if text else [], spaces=[False] if text else [])
    assert pieces.encode([doc])[0].tolist() == pieces.encode_text(text).tolist()


def test_a_piece_belongs_to_the_token_in_which_it_ends():
    """Most pieces begin with the blank before a word; the blank before the text belongs to the
    first token."""
    units = PieceUnits(SubwordModel(20, "char"))
    units.fit([doc_of("ab ab")])
    doc = Doc(VOCAB, words=["a", "b", "\n", "ab"], spaces=[True, False, False, True])
    assert [units.strings[i] for i in units.encode([doc])[0]] == [*" a b", "", *"ab "]
    assert units.token_indices(doc).tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    merged = PieceUnits(SubwordModel(9, "bpe"))
    merged.fit([doc_of("ab ab ab")])
    doc = Doc(VOCAB, words=["ab", "a", "b"], spaces=[True, False, True])
    assert [merged.strings[i] for i in merged.encode([doc])[0]] == [" ab", " ab", " "]
    assert merged.token_indices(doc).tolist() == [0, 2, 2]


def test_a_vocabulary_can_come_from_a_model_that_drops_characters():
    """It may drop all characters of a text; then no token has a piece."""
    proto = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["a b ab"]), model_writer=proto, vocab_size=8, minloglevel=2,
        model_type="char", unk_id=0, bos_id=3, eos_id=1, pad_id=2,
    )  # fmt: skip
    units = PieceUnits(SubwordModel())
    units.model.from_bytes(proto.getvalue())
    assert units.boundary_id == 1
    assert [units.strings[i] for i in range(4)] == [""] * 4
    blank = Doc(VOCAB, words=[" ", "\n"], spaces=[True, False])
    assert units.encode([blank])[0].tolist() == units.token_indices(blank).tolist() == []
    doc = Doc(VOCAB, words=["  ", "a", "\n", "b"], spaces=[True, True, False, False])
    assert units.token_indices(doc).tolist() == [1, 1, 2, 3]
    assert units.decode(units.encode([doc])[0]) == "a b"


# All units


@given(tokens=some_tokens)
@settings(max_examples=25)
def test_each_unit_has_one_owner_in_order(pieces, tokens):
    doc = doc_from(tokens)
    known = words_of("a b"), characters(["ab "])
    for units in (pieces, *known):
        (ids,) = units.encode([doc])
        owners = units.token_indices(doc)
        assert owners.dtype == np.int64 and len(owners) == len(ids)
        assert (np.diff(owners) >= 0).all()
        assert ((owners >= 0) & (owners < len(doc))).all()
        # Sums over the units of each token lose nothing.
        values = np.random.default_rng(0).normal(size=len(ids))
        sums = np.bincount(owners, values, minlength=len(doc))
        assert len(sums) == len(doc) and sums.sum() == pytest.approx(values.sum())
    assert Counter(known[1].token_indices(doc).tolist()) == {
        token.i: len(token.text_with_ws) for token in doc
    }


@functools.cache
def single_characters():
    units = PieceUnits(SubwordModel(40, "char"))
    units.fit([doc_of("ab日😀 \n x")])
    return units


@given(tokens=some_tokens)
@settings(max_examples=40)
def test_a_token_owns_the_text_of_its_pieces(tokens):
    """If each piece is one character, a token owns its characters and the blank after it; the blank
    before the text belongs to the first token."""
    doc = doc_from(tokens)
    owned = Counter(single_characters().token_indices(doc).tolist())
    known = [t.text_with_ws.replace("\0", "Ω") for t in doc]
    joined = "".join(known)
    # A run of unknown characters is one piece.
    ends = [i for i, c in enumerate(joined) if c != "Ω" or joined[i + 1 : i + 2] != "Ω"]
    edges = np.cumsum([len(text) for text in known])
    expected = Counter(int(np.searchsorted(edges, i, side="right")) for i in ends)
    if joined:
        expected[0] += 1
    assert owned == expected


def test_docs_without_tokens_have_no_units(pieces):
    empty = Doc(VOCAB)
    for units in (pieces, words_of("a b"), characters(["ab "]), Words(), Characters()):
        assert [ids.tolist() for ids in units.encode([empty])] == [[]]
        assert units.encode([]) == []
        owners = units.token_indices(empty)
        assert owners.tolist() == [] and np.issubdtype(owners.dtype, np.integer)
        assert units.encode_text("", doc_of).tolist() == [] and units.decode([]) == ""


def test_no_units_are_known_before_training():
    assert Characters().encode_text("aé\0").tolist() == [UNKNOWN] * 3
    assert Words().encode_text("a b", doc_of).tolist() == [UNKNOWN] * 2
    assert Words().encode([doc_of("a b a")])[0].tolist() == [UNKNOWN] * 3
    assert len(Characters()) == len(Words()) == 2
    assert PieceUnits(SubwordModel()).to_dict() == {"pieces": ""}
    with pytest.raises(ValueError, match="no SentencePiece model yet"):
        PieceUnits(SubwordModel()).encode_text("a")


def test_fitting_again_replaces_the_units():
    for units in (Characters(1), Words(1)):
        units.fit([doc_of("a b")])
        units.fit([doc_of("c")])
        assert [s.strip() for s in units.strings] == ["", "", "c"]


def as_json(state):
    """The state as it is stored in the metadata of the weights: in UTF-8, which cannot encode half
    of a surrogate pair, so that JSON has to escape it in ASCII."""
    return json.loads(json.dumps(state).encode("utf-8").decode("utf-8"))


@given(text=any_text)
@settings(max_examples=40)
def test_characters_are_saved_as_json(text):
    units = characters([text, SURROGATES])
    again = Characters(5)
    again.from_dict(as_json(units.to_dict()))
    assert again.strings == units.strings and len(again) == len(units)
    assert (again.encode_text(text) == units.encode_text(text)).all()
    assert again.to_dict() == units.to_dict()


def test_words_are_saved_as_json():
    units = words_of(f"b a b \n é {STRANGE}")
    again = Words()
    again.from_dict(as_json(units.to_dict()))
    assert again.strings == units.strings and len(again) == len(units)
    doc = doc_of("a b x é \n")
    assert (again.encode([doc])[0] == units.encode([doc])[0]).all()


def test_pieces_are_saved_as_json(pieces):
    again = PieceUnits(SubwordModel())
    again.from_dict(as_json(pieces.to_dict()))
    assert again.strings == pieces.strings and again.boundary_id == pieces.boundary_id
    assert again.encode_text("ab 日b").tolist() == pieces.encode_text("ab 日b").tolist()
    empty = PieceUnits(SubwordModel())
    empty.from_dict(as_json(empty.to_dict()))
    assert len(empty) == 0
