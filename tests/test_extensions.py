"""Values of tokens after tokens are merged or split, and after serialization by spaCy."""

import copy
import json
import math
import pickle

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, Token
from spacy.tokens.underscore import Underscore
from spacy.vocab import Vocab

from spacy_rnn.extensions import (
    set_doc_extension,
    set_probability_extensions,
    set_span_extension,
    set_token_extension,
    single_value,
    sum_values,
    values_as_read,
)
from spacy_rnn.scorers import language_model_score

from .helpers.pipelines import make_examples, make_pipeline, train

VOCAB = Vocab()
NAMES = ["values_sum", "values_only", "values_logp", "values_perplexity"]
SUM, ONLY, LOGP, PERPLEXITY = NAMES


@pytest.fixture(autouse=True)
def extensions():
    set_token_extension(SUM, sum_values)
    set_token_extension(ONLY, single_value)
    set_probability_extensions(LOGP, PERPLEXITY)
    yield
    for owner in (Doc, Span, Token):
        for name in NAMES:
            if owner.has_extension(name):
                owner.remove_extension(name)


def make_doc():
    doc = Doc(
        VOCAB, words=["New", "York", "is", "big", "."], spaces=[True, True, True, False, False]
    )
    doc._.set(SUM, [1.0, 2.0, 4.0, 8.0, 16.0])
    doc._.set(ONLY, {"a": [[i, i + 1] for i in range(5)], "b": [[i] for i in range(5)]})
    doc._.set(LOGP, [-1.0, -2.0, -4.0, -8.0, -16.0, -32.0])
    return doc


def merge(doc, *spans):
    with doc.retokenize() as retokenizer:
        for start, end in spans:
            retokenizer.merge(doc[start:end])
    return doc


def split(doc, token, *parts):
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[token], list(parts), [doc[token]] * len(parts))
    return doc


def of_tokens(doc, name):
    return [token._.get(name) for token in doc]


def agree(doc, *names):
    """Whether the values of the tokens equal those of their doc."""
    return all(of_tokens(doc, n) == doc._.get(n)[: len(doc)] for n in names)


def test_each_token_has_its_value():
    doc = make_doc()
    assert doc._.get(SUM) == of_tokens(doc, SUM) == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert doc._.get(LOGP) == [*of_tokens(doc, LOGP), -32.0]
    assert doc[3]._.get(ONLY) == {"a": [3, 4], "b": [3]}
    assert doc._.get(ONLY)["b"] == [[0], [1], [2], [3], [4]]
    assert doc._.get(PERPLEXITY) == pytest.approx(math.exp(63 / 6))


def test_the_values_of_merged_tokens_add_up():
    doc = merge(make_doc(), (0, 2), (3, 5))
    assert [token.text for token in doc] == ["New York", "is", "big."]
    assert doc._.get(SUM) == [3.0, 4.0, 24.0] and agree(doc, SUM, LOGP)
    assert doc._.get(LOGP) == [-3.0, -4.0, -24.0, -32.0]
    assert doc._.get(PERPLEXITY) == pytest.approx(math.exp(63 / 4))
    assert doc[0:2]._.get(PERPLEXITY) == pytest.approx(math.exp(7 / 2))
    assert merge(doc, (0, 3))._.get(LOGP) == [-31.0, -32.0] and agree(doc, LOGP)


def test_merged_tokens_have_no_value_where_values_do_not_add_up():
    doc = merge(make_doc(), (0, 2))
    assert doc._.get(ONLY) == {"a": [None, [2, 3], [3, 4], [4, 5]], "b": [None, [2], [3], [4]]}
    assert of_tokens(doc, ONLY)[:2] == [{"a": None, "b": None}, {"a": [2, 3], "b": [2]}]


def test_the_parts_of_a_split_token_have_no_values():
    doc = split(make_doc(), 1, "Yo", "rk")
    assert doc._.get(LOGP) == [-1.0, None, None, -4.0, -8.0, -16.0, -32.0]
    assert doc._.get(SUM) == [1.0, None, None, 4.0, 8.0, 16.0] and agree(doc, SUM, LOGP)
    assert doc[1]._.get(ONLY) == {"a": None, "b": None}
    # The value of both parts together is still known.
    assert doc[1:3]._.get(PERPLEXITY) == pytest.approx(math.exp(2 / 2))
    assert doc[0:2]._.get(PERPLEXITY) is doc[2:2]._.get(PERPLEXITY) is None
    assert doc._.get(PERPLEXITY) == pytest.approx(math.exp(63 / 7))
    assert merge(doc, (1, 3))._.get(LOGP) == [-1.0, -2.0, -4.0, -8.0, -16.0, -32.0]


