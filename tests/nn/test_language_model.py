"""The language model compared with torch's cells in double precision, unit by unit."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.dropout import set_dropout_rate
from spacy_rnn.nn.language_model import LanguageModel, language_loss

N_UNITS, E, H = 11, 4, 5
CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm"]
every_cell = pytest.mark.parametrize("cell", CELLS)
#: output layers: tied with or without a projection, or untied; with a full or an adaptive softmax
OUTPUTS = {
    "projected": {},
    "tied": {"hidden_size": E},
    "untied": {"tied": False},
    "adaptive": {"tied": False, "cutoffs": [3, 7]},
    "adaptive_projected": {"cutoffs": [3, 7]},
    "adaptive_tied": {"hidden_size": E, "cutoffs": [3, 7]},
}
every_output = pytest.mark.parametrize("output", OUTPUTS)
some_lengths = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def make(cell="lstm", hidden_size=16, depth=1, seed=0, dtype=torch.float64, **options):
    """A model in which no weight has a value that hides a mistake, such as 0."""
    torch.manual_seed(seed)
    encoder = RNNEncoder(cell=cell, direction="forward", hidden_size=hidden_size, depth=depth)
    model = LanguageModel(N_UNITS, E, encoder.module(E), **options).to(dtype).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def make_with(output, **options):
    return make(**OUTPUTS[output], **options)


def random_rows(lengths, seed=1):
    """The input units of each row, and its target units."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(N_UNITS, (n + 1,), generator=generator) for n in lengths]
    return [row[:-1] for row in rows], [row[1:] for row in rows]


def flat(rows):
    return torch.cat(list(rows))


# The oracle


def cells_of(encoder):
    """torch's cells, which share the weights of the layers."""
    cells = []
    for layer in encoder.layers:
        classes = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}
        options = {} if encoder.cell in classes else {"nonlinearity": encoder.cell[4:]}
        cell = classes.get(encoder.cell, nn.RNNCell)(layer.input_size, layer.hidden_size, **options)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(cell, name, getattr(layer, name + "_l0"))
        cells.append(cell)
    return cells


def log_softmax(scores):
    return scores - scores.exp().sum(-1, keepdim=True).log()


def distribution(model, h):
    """The log-probabilities of all units after a state (H,)."""
    if model.project is not None:
        h = model.project.weight @ h + model.project.bias
    if hasattr(model.output, "linear"):
        return log_softmax(model.output.linear.weight @ h + model.output.linear.bias)
    # First the frequent units and the clusters, then the units of each cluster.
    clusters = model.output
    if clusters.head.in_features == model.embedding.embedding_dim:
        table = model.embedding.weight
        in_head = torch.cat([table[:3], clusters.head.own])
        weights = [table[3:7], table[7:]]
        read = [h, h]
    else:
        in_head = clusters.head.weight
        weights = [layer.weight for layer in clusters.tail]
        read = [layer.weight @ h for layer in clusters.narrow]
    head = log_softmax(in_head @ h + clusters.head.bias)
    parts = [head[:3]]
    for i, (weight, x) in enumerate(zip(weights, read, strict=True)):
        parts.append(head[3 + i] + log_softmax(weight @ x + clusters.tail[i].bias))
    return torch.cat(parts)


def oracle(model, units, state=None):
    """Read one row unit by unit. state: (S, depth, H).

    Returns the log-probabilities of the next unit after each unit (n, V), the states of the last
    layer, and the final hidden (and cell) state of each layer.
    """
    cells = cells_of(model.encoder)
    size = model.encoder.hidden_size
    zeros = torch.zeros(1, size, dtype=torch.float64)
    kept = []
    for k in range(len(cells)):
        parts = [zeros] * 2 if state is None else [part[k].unsqueeze(0) for part in state]
        kept.append(tuple(parts) if model.encoder.cell == "lstm" else parts[0])
    found, outputs = [], []
    for unit in units:
        x = model.embedding.weight[unit].unsqueeze(0)
        for k, cell in enumerate(cells):
            kept[k] = cell(x, kept[k])
            x = kept[k][0] if isinstance(kept[k], tuple) else kept[k]
        outputs.append(x[0])
        found.append(distribution(model, x[0]))
    final = [torch.cat(s if isinstance(s, tuple) else (s,)) for s in kept]
    return torch.stack(found), torch.stack(outputs), torch.stack(final, dim=1)


