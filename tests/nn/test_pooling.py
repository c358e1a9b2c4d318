"""Pooling compared with each sequence alone in float64, and windows with the whole sequence."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.layout import FlatBatch
from spacy_rnn.nn.pooling import PooledEncoder, Pooling
from spacy_rnn.nn.segments import segment_max, segment_sum, sequence_of

WAYS = ["last", "mean", "max", "attention"]
DIRECTIONS = ["forward", "backward", "both"]
LENGTHS = [3, 0, 7, 1, 3, 5]
SIZE, HIDDEN = 6, 4

some_lengths = st.lists(st.integers(0, 8), min_size=1, max_size=6)
some_ways = st.permutations(WAYS).flatmap(
    lambda ways: st.integers(1, 4).map(lambda n: tuple(ways[:n]))
)


def make(ways=WAYS, direction="both", std=0.5):
    """A pooling in which no weight has a value that hides a mistake, such as 0."""
    torch.manual_seed(0)
    pooling = Pooling(SIZE, direction, ways, HIDDEN)
    for parameter in pooling.parameters():
        nn.init.normal_(parameter, std=std)
    return pooling


def make_states(lengths, scale=1.0):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(sum(lengths), SIZE, generator=generator) * scale


def weights_of(attention):
    """float64 copies of the weights, with gradients."""
    return {name: p.detach().double().requires_grad_() for name, p in attention.named_parameters()}


def pool_alone(way, x, direction="both", weights=None):
    """Pool one sequence (n, size) in one way, in float64."""
    if not len(x):
        return torch.zeros(SIZE, dtype=torch.float64)
    if way == "last":
        half = {"forward": SIZE, "backward": 0, "both": SIZE // 2}[direction]
        return torch.cat([x[-1, :half], x[0, half:]])
    if way == "mean":
        return x.sum(0) / len(x)
    if way == "max":
        return torch.stack([column.max() for column in x.T])
    scores = [
        weights["context.weight"][0]
        @ torch.tanh(weights["hidden.weight"] @ row + weights["hidden.bias"])
        for row in x
    ]
    exponentials = [(score - max(scores).detach()).exp() for score in scores]
    return sum(e * row for e, row in zip(exponentials, x, strict=True)) / sum(exponentials)


def reference(pooling, x, lengths, direction="both", weights=None, ways=None):
    ways = pooling.ways if ways is None else ways
    if weights is None and "attention" in ways:
        weights = weights_of(pooling.ways["attention"])
    rows = [
        torch.cat([pool_alone(way, row, direction, weights) for way in ways])
        for row in x.double().split(lengths)
    ]
    return torch.stack(rows)


def assert_close(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected.float(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("way", WAYS)
@given(lengths=some_lengths)
@settings(max_examples=15)
def test_equals_each_sequence_alone_in_float64(way, direction, lengths):
    pooling, x = make([way], direction), make_states(lengths)
    y = pooling(x, torch.tensor(lengths))
    assert y.shape == (len(lengths), SIZE) == (len(lengths), pooling.output_size)
    assert_close(y, reference(pooling, x, lengths, direction))


@given(ways=some_ways)
@settings(max_examples=20)
def test_vectors_are_in_the_order_of_the_ways(ways):
    pooling, x = make(ways), make_states(LENGTHS)
    y = pooling(x, torch.tensor(LENGTHS))
    assert y.shape[1] == pooling.output_size == len(ways) * SIZE
    assert_close(y, reference(pooling, x, LENGTHS, ways=ways))


def test_worked_values():
    """The scores of the two tokens are 0 and log 3, so that their weights are 1/4 and 3/4."""
    pooling = Pooling(2, "both", WAYS, 1)
    attention = pooling.ways["attention"]
    with torch.no_grad():
        attention.hidden.weight.copy_(torch.tensor([[1.0, 0.0]]))
        attention.context.weight.fill_(2 * math.log(3))
    b = math.atanh(0.5)
    y = pooling(torch.tensor([[0.0, 8.0], [b, 4.0]]), torch.tensor([2]))
    last, mean, largest, weighted = [b, 8.0], [b / 2, 6.0], [b, 8.0], [0.75 * b, 5.0]
    assert y.tolist() == [pytest.approx(last + mean + largest + weighted)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_a_batch_without_tokens_is_zeros(way, lengths):
    pooling = make([way])
    x = torch.zeros(0, SIZE, requires_grad=True)
    y = pooling(x, torch.tensor(lengths, dtype=torch.int64))
    assert torch.equal(y, torch.zeros(len(lengths), SIZE))
    (y.sum() + x.sum()).backward()
    assert all(not p.grad.any() for p in pooling.parameters() if p.grad is not None)


@pytest.mark.parametrize("way", WAYS)
def test_empty_sequences_are_zeros_with_a_finite_gradient(way):
    """All states are below 0, so that a maximum cannot be mistaken for the 0 of an empty
    sequence."""
    lengths = [0, 2, 0, 0, 4, 0]
    pooling, x = make([way]), -make_states(lengths).abs() - 1
    x.requires_grad_()
    y = pooling(x, torch.tensor(lengths))
    assert [bool(row.any()) for row in y] == [n > 0 for n in lengths]
    assert (y <= 0).all()
    (y * torch.randn(y.shape)).sum().backward()
    gradients = [x.grad, *(p.grad for p in pooling.parameters())]
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("values", [7.0, float("nan"), float("inf")])
def test_nothing_leaks_between_sequences(way, values):
    pooling, x = make([way]), make_states(LENGTHS)
    before = pooling(x, torch.tensor(LENGTHS))
    for changed, n in enumerate(LENGTHS):
        rows = list(x.split(LENGTHS))
        rows[changed] = torch.full((n, SIZE), values)
        after = pooling(torch.cat(rows), torch.tensor(LENGTHS))
        for i in range(len(LENGTHS)):
            assert torch.equal(after[i], before[i]) == (i != changed or n == 0)


@given(lengths=st.permutations([0, 1, 2, 2, 4, 8]))
@settings(max_examples=15)
def test_a_vector_has_a_gradient_only_in_its_sequence(lengths):
    pooling = make()
    x = make_states(lengths).requires_grad_()
    y = pooling(x, torch.tensor(lengths))
    for i, n in enumerate(lengths):
        (gradient,) = torch.autograd.grad(y[i].sum(), x, retain_graph=True)
        touched = [bool(row.any()) for row in gradient.split(lengths)]
        assert touched == [j == i and n > 0 for j in range(len(lengths))]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("way", WAYS)
def test_gradients_equal_those_of_each_sequence_alone(way, direction):
    pooling, x = make([way], direction), make_states(LENGTHS).requires_grad_()
    weights = weights_of(pooling.ways[way])
    weighting = torch.linspace(-1, 1, len(LENGTHS) * SIZE).view(-1, SIZE)
    parameters = dict(pooling.ways[way].named_parameters())
    loss = (pooling(x, torch.tensor(LENGTHS)) * weighting).sum()
    gradients = torch.autograd.grad(loss, [x, *parameters.values()])
    loss = (reference(pooling, x, LENGTHS, direction, weights) * weighting).sum()
    expected = torch.autograd.grad(loss, [x, *(weights[name] for name in parameters)])
    for gradient, other in zip(gradients, expected, strict=True):
        assert gradient.abs().max() > 0.01
        assert_close(gradient, other, 1e-4)


# Windows


def cut_in_windows(data, lengths):
    """Random lengths of consecutive windows, and the number of windows of each sequence. An empty
    sequence has one empty window or none; other sequences have no empty windows."""
    windows, counts = [], []
    for n in lengths:
        cuts = data.draw(st.sets(st.integers(1, n - 1))) if n > 1 else set()
        edges = [0, *sorted(cuts), n]
        sizes = [end - start for start, end in zip(edges, edges[1:], strict=False)]
        if n == 0 and data.draw(st.booleans()):
            sizes = []
        windows += sizes
        counts.append(len(sizes))
    return torch.tensor(windows, dtype=torch.int64), torch.tensor(counts, dtype=torch.int64)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("way", WAYS)
@given(lengths=some_lengths, data=st.data(), scale=st.sampled_from([0.1, 1.0, 30.0]))
@settings(max_examples=15)
def test_windows_merge_into_the_whole(way, direction, lengths, data, scale):
    pooling, x = make([way], direction, std=2.0), make_states(lengths, scale)
    windows, counts = cut_in_windows(data, lengths)
    merged = pooling.finish(pooling.merge(pooling.summarize(x, windows), counts))
    tolerance = 1e-5 * max(1.0, scale)
    assert_close(merged, pooling(x, torch.tensor(lengths)), tolerance)
    assert_close(merged, reference(pooling, x, lengths, direction), tolerance)


@given(n=st.integers(2, 12), data=st.data())
@settings(max_examples=20)
def test_merged_windows_can_be_merged_again(n, data):
    pooling, x = make(), make_states([n])
    windows, _ = cut_in_windows(data, [n])
    first = data.draw(st.integers(1, len(windows)))
    parts = torch.tensor([first, len(windows) - first][: 1 + (first < len(windows))])
    halves = pooling.merge(pooling.summarize(x, windows), parts)
    merged = pooling.merge(halves, torch.tensor([len(parts)]))
    assert_close(pooling.finish(merged), pooling(x, torch.tensor([n])))


def test_the_whole_is_not_the_mean_of_its_windows():
    """Otherwise the tests of windows could not tell merged windows from averaged ones."""
    pooling, x = make(), make_states([7])
    windows = torch.tensor([1, 5, 1])
    means = pooling(x, windows).mean(0, keepdim=True)
    whole = pooling(x, torch.tensor([7]))
    for one, other in zip(means.split(SIZE, dim=1), whole.split(SIZE, dim=1), strict=True):
        assert (one - other).abs().max() > 0.01


# Attention


def make_extreme(scores):
    """An attention that gives each token (1, s, ...) the score 1e4 * s, for s of -1, 0 and 1."""
    pooling = make(["attention"])
    attention = pooling.ways["attention"]
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.hidden.weight[0, 1] = 30.0  # its tanh is 1 in float32
        attention.context.weight[0, 0] = 1e4
    x = make_states([len(scores)])
    x[:, 1] = torch.tensor(scores)
    return pooling, x


@pytest.mark.parametrize(
    "scores", [[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [-1.0]]
)
def test_extreme_scores_give_finite_weights(scores):
    """The best tokens share all of the weight, both in one sequence and in windows of one token."""
    pooling, x = make_extreme(scores)
    x.requires_grad_()
    n = len(scores)
    best = torch.tensor([score == max(scores) for score in scores])
    expected = x.detach()[best].mean(0, keepdim=True)
    summaries = pooling.summarize(x, torch.ones(n, dtype=torch.int64))
    for y in (
        pooling(x, torch.tensor([n])),
        pooling.finish(pooling.merge(summaries, torch.tensor([n]))),
    ):
        assert_close(y, expected)
        for gradient in torch.autograd.grad(y.sum(), [x, *pooling.parameters()]):
            assert gradient.isfinite().all()


def test_scores_of_one_sequence_do_not_push_weights_of_another_to_zero():
    """A softmax that subtracts the largest score of the batch would give the second sequence no
    weight."""
    pooling, x = make_extreme([1.0, 1.0, -1.0, -1.0])
    expected = torch.stack([x[:2].mean(0), x[2:].mean(0)])
    assert_close(pooling(x, torch.tensor([2, 2])), expected)


def test_scores_are_those_of_the_formula():
    attention, x = make(["attention"]).ways["attention"], make_states([5])
    weights = weights_of(attention)
    hidden = torch.tanh(x.double() @ weights["hidden.weight"].T + weights["hidden.bias"])
    assert_close(attention.scores(x), hidden @ weights["context.weight"].T)


# Precision, encoders, segments


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_pooling_is_in_float32(dtype):
    """In float16, the mean of 3000 tokens of value 100 would overflow."""
    pooling = make()
    x = torch.full((3000, SIZE), 100.0, dtype=dtype)
    y = pooling(x, torch.tensor([3000]))
    assert y.dtype == torch.float32
    assert_close(y, torch.full((1, 4 * SIZE), 100.0), 1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_last_state_of_an_encoder_equals_torchs_h_n(cell, direction):
    torch.manual_seed(0)
    encoder = RNNEncoder(cell, direction, hidden_size=2, depth=1).module(3).eval()
    size = encoder.output_size
    pooled = PooledEncoder(encoder, Pooling(size, direction, ["last"], HIDDEN))
    assert pooled.output_size == size
    x = torch.randn(sum(LENGTHS), 3)
    y = pooled(FlatBatch(x, torch.tensor(LENGTHS)))
    for row, vector in zip(x.split(LENGTHS), y, strict=True):
        if len(row):
            backward = direction == "backward"
            _, state = encoder.layers[0](row.flip(0) if backward else row)
            h_n = state[0] if cell == "lstm" else state
            assert_close(vector, h_n.flatten())
        else:
            assert not vector.any()


@pytest.mark.parametrize("way", WAYS)
@given(lengths=some_lengths)
@settings(max_examples=10)
def test_a_pooled_encoder_gives_the_same_alone_and_in_any_batch(way, lengths):
    torch.manual_seed(0)
    encoder = RNNEncoder(cell="gru", hidden_size=SIZE // 2, depth=2).module(3).eval()
    pooled = PooledEncoder(encoder, make([way]))
    x = torch.randn(sum(lengths), 3)
    y = pooled(FlatBatch(x, torch.tensor(lengths)))
    for row, n, vector in zip(x.split(lengths), lengths, y, strict=True):
        assert_close(pooled(FlatBatch(row, torch.tensor([n])))[0], vector)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(lengths=st.lists(st.integers(0, 5), max_size=6))
@settings(max_examples=25)
def test_segments_against_loops(dtype, lengths):
    x = make_states(lengths).to(dtype)
    sequences = sequence_of(torch.tensor(lengths, dtype=torch.int64), x.device)
    assert sequences.tolist() == [i for i, n in enumerate(lengths) for _ in range(n)]
    sums = segment_sum(x, sequences, len(lengths))
    maxima = segment_max(x, sequences, len(lengths))
    assert sums.dtype == maxima.dtype == dtype
    assert sums.shape == maxima.shape == (len(lengths), SIZE)
    for row, total, largest in zip(x.split(lengths), sums, maxima, strict=True):
        for column in range(SIZE):
            values = row[:, column].tolist()
            assert total[column].item() == pytest.approx(sum(values), rel=1e-5, abs=1e-6)
            assert largest[column].item() == max(values, default=torch.finfo(dtype).min)


@given(lengths=some_lengths)
@settings(max_examples=20)
def test_the_gradient_of_a_maximum_equals_that_of_scatter_reduce(lengths):
    """Ties included: the rows that attain a maximum share its gradient."""
    torch.manual_seed(0)
    sequences = sequence_of(torch.tensor(lengths, dtype=torch.int64), torch.device("cpu"))
    x = torch.randint(-2, 3, (len(sequences), 3)).double().requires_grad_()
    weights = torch.rand(len(lengths), 3).double()
    gradients = []
    lowest = x.new_full((len(lengths), 3), torch.finfo(x.dtype).min)
    index = sequences.unsqueeze(1).expand_as(x)
    for y in (segment_max(x, sequences, len(lengths)), lowest.scatter_reduce(0, index, x, "amax")):
        gradients.append(torch.autograd.grad((y * weights).sum(), x)[0])
    torch.testing.assert_close(*gradients)
