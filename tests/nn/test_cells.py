"""The recurrent cells in numpy, by the equations in docs/explanation/course.md, compared with
torch's cells, autograd and the encoder: a step, a sequence, each gate and the gradient through
time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.cells import CELLS

LAYOUTS = ["padded", "packed"]
DIRECTIONS = {"forward": [False], "backward": [True], "both": [False, True]}
INPUT, HIDDEN = 4, 5
#: a bias that opens a gate; its negative closes the gate
FAR = 1e3

sizes = st.integers(1, 6)
seeds = st.integers(0, 99)


def sigmoid(a):
    return (1 + np.tanh(a / 2)) / 2


def by_gate(n, weights):
    """The weights and biases of each of n gates: W_i, W_h, b_i, b_h."""
    return list(zip(*(np.split(weight, n) for weight in weights), strict=True))


def inside(gate, x, h):
    w_i, w_h, b_i, b_h = gate
    return w_i @ x + b_i + w_h @ h + b_h


def elman_tanh(x, state, weights):
    (h,) = state
    return [np.tanh(inside(weights, x, h))]


def elman_relu(x, state, weights):
    (h,) = state
    return [np.maximum(0, inside(weights, x, h))]


def gru(x, state, weights):
    (h,) = state
    r, z, (w_in, w_hn, b_in, b_hn) = by_gate(3, weights)
    r, z = sigmoid(inside(r, x, h)), sigmoid(inside(z, x, h))
    n = np.tanh(w_in @ x + b_in + r * (w_hn @ h + b_hn))
    return [(1 - z) * n + z * h]


def lstm(x, state, weights):
    h, c = state
    i, f, g, o = (inside(gate, x, h) for gate in by_gate(4, weights))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


STEPS = {"rnn_tanh": elman_tanh, "rnn_relu": elman_relu, "gru": gru, "lstm": lstm}
N_STATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 1, "lstm": 2}


def run(cell, xs, weights):
    """The hidden states (T, H) of a sequence (T, D) that is read from left to right."""
    hidden_size = weights[1].shape[1]
    state, states = np.zeros((N_STATES[cell], hidden_size)), []
    for x in xs:
        state = STEPS[cell](x, state, weights)
        states.append(state[0])
    return np.reshape(states, (len(xs), hidden_size))


def make_cell(cell, input_size, hidden_size):
    """One of torch's cells. All of its weights and biases are random."""
    if cell.startswith("rnn_"):
        return nn.RNNCell(input_size, hidden_size, nonlinearity=cell[4:])
    return {"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](input_size, hidden_size)


def make_encoder(cell, direction="forward", hidden_size=HIDDEN):
    """An encoder of one layer, with the weights of one of torch's cells in each direction."""
    encoder = RNNEncoder(cell=cell, direction=direction, hidden_size=hidden_size, depth=1).module(
        INPUT
    )
    for weights in encoder.layers[0].all_weights:
        others = make_cell(cell, INPUT, hidden_size).parameters()
        for weight, other in zip(weights, others, strict=True):
            weight.data.copy_(other)
    return encoder.eval()


def arrays(tensors):
    return [tensor.detach().double().numpy() for tensor in tensors]


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


# A step and a sequence


@pytest.mark.parametrize("cell", STEPS)
@given(input_size=sizes, hidden_size=sizes, seed=seeds)
@settings(max_examples=20)
def test_a_step_equals_that_of_torch(cell, input_size, hidden_size, seed):
    torch.manual_seed(seed)
    module = make_cell(cell, input_size, hidden_size)
    x, state = torch.randn(input_size), torch.randn(N_STATES[cell], hidden_size)
    found = module(x, tuple(state) if cell == "lstm" else state[0])
    expected = STEPS[cell](*arrays([x, state]), arrays(module.parameters()))
    assert_close(torch.stack(found if cell == "lstm" else [found]).detach(), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", STEPS)
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4), seed=seeds)
@settings(max_examples=5)
def test_sequences_equal_those_of_the_encoder(cell, direction, layout, lengths, seed):
    torch.manual_seed(seed)
    encoder = make_encoder(cell, direction)
    encoder.layout = layout
    x = torch.randn(sum(lengths), INPUT)
    found = encoder(x, torch.tensor(lengths)).detach()
    for row, states in zip(x.split(lengths), found.split(lengths), strict=True):
        parts = []
        for weights, flip in zip(encoder.layers[0].all_weights, DIRECTIONS[direction], strict=True):
            order = slice(None, None, -1 if flip else 1)
            parts.append(run(cell, row.double().numpy()[order], arrays(weights))[order])
        assert_close(states, np.concatenate(parts, axis=1))


