"""Streams of documents: every unit is predicted once, from the units and documents before it."""

import copy
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.features.streams import BPTTStreams

#: numbers of targets of documents: the units and the boundary at the end
doc_sizes = st.lists(st.integers(1, 12), max_size=20)
n_streams = st.integers(1, 5)
window_sizes = st.integers(1, 9)
some = settings(max_examples=50)


def documents(sizes):
    """Each unit gives its document and its place: 100 times the document plus the place."""
    return [100 * (d + 1) + np.arange(n + 1) for d, n in enumerate(sizes)]


def rows_of(window):
    """Inputs and targets of each row."""
    ends = np.cumsum(window.lengths)[:-1]
    return list(zip(np.split(window.inputs, ends), np.split(window.targets, ends), strict=True))


def read(streams, docs, conditions=None):
    for i, units in enumerate(docs):
        streams.push(units, None if conditions is None else conditions[i])
    return list(streams.windows())


def document(unit):
    return int(unit) // 100


def targets_of_streams(windows, n):
    """The targets of each stream, from window to window."""
    found = [[] for _ in range(n)]
    for window in windows:
        for stream, (_, targets) in zip(found, rows_of(window), strict=True):
            stream.extend(targets.tolist())
    return found


def dealt(docs, n):
    """The expected targets of each stream: a document joins the first of the shortest streams."""
    found = [[] for _ in range(n)]
    for units in docs:
        min(found, key=len).extend(units[1:].tolist())
    return found


@given(
    sizes=doc_sizes,
    n=n_streams,
    window=window_sizes,
    carry=st.booleans(),
    seed=st.none() | st.integers(0, 9),
)
@some
def test_each_unit_is_predicted_once_and_in_order(sizes, n, window, carry, seed):
    """Targets that are missing at the end are waiting, and only because some stream lacks units."""
    docs = documents(sizes)
    rng = None if seed is None else np.random.default_rng(seed)
    streams = BPTTStreams(n, window, carry, rng)
    windows = read(streams, docs)
    found, expected = targets_of_streams(windows, n), dealt(docs, n)
    for stream, whole in zip(found, expected, strict=True):
        assert stream == whole[: len(stream)]
    left = [len(whole) - len(stream) for stream, whole in zip(found, expected, strict=True)]
    assert min(left) < (2 * window if carry else 1)
    for window in windows:
        assert len(window.lengths) == len(window.resets) == n
        assert window.lengths.min() > 0
        assert window.lengths.sum() == len(window.inputs) == len(window.targets)


@given(sizes=doc_sizes, n=n_streams, window=window_sizes, carry=st.booleans())
@some
def test_the_input_is_the_unit_before_the_target(sizes, n, window, carry):
    """Both are of the same document: the unit before a document is read, not predicted."""
    for read_window in read(BPTTStreams(n, window, carry), documents(sizes)):
        assert (read_window.inputs + 1 == read_window.targets).all()
        for inputs, targets in rows_of(read_window):
            assert [document(unit) for unit in inputs] == [document(unit) for unit in targets]


@given(sizes=doc_sizes, n=n_streams, window=window_sizes, seed=st.none() | st.integers(0, 9))
@some
def test_without_carry_rows_are_of_one_document_each(sizes, n, window, seed):
    """A row starts or continues its document; a row that is shorter than the window ends it."""
    rng = None if seed is None else np.random.default_rng(seed)
    windows = read(BPTTStreams(n, window, rng=rng), documents(sizes))
    started = Counter()
    last = [None] * n
    for read_window in windows:
        longest = read_window.lengths.max()
        assert longest <= (window if seed is None else 2 * window)
        for i, (inputs, targets) in enumerate(rows_of(read_window)):
            (owner,) = {document(unit) for unit in [*inputs, *targets]}
            assert read_window.resets[i] == (inputs[0] % 100 == 0)
            if read_window.resets[i]:
                started[owner] += 1
            else:
                # The state after this unit is carried on, so its row was one of the longest.
                assert inputs[0] == last[i]
            whole = targets[-1] % 100 == sizes[owner - 1]
            assert whole or len(inputs) == longest
            last[i] = None if whole else targets[-1]
    assert set(started.values()) <= {1}