def test_tokens_with_other_boundaries():
    """The number of tokens is the same as before."""
    doc = merge(split(make_doc(), 0, "Ne", "w"), (1, 3))
    assert [token.text for token in doc] == ["Ne", "w York", "is", "big", "."]
    assert doc._.get(SUM) == [None, None, 4.0, 8.0, 16.0] and agree(doc, SUM, LOGP)
    assert doc[0:2]._.get(PERPLEXITY) == pytest.approx(math.exp(3 / 2))


def test_scores_are_computed_from_the_tokens_that_were_read():
    def scored(doc):
        return language_model_score([spacy.training.Example(doc, doc)], attr=LOGP)

    scores = scored(make_doc())
    assert scores["ppl"] == pytest.approx(math.exp(63 / 6))
    assert scored(merge(make_doc(), (0, 4))) == scored(split(make_doc(), 2, "i", "s")) == scores
    assert values_as_read(merge(make_doc(), (0, 4)), SUM) == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_values_that_do_not_fit_the_tokens():
    doc = make_doc()
    for name, values, message in [
        (SUM, [1.0] * 4, "a value for each of 5 tokens, but got 4"),
        (LOGP, [1.0] * 5, "each of 5 tokens and for the end, but got 5"),
        (ONLY, {"a": [1.0] * 5, "b": []}, "but got 0"),
        # Values of a regressor and of a translator.
        (SUM, {"rating": 1.0}, "got no list.*another name"),
        (SUM, "Salut", "got no list.*another name"),
    ]:
        with pytest.raises(ValueError, match=message):
            doc._.set(name, values)
    doc._.set(SUM, None)
    assert doc._.get(SUM) is doc[0]._.get(SUM) is None


def test_docs_without_tokens_or_values():
    empty = Doc(VOCAB)
    assert empty._.get(LOGP) is empty._.get(SUM) is empty._.get(PERPLEXITY) is None
    empty._.set(SUM, [])
    empty._.set(LOGP, [-2.0])
    assert empty._.get(SUM) == [] and empty._.get(LOGP) == [-2.0]
    assert empty._.get(PERPLEXITY) == pytest.approx(math.exp(2))
    doc = Doc(VOCAB, words=["a"])
    assert doc[0]._.get(LOGP) is doc[:]._.get(PERPLEXITY) is None


def by_json(doc):
    data = json.loads(json.dumps(doc.to_json(underscore=NAMES)))
    return Doc(VOCAB).from_json(data)


def by_doc_bin(doc):
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    return next(DocBin().from_bytes(stored).get_docs(VOCAB))


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("way", ["json", "bytes", "doc bin", "pickle", "copy", "deepcopy"])
def test_values_are_stored_by_the_serializers_of_spacy(way, merged):
    doc = merge(make_doc(), (0, 2)) if merged else make_doc()
    ways = {
        "json": by_json,
        "bytes": lambda doc: Doc(VOCAB).from_bytes(doc.to_bytes()),
        "doc bin": by_doc_bin,
        "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
        "copy": Doc.copy,
        "deepcopy": copy.deepcopy,
    }
    stored = ways[way](doc)
    assert all(stored._.get(name) == doc._.get(name) for name in NAMES)
    assert all(of_tokens(stored, name) == of_tokens(doc, name) for name in NAMES[:3])
    for each in (doc, stored):
        merge(each, (1, 3))
    assert all(stored._.get(name) == doc._.get(name) for name in NAMES)


def test_a_part_of_a_doc_and_joined_docs_have_no_values():
    doc = make_doc()
    part = doc[1:4].as_doc(copy_user_data=True)
    assert part._.get(SUM) is part[0]._.get(SUM) is part._.get(PERPLEXITY) is None
    with pytest.warns(UserWarning, match="W101.*values_"):
        joined = Doc.from_docs([doc, make_doc()])
    assert joined._.get(LOGP) is joined[7]._.get(LOGP) is None


def test_an_extension_that_users_set_to_read_stored_docs():
    """An extension of the user is replaced if it only stores a value."""
    for owner, name in [
        *((owner, name) for owner in (Doc, Token) for name in (SUM, LOGP)),
        *((owner, PERPLEXITY) for owner in (Doc, Span)),
    ]:
        owner.set_extension(name, default=None, force=True)
    set_token_extension(SUM, sum_values)
    set_probability_extensions(LOGP, PERPLEXITY)
    doc = merge(make_doc(), (0, 2))
    assert doc._.get(SUM) == [3.0, 4.0, 8.0, 16.0] and agree(doc, SUM, LOGP)
    assert doc._.get(PERPLEXITY) == pytest.approx(math.exp(63 / 5))
    assert doc[0:2]._.get(PERPLEXITY) == pytest.approx(math.exp(7 / 2))


