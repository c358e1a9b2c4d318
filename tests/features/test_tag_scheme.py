"""Tags of entities: written by hand, encoded and decoded again, and compared with enumeration of
all sequences."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rnn.features.tag_scheme import BEGIN, IN, OUT, UNKNOWN, TagScheme

SCHEMES = ["bio", "biluo"]
LABELS = ("X", "Y", "Z", "V")

every_scheme = pytest.mark.parametrize("name", SCHEMES)


@st.composite
def entities(draw):
    """A number of labels, a length, and spans that do not overlap: (start, end, label)."""
    n_labels, n = draw(st.integers(0, 4)), draw(st.integers(0, 12))
    spans, start = [], 0
    while start < n:
        end = draw(st.integers(start + 1, n))
        label = draw(st.integers(-1, n_labels - 1))
        if label >= 0:
            spans.append((start, end, label))
        start = end
    return n_labels, n, spans


def arrays(n, spans):
    """The `ent_iob` and the number of the label of each token."""
    iob, labels = np.full(n, OUT), np.full(n, -1)
    for start, end, label in spans:
        iob[start:end] = IN
        iob[start] = BEGIN
        labels[start:end] = label
    return iob, labels


def decoded(scheme, tags):
    return list(zip(*(column.tolist() for column in scheme.decode(tags)), strict=True))


def allowed(scheme, tags):
    """Whether the constraints allow a sequence of tags."""
    may = scheme.constraints()
    if not len(tags):
        return True
    inner = all(may["transitions"][pair] for pair in itertools.pairwise(tags))
    return bool(may["start"][tags[0]] and inner and may["end"][tags[-1]])


def all_spans(n, n_labels, start=0):
    """Every set of spans of n tokens in which no spans overlap."""
    yield []
    for first, end in itertools.combinations(range(start, n + 1), 2):
        for label in range(n_labels):
            for others in all_spans(n, n_labels, end):
                yield [(first, end, label), *others]


def written(name, iob, labels, n_labels=2):
    scheme = TagScheme(name, n_labels)
    names = scheme.names(LABELS[:n_labels])
    tags = scheme.encode(np.array(iob, dtype=int), np.array(labels, dtype=int))
    assert tags.dtype == np.int64
    return " ".join("?" if tag < 0 else names[tag] for tag in tags)


@pytest.mark.parametrize(
    "iob, labels, bio, biluo",
    [
        ([], [], "", ""),
        ([OUT], [-1], "O", "O"),
        ([BEGIN], [1], "B-Y", "U-Y"),
        ([BEGIN, IN], [0, 0], "B-X I-X", "B-X L-X"),
        ([OUT, BEGIN, IN, IN], [-1, 1, 1, 1], "O B-Y I-Y I-Y", "O B-Y I-Y L-Y"),
        # one entity after another
        ([BEGIN, BEGIN, IN], [0, 0, 0], "B-X B-X I-X", "U-X B-X L-X"),
        ([BEGIN, IN, BEGIN, OUT], [0, 0, 1, -1], "B-X I-X B-Y O", "B-X L-X U-Y O"),
        # tokens inside an entity without a beginning
        ([IN, IN], [0, 0], "B-X I-X", "B-X L-X"),
        ([OUT, IN, OUT], [-1, 1, -1], "O B-Y O", "O U-Y O"),
        ([BEGIN, IN], [0, 1], "B-X B-Y", "U-X U-Y"),
        # blocked tokens, and entities whose label is not in the scheme
        ([BEGIN, BEGIN, IN], [-1, 0, 0], "O B-X I-X", "O B-X L-X"),
        ([BEGIN, IN, IN], [0, -1, 0], "B-X O B-X", "U-X O U-X"),
        # tokens without annotation
        ([UNKNOWN, UNKNOWN], [-1, -1], "? ?", "? ?"),
        ([BEGIN, UNKNOWN, BEGIN], [0, -1, 1], "B-X ? B-Y", "U-X ? U-Y"),
        ([BEGIN, UNKNOWN, IN, IN], [0, -1, 0, 0], "B-X ? B-X I-X", "U-X ? B-X L-X"),
        ([UNKNOWN, OUT, UNKNOWN], [-1, -1, -1], "? O ?", "? O ?"),
    ],
)
def test_encode_by_hand(iob, labels, bio, biluo):
    assert written("bio", iob, labels) == bio
    assert written("biluo", iob, labels) == biluo


@pytest.mark.parametrize(
    "name, tags, expected",
    [
        ("bio", [], []),
        ("bio", [0, 0], []),
        ("bio", [1, 2, 2, 0, 3], [(0, 3, 0), (4, 5, 1)]),
        ("bio", [1, 1, 3, 4], [(0, 1, 0), (1, 2, 0), (2, 4, 1)]),
        ("biluo", [4, 0, 5, 6, 7], [(0, 1, 0), (2, 5, 1)]),
        ("biluo", [1, 3, 1, 3, 8], [(0, 2, 0), (2, 4, 0), (4, 5, 1)]),
    ],
)
def test_decode_by_hand(name, tags, expected):
    assert decoded(TagScheme(name, 2), np.array(tags, dtype="int64")) == expected


@every_scheme
@given(drawn=entities())
def test_encoded_entities_are_decoded_unchanged(name, drawn):
    n_labels, n, spans = drawn
    scheme = TagScheme(name, n_labels)
    tags = scheme.encode(*arrays(n, spans))
    assert tags.shape == (n,)
    assert decoded(scheme, tags) == spans
    assert allowed(scheme, tags)


@every_scheme
@given(drawn=entities(), data=st.data())
def test_any_annotation_of_tokens_gives_allowed_tags(name, drawn, data):
    """Also annotation that no entities have; tokens without annotation are read as O."""
    n_labels, n, _ = drawn
    scheme = TagScheme(name, n_labels)
    size = {"min_size": n, "max_size": n}
    iob = np.array(data.draw(st.lists(st.integers(0, 3), **size)), dtype=int)
    labels = np.array(data.draw(st.lists(st.integers(-1, n_labels - 1), **size)), dtype=int)
    labels[(iob == UNKNOWN) | (iob == OUT)] = -1
    tags = scheme.encode(iob, labels)
    assert ((tags == -1) == (iob == UNKNOWN)).all()
    read = np.maximum(tags, 0)
    assert allowed(scheme, read)
    assert (scheme.label[read] == labels).all()
    assert scheme.begins[read][(iob == BEGIN) & (labels >= 0)].all()


@every_scheme
@pytest.mark.parametrize("n", range(5))
def test_allowed_sequences_are_those_of_entities(name, n):
    """Each sequence has different entities."""
    scheme = TagScheme(name, 2)
    possible = itertools.product(range(scheme.n_tags), repeat=n)
    found = {tags for tags in possible if allowed(scheme, tags)}
    spans = list(all_spans(n, 2))
    encoded = [tuple(scheme.encode(*arrays(n, s)).tolist()) for s in spans]
    assert len(set(encoded)) == len(spans)
    assert found == set(encoded)
    for tags, expected in zip(encoded, spans, strict=True):
        assert decoded(scheme, np.array(tags, dtype="int64")) == expected


@every_scheme
@pytest.mark.parametrize("n_labels", [0, 1, 3])
def test_arrays_of_a_scheme(name, n_labels):
    scheme = TagScheme(name, n_labels)
    labels = LABELS[:n_labels]
    names = scheme.names(labels)
    assert len(names) == len(set(names)) == scheme.n_tags == 1 + n_labels * len(name[:-1])
    assert names[0] == "O" and scheme.label[0] == -1
    follows = {"bio": {"BI", "II"}, "biluo": {"BI", "BL", "II", "IL"}}[name]
    for i, first in enumerate(names):
        if i:
            assert labels[scheme.label[i]] == first[2:]
        assert scheme.begins[i] == (first[0] in "BU")
        assert scheme.inside[i] == (first[0] in "IL")
        assert scheme.edges[i] == (first[0] in {"bio": "BI", "biluo": "BLU"}[name])
        for j, second in enumerate(names):
            belongs = first[1:] == second[1:] and first[0] + second[0] in follows
            assert scheme.continues[i, j] == belongs
    may = scheme.constraints()
    assert all(array.dtype == bool for array in may.values())
    # Of the tags inside an entity, those that continue the one before may follow, and no others.
    inside = may["transitions"][:, scheme.inside]
    assert (inside == scheme.continues[:, scheme.inside]).all()
    assert (may["continues"] == scheme.continues).all()


def test_names_of_labels_with_hyphens():
    labels = ("creative-work", "B-cell")
    assert TagScheme("bio", 2).names(labels) == (
        "O",
        "B-creative-work",
        "I-creative-work",
        "B-B-cell",
        "I-B-cell",
    )
    assert TagScheme("biluo", 2).names(labels)[4:6] == ("U-creative-work", "B-B-cell")


def test_a_new_label_changes_no_tag_of_the_others():
    for name in SCHEMES:
        fewer, more = TagScheme(name, 2), TagScheme(name, 3)
        n = fewer.n_tags
        assert fewer.names(LABELS[:2]) == more.names(LABELS[:3])[:n]
        for key, array in fewer.constraints().items():
            assert (more.constraints()[key][(slice(n),) * array.ndim] == array).all()