# Gates: an encoder makes one step from a random state, with some of its gates forced open or closed


def step(cell, **biases):
    """The vector that one step reads, the states before and after the step, and the weights of each
    gate."""
    torch.manual_seed(0)
    encoder = make_encoder(cell).double()
    weights = encoder.layers[0].all_weights[0]
    places = {gate: slice(k * HIDDEN, (k + 1) * HIDDEN) for k, gate in enumerate(CELLS[cell].gates)}
    for gate, bias in biases.items():
        weights[2].data[places[gate]] = bias
    x = torch.randn(1, INPUT).double()
    before = torch.randn(encoder.state_size(1)).double()
    _, after = encoder.forward_stateful(x, torch.tensor([1]), state=before)
    gates = {gate: [array[place] for array in arrays(weights)] for gate, place in places.items()}
    return (*arrays([x[0], before[:, 0, 0], after[:, 0, 0]]), gates)


def test_a_closed_forget_gate_resets_the_state():
    x, (h, _), (_, c), gates = step("lstm", f=-FAR, i=FAR)
    assert_close(c, np.tanh(inside(gates["g"], x, h)))


def test_an_open_forget_gate_keeps_the_state():
    _, (_, before), (_, c), _ = step("lstm", f=FAR, i=-FAR)
    assert_close(c, before)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_candidate_lies_between_minus_one_and_one(sign):
    _, (_, before), (_, c), _ = step("lstm", f=FAR, i=FAR, g=sign * FAR)
    assert_close(c, before + sign)


@pytest.mark.parametrize("share", [0, 1])
def test_the_output_gate_hides_the_state_or_shows_it(share):
    _, _, (h, c), _ = step("lstm", o=FAR if share else -FAR)
    assert_close(h, share * np.tanh(c))


def test_an_open_update_gate_keeps_the_state_of_a_gru():
    _, (before,), (h,), _ = step("gru", z=FAR)
    assert_close(h, before)


@pytest.mark.parametrize("share", [0, 1])
def test_the_reset_gate_scales_the_product_with_the_state_and_its_bias(share):
    x, (before,), (h,), gates = step("gru", z=-FAR, r=FAR if share else -FAR)
    w_in, w_hn, b_in, b_hn = gates["n"]
    assert_close(h, np.tanh(w_in @ x + b_in + share * (w_hn @ before + b_hn)))


# Back-propagation through time


def gradient_by_hand(xs, d_states, weights, window):
    """The gradient of W_hh of an Elman network, truncated at the end of each window. The direct
    gradient of the loss with respect to h_t is d_states[t]."""
    _, w_hh, _, _ = weights
    states = run("rnn_tanh", xs, weights)
    before = np.concatenate([np.zeros_like(states[:1]), states[:-1]])
    total, delta = np.zeros_like(w_hh), np.zeros(len(w_hh))
    for t in reversed(range(len(xs))):
        ends = (t + 1) % window == 0
        from_next = 0.0 if ends else w_hh.T @ delta
        delta = (1 - states[t] ** 2) * (d_states[t] + from_next)
        total += np.outer(delta, before[t])
    return total


@given(n_steps=st.integers(1, 9), window=st.integers(1, 10), hidden_size=sizes, seed=seeds)
@settings(max_examples=40)
def test_back_propagation_through_time(n_steps, window, hidden_size, seed):
    """Both of the whole sequence and truncated: the state is carried to the next window without its
    gradient, as on streams."""
    torch.manual_seed(seed)
    encoder = make_encoder("rnn_tanh", hidden_size=hidden_size).double()
    x, d_states = torch.randn(n_steps, INPUT).double(), torch.randn(n_steps, hidden_size).double()
    weights = encoder.layers[0].all_weights[0]
    by_hand = [
        gradient_by_hand(*arrays([x, d_states]), arrays(weights), cut) for cut in (n_steps, window)
    ]

    (encoder(x, torch.tensor([n_steps])) * d_states).sum().backward()
    assert_close(weights[1].grad, by_hand[0])

    encoder.zero_grad()
    state = None
    for part, d_part in zip(x.split(window), d_states.split(window), strict=True):
        states, state = encoder.forward_stateful(part, torch.tensor([len(part)]), state=state)
        (states * d_part).sum().backward()
        state = state.detach()
    assert_close(weights[1].grad, by_hand[1])
