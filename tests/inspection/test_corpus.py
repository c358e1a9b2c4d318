"""Statistics of corpora."""

from hypothesis import given
from hypothesis import strategies as st

from spacy_rnn.inspection.corpus import describe_corpus, histogram, n_leaked


def test_description_by_hand():
    corpus = describe_corpus([3, 0, 1, 8, 2])
    assert (corpus.documents, corpus.empty, corpus.tokens, corpus.longest) == (5, 1, 14, 8)
    assert corpus.mean == 2.8
    assert corpus.lengths == {"0": 1, "1": 1, "2-3": 2, "4-7": 0, "8-15": 1}


def test_histogram_begins_with_the_shortest_document():
    assert histogram([5, 9, 15, 7]) == {"4-7": 2, "8-15": 2}


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_every_length_is_in_its_range(lengths):
    counts = histogram(lengths)
    assert sum(counts.values()) == len(lengths)
    for name, count in counts.items():
        first, *last = map(int, name.split("-"))
        assert count == sum(first <= n <= (last[0] if last else first) for n in lengths)


def test_leaked():
    train = ["a b", "c", "", "a b"]
    assert n_leaked(train, ["c", "d", "", " ", "a b", "c"]) == 3
    assert n_leaked(train, []) == 0
