"""Attention compared with its formulas, and the decoder on whole targets compared with the decoder
step by step."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.nn import dropout
from spacy_rnn.nn.attention import ATTENTIONS
from spacy_rnn.nn.decoder import DecoderState
from spacy_rnn.nn.dropout import set_dropout_rate

NAMES = ["bahdanau", "dot", "general"]
CELLS = ["rnn_tanh", "gru", "lstm"]
#: widths of the vectors of pieces, of the source's states and of the decoder's states
E, M, H = 4, 6, 6


def random_source(seed, lengths):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    memory = torch.randn(len(lengths), max(lengths), M, generator=generator)
    return memory * mask.unsqueeze(2), mask


def score(name, attention, q, m):
    """The score of one source state for one decoder state, in numpy."""
    weights = {key: p.detach().numpy() for key, p in attention.named_parameters()}
    if name == "dot":
        return q @ m
    if name == "general":
        return q @ (weights["memory.weight"] @ m)
    inner = weights["query.weight"] @ q + weights["query.bias"] + weights["memory.weight"] @ m
    return (weights["score.weight"] @ np.tanh(inner)).item()


@pytest.mark.parametrize("name", NAMES)
def test_attention_equals_its_formula(name):
    torch.manual_seed(0)
    attention = ATTENTIONS[name](H, M)
    lengths = [3, 1, 5]
    memory, mask = random_source(0, lengths)
    query = torch.randn(3, 2, H)
    contexts, weights = attention(query, attention.keys(memory), memory, mask)
    assert contexts.shape == (3, 2, M) and weights.shape == (3, 2, 5)
    for b, t in itertools.product(range(3), range(2)):
        states = memory[b, : lengths[b]].numpy()
        scores = np.array([score(name, attention, query[b, t].numpy(), m) for m in states])
        expected = np.exp(scores - scores.max())
        expected /= expected.sum()
        np.testing.assert_allclose(weights[b, t, : lengths[b]].detach(), expected, atol=1e-5)
        assert not weights[b, t, lengths[b] :].any()
        np.testing.assert_allclose(contexts[b, t].detach(), expected @ states, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_attention_on_a_source_without_tokens(name):
    attention = ATTENTIONS[name](H, M)
    memory = torch.randn(2, 3, M, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    contexts, weights = attention(torch.randn(2, 1, H), attention.keys(memory), memory, mask)
    assert not contexts[1].any() and not weights[1].any()
    contexts.sum().backward()
    gradients = [memory.grad, *(p.grad for p in attention.parameters())]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_dot_needs_equal_widths():
    with pytest.raises(ValueError, match="general"):
        ATTENTIONS["dot"](3, 4)


def test_an_unknown_attention_is_an_error():
    with pytest.raises(ValueError, match="null or one of bahdanau, dot, general, got 'luong'"):
        RNNDecoder(attention="luong")


def make(attention, input_feeding=False, **options):
    torch.manual_seed(1)
    decoder = RNNDecoder(attention=attention, input_feeding=input_feeding, hidden_size=H, **options)
    return decoder.module(E, M).eval()


WAYS = [(None, False), *itertools.product(NAMES, [False, True])]
every_way = pytest.mark.parametrize("attention, input_feeding", WAYS)


def begin(decoder, lengths, seed=0):
    memory, mask = random_source(seed, lengths)
    return decoder.prepare_source(memory, mask), decoder.initial_state(memory.sum(1))


@every_way
@pytest.mark.parametrize("cell", CELLS)
def test_a_whole_target_at_once_equals_step_by_step(attention, input_feeding, cell):
    decoder = make(attention, input_feeding, cell=cell, depth=2)
    source, state = begin(decoder, [3, 1, 4])
    vectors = torch.randn(3, 5, E)
    whole, weights, after = decoder(vectors, source, state)
    steps = []
    for vector in vectors.split(1, dim=1):
        output, attended, state = decoder(vector, source, state)
        steps.append((output, attended))
    torch.testing.assert_close(torch.cat([output for output, _ in steps], 1), whole)
    torch.testing.assert_close(state.recurrent, after.recurrent)
    if attention is None:
        assert weights is None
    else:
        torch.testing.assert_close(torch.cat([w for _, w in steps], 1), weights)


@every_way
def test_later_pieces_do_not_change_earlier_states(attention, input_feeding):
    """Neither does padding, which is at the end of a target."""
    decoder = make(attention, input_feeding)
    source, state = begin(decoder, [2, 4])
    vectors = torch.randn(2, 6, E)
    before = decoder(vectors, source, state)[0]
    vectors[:, 3:] = torch.randn(2, 3, E)
    after = decoder(vectors, source, state)[0]
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert (before[:, 3:] - after[:, 3:]).abs().max() > 1e-3


@every_way
@settings(max_examples=15)
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_source_gives_the_same_alone_and_in_a_batch(attention, input_feeding, lengths, seed):
    lengths = [*lengths, 5]
    decoder = make(attention, input_feeding)
    source, state = begin(decoder, lengths, seed)
    vectors = torch.randn(len(lengths), 3, E)
    together = decoder(vectors, source, state)[0]
    for i in range(len(lengths)):
        row = torch.tensor([i])
        alone = decoder(vectors[i : i + 1], source.select(row), state.select(row))[0]
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-5)


@every_way
def test_rows_that_share_a_source(attention, input_feeding):
    """The hypotheses of a beam, compared with rows that each have a copy of the source."""
    decoder = make(attention, input_feeding)
    source, state = begin(decoder, [3, 5])
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    state = state.select(rows)
    vectors = torch.randn(6, 1, E)
    shared, weights, after = decoder(vectors, source, state)
    repeated, other_weights, other_after = decoder(vectors, source.select(rows), state)
    torch.testing.assert_close(shared, repeated)
    torch.testing.assert_close(after.recurrent, other_after.recurrent)
    if attention is not None:
        torch.testing.assert_close(weights.reshape(other_weights.shape), other_weights)


@every_way
def test_gradients_reach_all_inputs_and_weights(attention, input_feeding):
    """Through the steps, the bridge and the source; compared with finite differences."""
    decoder = make(attention, input_feeding, cell="gru").double()
    memory, mask = random_source(0, [2, 3])
    vectors = torch.randn(2, 3, E, dtype=torch.float64)

    def run(memory, vectors):
        source = decoder.prepare_source(memory, mask)
        return decoder(vectors, source, decoder.initial_state(memory.sum(1)))[0]

    inputs = memory.double().requires_grad_(), vectors.requires_grad_()
    assert torch.autograd.gradcheck(run, inputs, atol=1e-4)
    run(*inputs).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())


def test_input_feeding_reads_the_previous_attentional_state():
    decoder = make("general", input_feeding=True)
    source, state = begin(decoder, [3])
    vector = torch.randn(1, 1, E)
    one = decoder(vector, source, state)[0]
    other = decoder(vector, source, DecoderState(state.recurrent, torch.ones(1, H)))[0]
    assert (one - other).abs().max() > 1e-3


def test_input_feeding_needs_attention():
    with pytest.raises(ValueError, match="'input_feeding' feeds"):
        RNNDecoder(attention=None, input_feeding=True).module(E, M)


@pytest.mark.parametrize("input_feeding", [False, True])
def test_dropout_is_locked(input_feeding):
    """The same elements of the states are dropped at every step of a target, and others at the next
    call."""
    decoder = make("general", input_feeding).train()
    set_dropout_rate(decoder, 0.5)
    source, state = begin(decoder, [3, 4])
    dropped, again = (decoder(torch.randn(2, 6, E), source, state)[0] == 0 for _ in range(2))
    assert dropped.any() and not dropped.all()
    assert (dropped == dropped[:, :1]).all()
    assert (dropped != again).any()


def test_dropout_masks_are_drawn_once_for_all_steps(monkeypatch):
    """The masks of the input, between layers and of the recurrent weights."""
    decoder = make("general", True, depth=2, recurrent_dropout=0.5).train()
    set_dropout_rate(decoder, 0.5)
    source, state = begin(decoder, [3, 4])
    drawn = []
    for module, name in ((dropout, "bernoulli_mask"), (torch.nn.functional, "dropout")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, f=function, n=name: drawn.append(n) or f(*a))
    for n_steps in (2, 6):
        decoder(torch.randn(2, n_steps, E), source, state)
        # Masks before, between and after the layers and of the output; weights of both layers.
        assert sorted(drawn) == ["bernoulli_mask"] * 4 + ["dropout"] * 2
        drawn.clear()
