"""Normalization of texts, and the origins of normalized characters."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spacy_rnn.features.normalization import normalize, origins, required_text

SPACES = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]
ODD = ["e\u0301", "\u0301", "é", "한", "\u1112\u1161\u11ab", "\u0344", "ﬁ", "😀", "\u0958"]
CONTROLS = ["\0", "\x07", "\x1b", "\x7f", "\x90", "\xad", "\u200e", "\u2060", "\ufeff"]
CHARACTERS = [*"ab .", *SPACES, *ODD, *CONTROLS, "\u200b", "\u200d", "\u09c7\u09be"]
TEXTS = st.lists(st.sampled_from(CHARACTERS)).map("".join) | st.text()


@pytest.mark.parametrize("space", [*SPACES, "\u200b", "\r\n", " \t ", "\0 \0", "  "])
def test_every_kind_of_white_space_becomes_a_blank(space):
    assert normalize(f"{space}a{space}b{space}") == "a b"
    assert normalize(space) == normalize("") == ""


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_left_out(control):
    assert normalize(f"{control}a{control}b {control} c{control}") == "ab c"
    assert normalize(f"e{control}\u0301") == "é"


def test_characters_that_spell_words_are_kept():
    for text in ("می\u200cخواهم", "क्\u200dष", "l'été – 10 €", "日本。", "ﬁ", "👩\u200d🚀"):
        assert normalize(text, nfc=False) == text
    assert normalize("e\u0301", nfc=False) == "e\u0301" and normalize("e\u0301") == "é"


@given(TEXTS, st.booleans())
@example("a\u0323\u0307", True)
def test_normalization_is_idempotent(text, nfc):
    found = normalize(text, nfc)
    assert normalize(found, nfc) == found
    assert not nfc or unicodedata.is_normalized("NFC", found)


@given(TEXTS, st.booleans())
@example("a \u0301\xadb\u0323\u0307\t", True)
def test_origins_are_the_places_of_characters(text, nfc):
    found = normalize(text, nfc)
    starts, ends = origins(text, nfc)
    assert len(starts) == len(ends) == len(found)
    assert (starts < ends).all() and (starts[1:] >= starts[:-1]).all()
    for character, start, end in zip(found, starts, ends, strict=True):
        part = text[start:end]
        if character == " ":
            assert normalize(f"a{part}b", nfc) == "a b"
        else:
            assert character in normalize(part, nfc)


def test_half_of_a_surrogate_pair_is_an_error():
    text = "the \ud83d\ude00 cat \ud800!"
    with pytest.raises(ValueError, match=r"Text 1: .* surrogate pair.*\.decode\('utf-16'"):
        required_text(text, "Text 1")
    # The fix that the message suggests.
    cured = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert required_text(cured, "Text 1") == "the 😀 cat \ufffd!"


@pytest.mark.parametrize("no_text", [None, 3, b"the cat"])
def test_a_value_that_is_not_a_string_is_an_error(no_text):
    with pytest.raises(ValueError, match="is not a string. Each text must be a string"):
        required_text(no_text, "Text 1")
