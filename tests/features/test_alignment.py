"""Shares of overlapping spans, compared with counting characters one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_rnn.features.alignment import overlap_matrix

cuts = st.lists(st.integers(0, 12), max_size=6).map(sorted)


@given(cuts, cuts, st.booleans())
def test_shares_equal_those_of_counted_characters(places, others, with_gaps):
    starts, ends = np.array(places[:-1], dtype="int64"), np.array(places[1:], dtype="int64")
    other = np.array(others + others[-1:] * (len(others) % 2), dtype="int64")
    # Every second span, or all spans.
    first, last = (other[::2], other[1::2]) if with_gaps else (other[:-1], other[1:])
    found = overlap_matrix(starts, ends, first, last)
    assert found.shape == (len(starts), len(first)) and found.dtype == np.float32
    for row, start, end in zip(found, starts, ends, strict=True):
        counts = [
            len(set(range(start, end)) & set(range(a, b))) for a, b in zip(first, last, strict=True)
        ]
        np.testing.assert_allclose(row, np.array(counts) / max(sum(counts), 1), atol=1e-6)