@pytest.mark.parametrize(
    "owner, name, register",
    [
        (Doc, SUM, lambda: set_token_extension(SUM, sum_values)),
        (Token, SUM, lambda: set_token_extension(SUM, sum_values)),
        (Doc, PERPLEXITY, lambda: set_probability_extensions(LOGP, PERPLEXITY)),
        (Span, PERPLEXITY, lambda: set_probability_extensions(LOGP, PERPLEXITY)),
        (Doc, SUM, lambda: set_doc_extension(SUM)),
        (Span, SUM, lambda: set_span_extension(SUM)),
    ],
)
@pytest.mark.parametrize("kind", ["getter", "method"])
def test_an_extension_that_users_compute_is_an_error(owner, name, register, kind):
    owner.set_extension(name, **{kind: len}, force=True)
    with pytest.raises(ValueError, match=f"{owner.__name__.lower()}._.{name} .*{kind} = len.*name"):
        register()
    assert len in owner.get_extension(name)
    owner.remove_extension(name)
    register()


def test_an_extension_of_users_with_a_default_is_kept():
    Doc.remove_extension(SUM)
    Doc.set_extension(SUM, default="nothing")
    set_doc_extension(SUM)
    assert Doc(VOCAB)._.get(SUM) == "nothing"


def test_extensions_can_be_registered_again():
    """Both in the same process, and in one that received the extensions of another process."""
    state = pickle.loads(pickle.dumps(Underscore.get_state()))
    Underscore.load_state(state)
    for _ in range(2):
        set_token_extension(SUM, sum_values)
        set_token_extension(ONLY, single_value)
        set_probability_extensions(LOGP, PERPLEXITY)
    assert agree(make_doc(), SUM, LOGP)


def test_components_that_use_one_name_for_different_values():
    make_pipeline("rnn_lm", attr=LOGP, perplexity_attr=PERPLEXITY)
    make_pipeline("rnn_lm", attr=LOGP, perplexity_attr=PERPLEXITY)
    for factory, model, settings in [
        ("rnn_tagger", None, {"probabilities_attr": LOGP}),
        ("rnn_textcat", ATTENTION, {"attention_attr": LOGP}),
        ("rnn_regressor", None, {"attr": LOGP}),
        ("rnn_lm", None, {"perplexity_attr": PERPLEXITY}),
        ("rnn_ner", None, {"confidence_attr": PERPLEXITY}),
    ]:
        with pytest.raises(ValueError, match=f"_.{next(reversed(settings.values()))} .*another"):
            make_pipeline(factory, model, **settings)


ATTENTION = {"pooling": {"ways": ["attention"]}}


@pytest.mark.parametrize(
    "factory, model, setting, name",
    [
        ("rnn_lm", None, "attr", LOGP),
        ("rnn_tagger", None, "probabilities_attr", ONLY),
        ("rnn_ner", None, "probabilities_attr", ONLY),
        ("rnn_textcat", ATTENTION, "attention_attr", SUM),
        ("rnn_textcat_multilabel", ATTENTION, "attention_attr", SUM),
        ("rnn_regressor", ATTENTION, "attention_attr", SUM),
    ],
)
def test_values_of_all_components_after_merging_and_as_json(factory, model, setting, name):
    """The values are correct after a merge, and can be written as JSON."""
    others = {"perplexity_attr": PERPLEXITY} if factory == "rnn_lm" else {}
    nlp = make_pipeline(factory, model, **{setting: name}, **others)
    train(nlp, make_examples(nlp), steps=1)
    doc = nlp("They like green eggs .")
    before = of_tokens(doc, name)
    values = doc._.get(name)
    assert (
        before == (values if factory != "rnn_tagger" else [{"tag": p} for p in values["tag"]])[:5]
    )
    attrs = [name, *(attr for attr in ("regression", PERPLEXITY) if Doc.has_extension(attr))]
    data = json.loads(json.dumps(doc.to_json(underscore=attrs)))
    assert data["_"][name] == doc._.get(name)
    merge(doc, (1, 3), (3, 5))
    first, like_green, eggs = of_tokens(doc, name)
    assert first == before[0]
    if name != ONLY:
        assert like_green == before[1] + before[2] and eggs == before[3] + before[4]
    elif factory == "rnn_tagger":
        assert like_green == eggs == {"tag": None}
    else:
        assert like_green is eggs is None


def test_confidences_of_entities_survive_their_merging():
    nlp = make_pipeline("rnn_ner", confidence_attr=SUM)
    nlp.add_pipe("merge_entities")
    train(nlp, make_examples(nlp), steps=40)
    doc = nlp("They like green eggs")
    entities = [ent for ent in doc.ents if ent.text == "green eggs"]
    assert [len(ent) for ent in entities] == [1] and 0 < entities[0]._.get(SUM) <= 1
    data = json.loads(json.dumps(doc.to_json(underscore=[SUM])))
    assert len(data["underscore_span"][SUM]) == len(doc.ents)