def oracle_log_p(model, inputs, targets, states=None):
    """The log-probabilities of all targets, row by row."""
    states = [None] * len(inputs) if states is None else states
    return torch.cat([
        oracle(model, row, state)[0].gather(1, target.unsqueeze(1)).squeeze(1)
        for row, target, state in zip(inputs, targets, states, strict=True)
    ])  # fmt: skip


def loss_of(model, inputs, targets, state, only_longest=False, **options):
    lengths = torch.tensor([len(row) for row in inputs])
    read = model(flat(inputs), lengths, state, only_longest)
    loss = language_loss(model, read.states, flat(targets), lengths.numpy(), **options)
    return loss, read


def gradients(loss, model):
    return torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)


def assert_close(actual, expected, tolerance=1e-10):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


# Reading


@every_output
@every_cell
def test_log_prob_sums_the_log_probabilities_of_units(output, cell):
    """Given the vectors of the units before them."""
    model = make_with(output, cell=cell, depth=2)
    inputs, targets = random_rows([6])
    expected = oracle_log_p(model, inputs, targets)
    vectors = model.embedding_matrix()[inputs[0]].expand(2, -1, -1)
    for n in (0, 1, 3, 6):
        found = model.log_prob(vectors, model.initial_state(2), targets[0][6 - n :])
        assert_close(found, expected[6 - n :].sum().expand(2))


@every_output
@every_cell
@pytest.mark.parametrize("depth", [1, 2])
def test_loss_probabilities_and_gradients_equal_those_of_torchs_cells(output, cell, depth):
    model = make_with(output, cell=cell, depth=depth)
    inputs, targets = random_rows([3, 5, 1, 9])
    assert {0, 3, 8} <= set(flat(targets).tolist())  # units of all clusters
    expected = oracle_log_p(model, inputs, targets)
    loss, read = loss_of(model, inputs, targets, model.initial_state(4))
    assert_close(loss, -expected.sum())
    found = gradients(loss, model)
    for actual, of_oracle in zip(found, gradients(-expected.sum(), model), strict=True):
        assert actual.abs().sum() > 0
        assert_close(actual, of_oracle)
    assert_close(model.output.log_probabilities(read.states, flat(targets)), expected.detach())
    for row, final in zip(inputs, read.final.unbind(2), strict=True):
        assert_close(final, oracle(model, row)[2])


@every_output
def test_single_precision_is_close_to_double(output):
    model = make_with(output, dtype=torch.float32)
    inputs, targets = random_rows([6, 2])
    loss, read = loss_of(model, inputs, targets, model.initial_state(2))
    assert loss.dtype == read.states.dtype == torch.float32
    log_p = model.output.log_probabilities(read.states, flat(targets))
    expected = oracle_log_p(model.double(), inputs, targets)
    assert_close(loss.double(), -expected.sum(), 1e-5)
    assert_close(log_p.double(), expected, 1e-5)


@every_output
@every_cell
def test_probabilities_sum_to_one(output, cell):
    model = make_with(output, cell=cell)
    inputs, _ = random_rows([4, 2])
    read = model(flat(inputs), torch.tensor([4, 2]), model.initial_state(2))
    every = torch.stack([
        model.output.log_probabilities(read.states, torch.full((6,), unit))
        for unit in range(N_UNITS)
    ], dim=1)  # fmt: skip
    assert_close(every.exp().sum(1), torch.ones(6, dtype=torch.float64))
    # The scores that a search reads differ from these only by a constant.
    assert_close(model.output(read.states).log_softmax(1), every)