@given(sizes=doc_sizes, n=n_streams, window=window_sizes)
@some
def test_with_carry_rows_have_one_size(sizes, n, window):
    windows = read(BPTTStreams(n, window, carry_state=True), documents(sizes))
    least = min(map(len, dealt(documents(sizes), n)))
    assert len(windows) == least // window
    for i, read_window in enumerate(windows):
        assert read_window.lengths.tolist() == [window] * n
        assert read_window.resets.tolist() == [i == 0] * n


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("window", [1, 4, 40])
def test_random_windows_stay_within_bounds_and_a_seed_repeats_them(carry, window):
    def sizes(seed):
        docs = documents([99] * 40)
        windows = read(BPTTStreams(2, window, carry, np.random.default_rng(seed)), docs)
        return [int(w.lengths.max()) for w in windows]

    found = sizes(0)
    assert found == sizes(0) != sizes(1)
    assert max(found) <= 2 * window
    if carry:  # else a row can be short because its document ends
        assert min(found) >= max(1, window // 10)
    assert len(set(found)) > 1


def test_random_windows_are_near_the_size_and_sometimes_near_half_of_it():
    """Sizes are normally distributed with a standard deviation of 5 and cut at the bounds. The mean
    is halved in one of 20 windows."""
    streams = BPTTStreams(1, 70, True, np.random.default_rng(0))
    sizes = np.array([len(w.inputs) for w in read(streams, [np.arange(200_000)])])
    whole = sizes > 52
    assert abs(whole.mean() - 0.95) < 3 * (0.95 * 0.05 / len(sizes)) ** 0.5
    for part, mean in ((sizes[whole], 70), (sizes[~whole], 35)):
        assert abs(part.mean() - mean) < 0.5 + 15 / len(part) ** 0.5
        assert 4 < part.std() < 6
    fixed = BPTTStreams(1, 70, True)
    assert {len(w.inputs) for w in read(fixed, [np.arange(1000)])} == {70}


def test_windows_by_hand():
    """Three documents on two streams: the third joins the second, which is shorter."""
    streams = BPTTStreams(2, 3)
    windows = read(streams, [np.array(u) for u in ([0, 5, 6, 7, 0], [0, 8, 0], [0, 9, 0])])
    first, second = windows
    assert first.lengths.tolist() == [3, 2]
    assert first.inputs.tolist() == [0, 5, 6, 0, 8]
    assert first.targets.tolist() == [5, 6, 7, 8, 0]
    assert first.resets.tolist() == [True, True]
    assert second.lengths.tolist() == [1, 2]
    assert second.inputs.tolist() == [7, 0, 9]
    assert second.targets.tolist() == [0, 9, 0]
    assert second.resets.tolist() == [False, True]
    assert first.conditions is second.conditions is None


def test_with_carry_windows_by_hand():
    """The unit that is read after a document is the one before the next document."""
    streams = BPTTStreams(1, 4, carry_state=True)
    first, second = read(streams, [np.array(u) for u in ([0, 5, 6, 0], [0, 7, 0], [0, 8, 9, 0])])
    assert first.inputs.tolist() == [0, 5, 6, 0]
    assert first.targets.tolist() == [5, 6, 0, 7]
    assert second.inputs.tolist() == [7, 0, 8, 9]
    assert second.targets.tolist() == [0, 8, 9, 0]
    assert [window.resets.tolist() for window in (first, second)] == [[True], [False]]


@pytest.mark.parametrize("carry", [False, True])
def test_nothing_is_read_while_a_stream_is_empty_and_remaining_units_are_kept(carry):
    streams = BPTTStreams(3, 4, carry)
    a, b, c, d = documents([6, 7, 5, 4])
    assert read(streams, []) == []
    assert read(streams, [a, b]) == []
    windows = read(streams, [c])
    assert len(windows) == (1 if carry else 2)
    assert read(streams, []) == []
    # The third stream is the one that is used up.
    windows += read(streams, [d])
    found, expected = targets_of_streams(windows, 3), dealt([a, b, c, d], 3)
    assert expected[2] == [*c[1:], *d[1:]]
    if carry:
        assert [len(stream) for stream in found] == [4, 4, 4]
    else:
        assert [len(stream) for stream in found] == [6, 7, 5]
    for stream, whole in zip(found, expected, strict=True):
        assert stream == whole[: len(stream)]


@given(sizes=doc_sizes, n=n_streams, window=window_sizes, carry=st.booleans(), data=st.data())
@some
def test_documents_may_come_one_at_a_time(sizes, n, window, carry, data):
    """The streams have the same targets as with other batches, except for units that wait for a
    window: without carry, a shorter window is read at once."""
    docs = documents(sizes)
    streams = BPTTStreams(n, window, carry)
    windows, rest = [], list(docs)
    while rest:
        k = data.draw(st.integers(1, len(rest)))
        windows += read(streams, rest[:k])
        rest = rest[k:]
    # Each document is on one stream, complete and in order except for an end that waits.
    found = targets_of_streams(windows, n)
    waiting = 0
    whole = {d + 1: units[1:].tolist() for d, units in enumerate(docs)}
    seen = set()
    for stream in found:
        at = 0
        while at < len(stream):
            owner = document(stream[at])
            assert owner not in seen
            seen.add(owner)
            part = stream[at : at + len(whole[owner])]
            at += len(whole[owner])
            assert part == whole[owner][: len(part)]
            waiting += len(whole[owner]) - len(part)
    unread = sum(len(units) for owner, units in whole.items() if owner not in seen)
    assert sum(streams.n_waiting) == waiting + unread
    assert min(streams.n_waiting) < (window if carry else 1)


@given(sizes=doc_sizes, n=n_streams, window=window_sizes, seed=st.none() | st.integers(0, 9))
@some
def test_rows_have_the_conditions_of_their_documents(sizes, n, window, seed):
    docs = documents(sizes)
    conditions = np.array([[d + 1, -d] for d in range(len(docs))], dtype="float32").reshape(-1, 2)
    rng = None if seed is None else np.random.default_rng(seed)
    for read_window in read(BPTTStreams(n, window, rng=rng), docs, conditions):
        assert read_window.conditions.dtype == np.float32
        assert read_window.conditions.shape == (n, 2)
        for (inputs, _), vector in zip(rows_of(read_window), read_window.conditions, strict=True):
            assert vector.tolist() == [document(inputs[0]), 1 - document(inputs[0])]


def test_a_copy_continues_independently():
    """Its random generator and remaining units are copied, too."""
    streams = BPTTStreams(2, 6, True, np.random.default_rng(3))
    read(streams, documents([9, 12, 11]))
    other = copy.deepcopy(streams)
    more = documents([50, 60, 70])
    for one, same in zip(read(streams, more), read(other, more), strict=True):
        assert one.inputs.tolist() == same.inputs.tolist()
        assert one.lengths.tolist() == same.lengths.tolist()
