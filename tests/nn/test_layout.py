"""Moving tokens between flat and kernel order, and grouping rows of similar length."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from spacy_rnn.nn.layout import (
    Packed,
    Padded,
    group_by_equal_length,
    group_by_length,
    offsets,
    round_up,
)

LAYOUTS = [Padded, Packed]
CPU = torch.device("cpu")

row_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=6)
any_lengths = st.lists(st.integers(0, 9), max_size=7)


def make(layout_class, lengths):
    """A layout of all rows of a batch, the flat tokens, and the rows in the layout's order."""
    lengths = np.array(lengths)
    order = np.argsort(-lengths, kind="stable")
    starts = [sum(lengths[:row]) for row in range(len(lengths))]
    tokens = torch.arange(2.0 * sum(lengths)).view(-1, 2)
    rows = [tokens[starts[row] : starts[row] + lengths[row]] for row in order]
    layout = layout_class(lengths[order], np.array(starts)[order], CPU)
    return layout, tokens, rows


def read(layout, x):
    """Tokens in kernel order -> the rows as a list."""
    flat = x.reshape(layout.size, -1)[torch.from_numpy(layout.positions)]
    return list(flat.split(layout.lengths.tolist()))


def assert_rows_equal(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert torch.equal(one, other)


@given(row_lengths)
@settings(max_examples=50)
def test_padded_gather_is_a_grid_that_repeats_each_rows_last_token(lengths):
    layout, tokens, rows = make(Padded, lengths)
    grid = layout.gather(tokens)
    assert grid.shape == (max(lengths), len(lengths), 2)
    for column, row in enumerate(rows):
        for step in range(max(lengths)):
            assert torch.equal(grid[step, column], row[min(step, len(row) - 1)])


@given(row_lengths)
@settings(max_examples=50)
def test_packed_gather_is_torchs_packed_sequence(lengths):
    layout, tokens, rows = make(Packed, lengths)
    packed = pack_padded_sequence(pad_sequence(rows), [len(row) for row in rows])
    assert torch.equal(layout.gather(tokens), packed.data)
    assert torch.equal(layout.batch_sizes, packed.batch_sizes)


@pytest.mark.parametrize("layout_class", LAYOUTS)
@given(lengths=row_lengths)
@settings(max_examples=50)
def test_positions_undo_gather(layout_class, lengths):
    layout, tokens, rows = make(layout_class, lengths)
    assert_rows_equal(read(layout, layout.gather(tokens)), rows)


@pytest.mark.parametrize("layout_class", LAYOUTS)
@given(lengths=row_lengths)
@settings(max_examples=50)
def test_reverse_flips_each_row_within_its_length(layout_class, lengths):
    layout, tokens, rows = make(layout_class, lengths)
    gathered = layout.gather(tokens)
    reversed_once = layout.reverse(gathered)
    assert_rows_equal(read(layout, reversed_once), [row.flip(0) for row in rows])
    assert torch.equal(layout.reverse(reversed_once), gathered)


@pytest.mark.parametrize("layout_class", LAYOUTS)
@given(lengths=row_lengths)
@settings(max_examples=50)
def test_broadcast_gives_each_token_the_vector_of_its_row(layout_class, lengths):
    layout, tokens, rows = make(layout_class, lengths)
    vectors = torch.arange(2.0 * len(lengths)).view(-1, 2)
    spread = layout.broadcast(vectors) + torch.zeros_like(layout.gather(tokens))
    expected = [vector.expand(len(row), 2) for vector, row in zip(vectors, rows, strict=True)]
    assert_rows_equal(read(layout, spread), expected)


@pytest.mark.parametrize("layout_class", LAYOUTS)
def test_a_layout_of_some_rows_reads_no_others(layout_class):
    tokens = torch.arange(6.0).view(-1, 1)  # rows: 0 | 1 2 3 | 4 5
    layout = layout_class(np.array([2, 1]), np.array([4, 0]), CPU)
    rows = read(layout, layout.gather(tokens))
    assert [row.flatten().tolist() for row in rows] == [[4.0, 5.0], [0.0]]


def test_offsets():
    assert offsets(np.array([2, 0, 3])).tolist() == [0, 2, 2]


def padded_cost(groups, overhead):
    """The cost of padded groups of row lengths: steps x (rows + overhead)."""
    return sum(max(group) * (len(group) + overhead) for group in groups)


def cheapest(lengths, overhead):
    """The lowest cost of all ways to cut the sorted rows into contiguous groups."""
    rows = sorted((n for n in lengths if n), reverse=True)
    cuts = (c for k in range(len(rows)) for c in combinations(range(1, len(rows)), k))
    partitions = (
        [rows[i:j] for i, j in zip((0, *cut), (*cut, len(rows)), strict=True)] for cut in cuts
    )
    return min((padded_cost(groups, overhead) for groups in partitions), default=0.0)


@given(any_lengths, st.floats(0, 30))
@settings(max_examples=200)
def test_group_by_length_costs_the_least(lengths, overhead):
    lengths = np.array(lengths, dtype="int64")
    groups = [lengths[group].tolist() for group in group_by_length(lengths, overhead)]
    assert padded_cost(groups, overhead) == pytest.approx(cheapest(lengths.tolist(), overhead))


@pytest.mark.parametrize(
    ("lengths", "overhead", "expected"),
    [
        ([1, 100], 1.0, [[1], [0]]),  # 100 x 2 + 1 x 2 < 100 x 3
        ([1, 100], 200.0, [[1, 0]]),  # 100 x 202 < 100 x 201 + 1 x 201
        ([0, 7, 0, 7], 0.0, [[1, 3]]),
        ([0, 0], 1.0, []),
        ([], 1.0, []),
    ],
)
def test_group_by_length_worked_examples(lengths, overhead, expected):
    groups = group_by_length(np.array(lengths, dtype="int64"), overhead)
    assert [group.tolist() for group in groups] == expected


@given(any_lengths, st.floats(0, 30))
@settings(max_examples=100)
def test_group_by_length_covers_each_row_once_longest_first(lengths, overhead):
    groups = group_by_length(np.array(lengths, dtype="int64"), overhead)
    rows = [row for group in groups for row in group.tolist()]
    assert sorted(rows) == [row for row, n in enumerate(lengths) if n]
    assert [lengths[row] for row in rows] == sorted((n for n in lengths if n), reverse=True)


@given(any_lengths)
@settings(max_examples=100)
def test_group_by_equal_length(lengths):
    groups = group_by_equal_length(np.array(lengths, dtype="int64"))
    expected = [
        [row for row, n in enumerate(lengths) if n == length]
        for length in sorted(set(lengths) - {0}, reverse=True)
    ]
    assert [group.tolist() for group in groups] == expected


@pytest.mark.parametrize("layout_class", [Padded, Packed])
def test_gather_takes_the_rows_that_tokens_index(layout_class):
    layout = layout_class(np.array([3, 1]), np.array([0, 3]), torch.device("cpu"))
    words = torch.randn(5, 2)
    tokens = torch.tensor([4, 0, 4, 2])
    assert torch.equal(layout.gather(words, tokens), layout.gather(words[tokens]))


def test_padded_rows_in_a_grid_of_more_steps():
    layout = Padded(np.array([2, 1]), np.array([0, 2]), CPU, steps=4)
    grid = layout.gather(torch.arange(3.0).unsqueeze(1)).squeeze(2)
    assert grid.T.tolist() == [[0, 1, 1, 1], [2, 2, 2, 2]]
    turned = layout.reverse(torch.arange(8.0).view(4, 2, 1)).squeeze(2)
    assert turned.T.tolist() == [[2, 0, 4, 6], [1, 3, 5, 7]]
    assert grid.flatten()[torch.from_numpy(layout.positions)].tolist() == [0, 1, 2]


def test_round_up_gives_few_different_numbers_of_steps():
    steps = [round_up(n) for n in range(1, 4097)]
    assert all(n <= rounded <= max(n + 7, n * 9 / 8) for n, rounded in enumerate(steps, 1))
    assert len(set(steps[:64])) == 8 and len(set(steps)) == 56