@every_cell
@given(lengths=some_lengths, data=st.data())
@settings(max_examples=10)
def test_windows_give_the_same_as_the_whole_sequence(cell, lengths, data):
    """The loss and the log-probability of each unit, with rows cut at any place and the state
    carried from the first window to the second."""
    model = make(cell, depth=2)
    inputs, targets = random_rows(lengths)
    whole, read = loss_of(model, inputs, targets, model.initial_state(len(lengths)))
    log_p = model.output.log_probabilities(read.states, flat(targets)).split(lengths)
    cuts = [data.draw(st.integers(0, n)) for n in lengths]
    first, second = (
        [[row[part] for row, part in zip(rows, parts, strict=True)] for rows in (inputs, targets)]
        for parts in ([slice(cut) for cut in cuts], [slice(cut, None) for cut in cuts])
    )
    loss_1, read_1 = loss_of(model, *first, model.initial_state(len(lengths)))
    loss_2, read_2 = loss_of(model, *second, read_1.final)
    assert_close(loss_1 + loss_2, whole)
    assert_close(read_2.final, read.final)
    parts = [
        model.output.log_probabilities(r.states, flat(some)).split([len(row) for row in some])
        for r, some in ((read_1, first[1]), (read_2, second[1]))
    ]
    for row, *pair in zip(log_p, *parts, strict=True):
        assert_close(torch.cat(pair), row)


@given(lengths=some_lengths, data=st.data())
@settings(max_examples=20)
def test_a_row_gives_the_same_alone_and_in_any_batch(lengths, data):
    model = make("gru")
    inputs, targets = random_rows(lengths)
    states = torch.randn(model.encoder.state_size(len(lengths)), dtype=torch.float64)
    only_longest = data.draw(st.booleans())
    _, read = loss_of(model, inputs, targets, states, only_longest)
    for i, found in enumerate(read.states.split(lengths)):
        _, alone = loss_of(model, [inputs[i]], [targets[i]], states[:, :, i : i + 1])
        assert_close(found, alone.states)
        if not only_longest or lengths[i] == max(lengths):
            assert_close(read.final[:, :, i : i + 1], alone.final)


def test_later_units_do_not_change_earlier_states():
    model = make(depth=2)
    (units,), _ = random_rows([7])
    other = units.clone()
    other[4] = (units[4] + 1) % N_UNITS
    states, changed = (
        model(row, torch.tensor([7]), model.initial_state(1)).states for row in (units, other)
    )
    assert torch.equal(states[:4], changed[:4])
    assert (states[4:] - changed[4:]).abs().sum(1).min() > 1e-6


def test_no_gradient_flows_through_a_detached_state():
    """Units that occur only before the cut are read in the first window and never predicted. They
    have a gradient only if that of the second window reaches back to the first."""
    model = make("gru", tied=False)
    first, second = [torch.tensor([9, 1])], [torch.tensor([2, 3])]
    targets = [torch.tensor([3, 4])]
    table = model.embedding.weight
    for cut in (False, True):
        state = model(flat(first), torch.tensor([2]), model.initial_state(1)).final
        loss, _ = loss_of(model, second, targets, state.detach() if cut else state)
        (d_table,) = torch.autograd.grad(loss, table)
        reached = d_table.abs().sum(1) > 0
        assert reached[[2, 3]].all()
        assert reached[[9, 1]].tolist() == [not cut] * 2
        assert not reached[[0, 4, 5, 6, 7, 8, 10]].any()


# Losses


def test_activation_and_temporal_regularization_by_hand():
    """Two rows, of 3 and 1 units, with states of width 2. The change from one row to the next does
    not count."""
    model = make(hidden_size=2, tied=False)
    states = torch.tensor([[1.0, 2.0], [0.0, 2.0], [0.0, -1.0], [5.0, 5.0]], dtype=torch.float64)
    targets, lengths = torch.tensor([0, 1, 2, 3]), np.array([3, 1])
    plain = language_loss(model, states, targets, lengths)
    assert_close(plain, -sum(distribution(model, h)[t] for t, h in enumerate(states)))
    with_both = language_loss(model, states, targets, lengths, 0.5, 2.0)
    squares = 1 + 4 + 0 + 4 + 0 + 1 + 25 + 25
    changes = (1 + 0) + (0 + 9)
    expected = 4 * 0.5 * squares / 8 + 4 * 2.0 * changes / 4
    assert (with_both - plain).item() == pytest.approx(expected)
    only = [language_loss(model, states, targets, lengths, *x) for x in ((0.5, 0), (0, 2.0))]
    assert (only[0] - plain).item() == pytest.approx(4 * 0.5 * squares / 8)
    assert (only[1] - plain).item() == pytest.approx(4 * 2.0 * changes / 4)


