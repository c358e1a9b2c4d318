"""Every component accepts any text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_trained

#: all characters except halves of surrogate pairs, which spaCy's strings cannot hold
CHARACTERS = st.characters(exclude_categories=["Cs"])
SEVERAL = ["Mn", "Me", "Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs", "So"]
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=40),
    st.text(st.characters(categories=SEVERAL), max_size=40),
)
SETTINGS = settings(max_examples=25, derandomize=True)


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def nlp(kind):
    return make_trained(kind.factory)


@SETTINGS
@given(text=TEXTS)
@example("e\u0301" * 20)
@example("\x00\x01\x7f\u200b\ufeff\u202e")
@example("\U0010ffff\ud7ff\ufffe\uffff")
@example("\u2028 \u2029\r\n\x0b\x0c\x85")
@example("\\ud800 \\x00 \\N{DEGREE SIGN}")
@example("z\u0336\u0321\u0489" * 300)
def test_any_text_gets_an_answer_and_stays_unchanged(kind, nlp, text):
    doc = nlp(text)
    assert doc.text == text
    (alone,) = kind.output(nlp, [nlp.make_doc(text)])
    again = kind.output(nlp, [nlp.make_doc("I like eggs"), nlp.make_doc(text)])[1]
    assert alone.shape == again.shape
    assert abs(alone - again).max(initial=0.0) <= 1e-5


@SETTINGS
@given(words=st.lists(st.text(CHARACTERS, min_size=1, max_size=12), max_size=12))
def test_any_words_get_an_answer(kind, nlp, words):
    doc = Doc(nlp.vocab, words=words)
    kind.pipe(nlp)(doc)
    assert [token.text for token in doc] == words


def test_half_of_a_surrogate_pair_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="half of a surrogate pair|surrogates not allowed"):
        make_trained("rnn_translator").get_pipe("rnn_translator").translate(["a \ud800 b"])
