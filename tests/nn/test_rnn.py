"""The encoder compared, sequence by sequence, with torch's modules, and with a module for a cell
that is added to the table."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_rnn.config.embedding import CharacterRNN
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn import cells
from spacy_rnn.nn.layout import choose_layout
from spacy_rnn.nn.rnn import final_states

from ..helpers.cells import LIGHT, LightGRU, light_gru

RECURRENT = ["rnn_tanh", "rnn_relu", "gru", "lstm", LIGHT]
CELLS = [*RECURRENT, "none"]
DIRECTIONS = ["forward", "backward", "both"]
LAYOUTS = ["padded", "packed"]
LENGTHS = [3, 0, 7, 1, 3, 5]
INPUT, HIDDEN = 4, 5


@pytest.fixture(scope="module", autouse=True)
def added_cell():
    with light_gru():
        yield


some_lengths = st.lists(st.integers(0, 8), min_size=1, max_size=6)


def make(seed=0, input_size=INPUT, **settings):
    """An encoder in which no weight has a value that hides a mistake, such as 0."""
    torch.manual_seed(seed)
    encoder = RNNEncoder(hidden_size=HIDDEN, **settings).module(input_size).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    return encoder


def make_tokens(lengths, size=INPUT, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(sum(lengths), size, generator=generator, dtype=dtype)


def torch_modules(layer, cell):
    """torch's unidirectional modules with the weights of each direction of a layer."""
    module_class = {"lstm": nn.LSTM, "gru": nn.GRU, LIGHT: LightGRU}.get(cell, nn.RNN)
    options = {"nonlinearity": cell[4:]} if module_class is nn.RNN else {}
    weights = layer.state_dict()
    modules = []
    for suffix in ["_l0", "_l0_reverse"] if "weight_ih_l0_reverse" in weights else ["_l0"]:
        weight = weights["weight_ih_l0"]
        module = module_class(weight.shape[1], layer.hidden_size, **options).to(weight.dtype)
        names = [name + "_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        module.load_state_dict({name: weights[name[:-3] + suffix] for name in names})
        modules.append(module)
    return modules


def run_layer(layer, cell, direction, x):
    """One layer over one sequence (n, size): its output and h_n (and c_n) of each direction."""
    if cell == "none":
        return torch.tanh(x @ layer.linear.weight.T + layer.linear.bias), []
    outputs, states = [], []
    backward = {"forward": [False], "backward": [True], "both": [False, True]}[direction]
    for module, flip in zip(torch_modules(layer, cell), backward, strict=True):
        y, state = module(x.flip(0) if flip else x)
        outputs.append(y.flip(0) if flip else y)
        states.append(torch.cat(state if isinstance(state, tuple) else (state,)))
    return torch.cat(outputs, dim=1), states


def run_alone(encoder, x):
    """All layers over one sequence; the states of each layer and direction."""
    states = []
    for layer, norm in zip(encoder.layers, encoder.norms, strict=True):
        y, state = run_layer(layer, encoder.cell, encoder.direction, x)
        if isinstance(norm, nn.LayerNorm):
            centered = y - y.mean(dim=1, keepdim=True)
            y = centered / (centered.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
            y = y * norm.weight + norm.bias
        x = x + y if encoder.residual and x.shape == y.shape else y
        states.append(state)
    return x, states


def reference(encoder, x, lengths):
    rows = [run_alone(encoder, row)[0] for row in x.split(lengths) if len(row)]
    return torch.cat(rows) if rows else x.new_zeros(0, encoder.output_size)


def assert_close(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_equals_torch_sequence_by_sequence(cell, direction, depth, dtype):
    encoder = make(cell=cell, direction=direction, depth=depth).to(dtype)
    x = make_tokens(LENGTHS, dtype=dtype)
    expected = reference(encoder, x, LENGTHS)
    for encoder.layout in [*LAYOUTS, None]:
        y = encoder(x, torch.tensor(LENGTHS))
        assert_close(y, expected, 1e-5 if dtype is torch.float32 else 1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden_size", [HIDDEN, 70])
def test_the_only_sequence_of_a_batch(hidden_size, cell, direction):
    """A sequence of any length, also if its grid has more steps."""
    torch.manual_seed(0)
    config = RNNEncoder(cell=cell, direction=direction, hidden_size=hidden_size, depth=2)
    encoder = config.module(INPUT).eval()
    for n in [1, 2, 7, 8, 9, 20, 150]:
        x = make_tokens([n])
        tokens = torch.randint(n, (n + 1,))
        expected = reference(encoder, x, [n]), reference(encoder, x[tokens], [n + 1])
        for encoder.training in (False, True):
            assert_close(encoder(x, torch.tensor([n])), expected[0])
            assert_close(encoder(x, torch.tensor([n + 1]), tokens), expected[1])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("input_size", [INPUT, 2 * HIDDEN])
def test_residual_and_layer_norm(layout, residual, layer_norm, input_size):
    encoder = make(input_size=input_size, depth=2, residual=residual, layer_norm=layer_norm)
    encoder.layout = layout
    x = make_tokens(LENGTHS, input_size)
    assert_close(encoder(x, torch.tensor(LENGTHS)), reference(encoder, x, LENGTHS))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_both_layouts_equal_those_of_torch(cell, direction, training):
    encoder = make(cell=cell, direction=direction, depth=2).train(training)
    x = make_tokens(LENGTHS).requires_grad_()
    weighting = torch.linspace(-1, 1, sum(LENGTHS) * encoder.output_size)
    weighting = weighting.view(-1, encoder.output_size)
    expected = torch.autograd.grad((reference(encoder, x, LENGTHS) * weighting).sum(), x)[0]
    gradients = []
    for encoder.layout in LAYOUTS:
        loss = (encoder(x, torch.tensor(LENGTHS)) * weighting).sum()
        gradients.append(torch.autograd.grad(loss, [x, *encoder.parameters()]))
        assert_close(gradients[-1][0], expected)
    for padded, packed in zip(*gradients, strict=True):
        assert padded.abs().max() > 0
        assert_close(padded, packed)


@given(
    lengths=some_lengths,
    cell=st.sampled_from(CELLS),
    direction=st.sampled_from(DIRECTIONS),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=60)
def test_a_sequence_gives_the_same_alone_and_in_any_batch(lengths, cell, direction, layout):
    encoder = make(cell=cell, direction=direction, depth=2)
    encoder.layout = layout
    x = make_tokens(lengths)
    y = encoder(x, torch.tensor(lengths))
    for row, n, expected in zip(x.split(lengths), lengths, y.split(lengths), strict=True):
        assert_close(encoder(row, torch.tensor([n])), expected)


@given(lengths=st.permutations([0, 1, 2, 2, 4, 9]), layout=st.sampled_from(LAYOUTS))
@settings(max_examples=30)
def test_the_order_of_sequences_does_not_matter(lengths, layout):
    """All numbers of a sequence of n tokens are n, so that rows can be told apart."""
    encoder = make()
    encoder.layout = layout

    def encode(sizes):
        x = torch.cat([torch.full((n, INPUT), float(n)) for n in sizes])
        return encoder(x, torch.tensor(sizes)).split(sizes)

    in_order = dict(zip(sorted(lengths), encode(sorted(lengths)), strict=True))
    for n, row in zip(lengths, encode(list(lengths)), strict=True):
        assert_close(row, in_order[n])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_a_batch_without_tokens(cell, layout, lengths):
    encoder = make(cell=cell)
    encoder.layout = layout
    y = encoder(torch.zeros(0, INPUT), torch.tensor(lengths, dtype=torch.int64))
    assert y.shape == (0, 2 * HIDDEN)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", CELLS)
@given(lengths=some_lengths, data=st.data())
@settings(max_examples=8)
def test_steps_over_pieces_give_the_same_as_one_pass(cell, direction, lengths, data):
    """Each row is cut in three pieces, some of them empty, and read a piece at a time."""
    encoder = make(cell=cell, direction=direction, depth=2, residual=True, layer_norm=True)
    x = make_tokens(lengths)
    cuts = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in lengths]
    rows = [
        row.split([first, second - first, n - second])
        for row, n, (first, second) in zip(x.split(lengths), lengths, cuts, strict=True)
    ]
    encoded = [[] for _ in lengths]
    state = None
    for piece in [0, 1, 2] if direction == "forward" else [2, 1, 0]:
        pieces = [row[piece] for row in rows]
        sizes = [len(tokens) for tokens in pieces]
        y, state = encoder.forward_stateful(torch.cat(pieces), torch.tensor(sizes), state=state)
        for row, part in zip(encoded, y.split(sizes), strict=True):
            row.insert(piece if direction == "forward" else 0, part)
    together = torch.cat([part for row in encoded for part in row])
    assert_close(together, encoder(x, torch.tensor(lengths)))
    assert_close(together, reference(encoder, x, lengths))


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", RECURRENT)
def test_the_state_after_a_step_equals_torchs_last_state(cell, direction):
    encoder = make(cell=cell, direction=direction, depth=2)
    x = make_tokens(LENGTHS)
    _, state = encoder.forward_stateful(x, torch.tensor(LENGTHS))
    assert state.shape == encoder.state_size(len(LENGTHS))
    for row, tokens in enumerate(x.split(LENGTHS)):
        if not len(tokens):
            assert not state[:, :, row].any()
            continue
        for k, (layer_states,) in enumerate(run_alone(encoder, tokens)[1]):
            assert_close(state[:, k, row], layer_states)


@pytest.mark.parametrize("cell", CELLS)
def test_the_lowest_layers_are_an_encoder(cell):
    encoder = make(cell=cell, direction="forward", depth=3, residual=True, layer_norm=True)
    x, lengths = make_tokens([4, 2]), torch.tensor([4, 2])
    names = [name for name, _ in encoder.named_parameters()]
    state = torch.randn(encoder.state_size(2))
    for depth in (1, 2, 3):
        part = encoder.first_layers(depth)
        alone = make(cell=cell, direction="forward", depth=depth, residual=True, layer_norm=True)
        alone.load_state_dict(part.state_dict())
        assert torch.equal(part(x, lengths), alone(x, lengths))
        assert len(part.layers) == depth and part.layers[0] is encoder.layers[0]
        assert part.forward_stateful(x, lengths, None, state[:, :depth])[1].shape[1] == depth
    assert torch.equal(part(x, lengths), encoder(x, lengths))
    assert [name for name, _ in encoder.named_parameters()] == names


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_without_tokens_keeps_its_state(cell):
    encoder = make(cell=cell, direction="forward")
    before = torch.randn(encoder.state_size(2))
    given_state = before.clone()
    y, after = encoder.forward_stateful(
        make_tokens([0, 2]), torch.tensor([0, 2]), state=given_state
    )
    assert torch.equal(after[:, :, 0], before[:, :, 0])
    assert torch.equal(given_state, before)
    assert cell == "none" or not torch.equal(after[:, :, 1], before[:, :, 1])
    y, after = encoder.forward_stateful(make_tokens([]), torch.tensor([0, 0]), state=before)
    assert y.shape == (0, HIDDEN) and torch.equal(after, before)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", CELLS)
@given(lengths=some_lengths)
@settings(max_examples=6)
def test_a_step_after_which_only_the_longest_rows_continue(cell, direction, training, lengths):
    """All outputs, the states of the longest rows and their gradients stay the same, although rows
    of several lengths are read together."""
    encoder = make(cell=cell, direction=direction, depth=2, residual=True).train(training)
    x = make_tokens(lengths).requires_grad_()
    state = torch.linspace(-1, 1, 4 * len(lengths) * HIDDEN).view(2, 2, -1, HIDDEN)
    state = state[: encoder.state_size(0)[0]]
    found = []
    longest = torch.tensor(lengths) == max(lengths)
    for together in (False, True):
        y, final = encoder.forward_stateful(
            x, torch.tensor(lengths), state=state, only_longest=together
        )
        kept = final[:, :, longest]
        total = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() + kept.square().sum()
        found.append([y, kept])
        if total.requires_grad:
            found[-1] += torch.autograd.grad(total, [x, *encoder.parameters()])
    for one, other in zip(*found, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", CELLS)
def test_rows_of_equal_length_give_the_same_as_any_rows(cell, direction, steps):
    """With and without gradients, for which the kernels differ."""
    n_rows = 3
    encoder = make(cell=cell, direction=direction, depth=2, layer_norm=True, residual=True)
    x = make_tokens([steps] * n_rows)
    state = torch.randn(encoder.state_size(n_rows))
    lengths = torch.full((n_rows,), steps)
    expected, after = encoder.forward_stateful(x, lengths, state=state)
    for with_gradient in (True, False):
        with torch.set_grad_enabled(with_gradient):
            y, final = encoder.step_uniform(x.view(n_rows, steps, INPUT).transpose(0, 1), state)
        torch.testing.assert_close(y.transpose(0, 1).flatten(0, 1), expected)
        torch.testing.assert_close(final, after)


def test_a_bidirectional_encoder_has_no_steps():
    encoder = make(direction="both")
    with pytest.raises(ValueError, match="one direction"):
        encoder.forward_stateful(make_tokens([2]), torch.tensor([2]))
    with pytest.raises(ValueError, match="one direction"):
        encoder.step_uniform(torch.randn(1, 2, INPUT), torch.zeros(encoder.state_size(2)))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", RECURRENT)
def test_final_states_equal_torchs_h_n(cell, direction):
    encoder = make(cell=cell, direction=direction, depth=1)
    lengths = [0, *LENGTHS, 0]
    x = make_tokens(lengths)
    states = final_states(encoder(x, torch.tensor(lengths)), torch.tensor(lengths), direction)
    for state, row in zip(states, x.split(lengths), strict=True):
        if len(row):
            h_n = torch.cat([both[0] for both in run_alone(encoder, row)[1][0]])
            assert_close(state, h_n)
        else:
            assert not state.any()


def test_final_states_of_no_tokens_are_zeros():
    states = final_states(torch.zeros(0, 6), torch.tensor([0, 0]), "both")
    assert torch.equal(states, torch.zeros(2, 6))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_cell_none_has_no_recurrence(layout, direction):
    encoder = make(cell="none", direction=direction)
    encoder.layout = layout
    x = make_tokens([4, 6])
    order = torch.randperm(10)
    y = encoder(x, torch.tensor([4, 6]))
    assert_close(encoder(x[order], torch.tensor([4, 6])), y[order])
    assert y.shape[1] == encoder.output_size == make(direction=direction).output_size


@pytest.mark.parametrize(
    ("cell", "hidden_size", "training", "device", "expected"),
    [
        ("lstm", 200, False, "cpu", "padded"),
        ("lstm", 25, False, "cpu", "packed"),
        ("lstm", 25, True, "cpu", "padded"),
        ("gru", 200, False, "cpu", "packed"),
        ("gru", 200, True, "cpu", "padded"),
        ("rnn_tanh", 200, False, "cpu", "packed"),
        ("rnn_relu", 200, True, "cpu", "padded"),
        ("lstm", 200, False, "cuda", "packed"),
        ("gru", 200, True, "cuda", "packed"),
        ("gru", 200, False, "mps", "padded"),
    ],
)
def test_choose_layout(cell, hidden_size, training, device, expected):
    padded_from = cells.CELLS[cell].padded_from
    assert choose_layout(padded_from, hidden_size, training, torch.device(device)) == expected


def test_an_unknown_cell_is_an_error_that_names_the_known_cells():
    with pytest.raises(
        ValueError, match="rnn_tanh, rnn_relu, gru, lstm, none, light_gru, got 'ltsm'"
    ):
        RNNEncoder(cell="ltsm")
    with pytest.raises(ValueError, match="lstm, light_gru, got 'none'"):
        CharacterRNN(cell="none")