def test_rows_of_one_unit_have_no_temporal_regularization():
    model = make(hidden_size=2, tied=False)
    states = torch.randn(3, 2, dtype=torch.float64)
    targets, lengths = torch.tensor([0, 1, 2]), np.array([1, 1, 1])
    plain = language_loss(model, states, targets, lengths)
    assert language_loss(model, states, targets, lengths, temporal=9.0) == plain


@given(lengths=some_lengths, activation=st.floats(0, 3), temporal=st.floats(0, 3))
@settings(max_examples=20)
def test_regularization_equals_its_formula(lengths, activation, temporal):
    model = make("gru", hidden_size=3, tied=False)
    states = torch.randn(sum(lengths), 3, dtype=torch.float64, requires_grad=True)
    targets = torch.zeros(sum(lengths), dtype=torch.int64)
    plain, loss = (
        language_loss(model, states, targets, np.array(lengths), *weights)
        for weights in ((), (activation, temporal))
    )
    rows = states.detach().numpy()
    changes = [np.diff(part, axis=0) for part in np.split(rows, np.cumsum(lengths)[:-1])]
    changes = np.concatenate(changes)
    expected = activation * (rows**2).mean()
    expected += temporal * (changes**2).mean() if len(changes) else 0.0
    assert (loss - plain).item() == pytest.approx(len(rows) * expected)
    assert torch.isfinite(torch.autograd.grad(loss, states)[0]).all()


@every_output
def test_the_loss_of_half_precision_is_in_single_precision(output):
    """The states that are carried from window to window are in single precision, too."""
    model = make_with(output, dtype=torch.float32)
    inputs, targets = random_rows([5, 5, 2])
    expected = -oracle_log_p(copy.deepcopy(model).double(), inputs, targets)
    with torch.autocast("cpu", torch.bfloat16):
        loss, read = loss_of(model, inputs, targets, model.initial_state(3), only_longest=True)
        log_p = model.output.log_probabilities(read.states, flat(targets))
        again, _ = loss_of(model, inputs, targets, read.final)
    assert read.final.dtype == loss.dtype == log_p.dtype == torch.float32
    assert_close(log_p.sum(), -loss, 1e-5)
    assert loss.item() == pytest.approx(expected.sum().item(), rel=0.03)
    assert torch.isfinite(again)
    assert all(torch.isfinite(g).all() for g in gradients(loss, model))


# Embedding and output layer


def test_dropout_of_the_embedding_drops_units():
    """A training step drops whole vectors, at every position of the unit; the output layer uses all
    vectors."""
    model = make(hidden_size=E, embedding_dropout=0.25).train()
    weight = model.embedding.weight
    tables = [model.embedding_matrix() for _ in range(400)]
    for table in tables[:20]:
        kept = table.abs().sum(1) > 0
        assert_close(table, weight * kept.unsqueeze(1) / 0.75)
    share = torch.stack([(table == 0).all(1) for table in tables]).double().mean()
    assert share.item() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / (400 * N_UNITS)))
    assert not torch.equal(tables[0], tables[1])
    torch.manual_seed(5)
    read = model(torch.tensor([1, 2, 1, 2]), torch.tensor([4]), model.initial_state(1))
    torch.manual_seed(5)
    vectors = model.embedding_matrix()[[1, 2, 1, 2]]
    expected, _ = model.encoder.forward_stateful(vectors, torch.tensor([4]))
    assert_close(read.states, expected)
    assert model.output.linear.weight is weight


@pytest.mark.parametrize("rate, training", [(0.5, False), (0.0, True)])
def test_nothing_of_the_embedding_is_dropped_in_evaluation_or_at_rate_zero(rate, training):
    model = make(embedding_dropout=rate).train(training)
    assert model.embedding_matrix() is model.embedding.weight


def test_locked_dropout_acts_in_training_only():
    model = make().train()
    set_dropout_rate(model, 0.5)
    (units,), _ = random_rows([6])
    first, second = (
        model(units, torch.tensor([6]), model.initial_state(1)).states for _ in range(2)
    )
    assert not torch.equal(first, second)
    model.eval()
    first, second = (
        model(units, torch.tensor([6]), model.initial_state(1)).states for _ in range(2)
    )
    assert torch.equal(first, second)


def test_tied_weights():
    """With a projection if the widths differ, otherwise without one."""
    tied, projected, untied = (make_with(name) for name in ("tied", "projected", "untied"))
    for model in (tied, projected):
        assert model.output.linear.weight is model.embedding.weight
    assert tied.project is untied.project is None
    assert projected.project.weight.shape == (E, 16)
    assert untied.output.linear.weight is not untied.embedding.weight
    assert untied.output.linear.weight.shape == (N_UNITS, 16)
    for model, width in ((projected, E), (untied, 16)):
        read = model(torch.tensor([1, 2, 3]), torch.tensor([3]), model.initial_state(1))
        assert read.states.shape == (3, width)


def test_the_adaptive_softmax_equals_torchs():
    """torch's has no biases in its clusters."""
    model = make_with("adaptive")
    ours = model.output
    torchs = nn.AdaptiveLogSoftmaxWithLoss(16, N_UNITS, [3, 7], head_bias=True).double()
    assert ours.cutoffs == torchs.cutoffs
    torchs.head.load_state_dict(ours.head.state_dict())
    for narrow, layer, (torchs_narrow, torchs_layer) in zip(
        ours.narrow, ours.tail, torchs.tail, strict=True
    ):
        nn.init.zeros_(layer.bias)
        torchs_narrow.load_state_dict(narrow.state_dict())
        torchs_layer.weight = layer.weight
    states, targets = torch.randn(N_UNITS, 16, dtype=torch.float64), torch.arange(N_UNITS)
    every = torchs.log_prob(states)
    assert_close(ours(states), every)
    assert_close(ours.log_probabilities(states, targets), torchs(states, targets).output)
    assert_close(ours.loss(states, targets), -every.diagonal().sum())
    one = ours.log_probabilities(states[:1], targets[:1])
    assert_close(one, every[:1, 0])


def test_a_tied_adaptive_softmax_shares_the_rows_of_the_embedding():
    """They are saved once, and a change of the embedding changes the output."""
    model = make_with("adaptive_tied")
    table, output = model.embedding.weight, model.output
    assert all(layer.table is table for layer in (output.head, *output.tail))
    states = torch.randn(3, E, dtype=torch.float64)
    before = output(states)
    with torch.no_grad():
        table[8] += 1.0
    changed = (output(states) - before).abs().sum(0) > 1e-9
    assert changed.tolist() == [False] * 7 + [True] * 4


# Conditions of documents


@every_cell
def test_a_condition_sets_the_initial_state_of_a_document(cell):
    """The state is a layer with tanh of the condition, the same layer for each row."""
    model = make(cell, depth=2, condition_size=3)
    vectors = torch.randn(4, 3, dtype=torch.float64)
    state = model.initial_state(4, vectors)
    n_states, depth, _, hidden = model.encoder.state_size(4)
    assert state.shape == (n_states, depth, 4, hidden)
    for row, vector in enumerate(vectors):
        layer = torch.tanh(model.condition.weight @ vector + model.condition.bias)
        assert_close(state[:, :, row], layer.view(n_states, depth, hidden))
    inputs, targets = random_rows([3, 2, 1, 3])
    loss, _ = loss_of(model, inputs, targets, state)
    expected = -oracle_log_p(model, inputs, targets, state.unbind(2)).sum()
    assert_close(loss, expected)
    found, of_oracle = (
        torch.autograd.grad(x, model.condition.weight, retain_graph=True)[0]
        for x in (loss, expected)
    )
    assert found.abs().min() > 0
    assert_close(found, of_oracle)
    same = model.initial_state(4, vectors.float())
    assert same.dtype == torch.float64
    assert_close(same, state, 1e-6)


@pytest.mark.parametrize("condition_size", [0, 3])
def test_without_a_condition_the_state_is_zeros(condition_size):
    model = make(depth=2, condition_size=condition_size)
    state = model.initial_state(4)
    assert state.shape == (2, 2, 4, 16) and not state.any()
    assert state.dtype == torch.float64
    assert (model.condition is None) == (condition_size == 0)


def test_a_language_model_needs_a_forward_encoder():
    for direction in ("backward", "both"):
        with pytest.raises(ValueError, match=f"got '{direction}'.*reverse"):
            LanguageModel(5, 3, RNNEncoder(direction=direction).module(3))
