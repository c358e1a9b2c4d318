"""Gradients steps back, against products of Jacobians."""

import numpy as np
import pytest
import torch

from spacy_rnn.analysis.gradients import gradient_norms
from spacy_rnn.nn.rnn import Encoder

T, D, H = 7, 3, 4


def make(cell="rnn_tanh", direction="forward", depth=1, **others):
    torch.manual_seed(0)
    encoder = Encoder(D, cell=cell, direction=direction, hidden_size=H, depth=depth, **others)
    return encoder.eval()


def inputs(n=T):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(1))


def by_hand(encoder, x):
    """h^T times the Jacobians of an Elman layer, step by step, in float64."""
    layer = encoder.layers[0].double()
    w_ih, w_hh = layer.weight_ih_l0.detach().numpy(), layer.weight_hh_l0.detach().numpy()
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    h, states = np.zeros(H), []
    for row in x.double().numpy():
        h = np.tanh(w_ih @ row + w_hh @ h + bias)
        states.append(h)
    back, norms = states[-1], []
    for h in reversed(states):
        # d h_t / d (what it is the tanh of)
        inner = back * (1 - h**2)
        norms.append(np.linalg.norm(inner @ w_ih))
        back = inner @ w_hh
    return norms


def test_plain_layer_by_hand():
    (found,) = gradient_norms(make(), inputs())
    np.testing.assert_allclose(found.norms, by_hand(make(), inputs()), rtol=1e-4)
    assert found.name == "layer 1, forward"


def test_backward_is_forward_over_reversed_tokens():
    (forward,) = gradient_norms(make("lstm", "forward"), inputs().flip(0))
    (backward,) = gradient_norms(make("lstm", "backward"), inputs())
    np.testing.assert_allclose(backward.norms, forward.norms, rtol=1e-5)
    assert backward.direction == "backward"


@pytest.mark.parametrize("cell", ["rnn_relu", "gru", "lstm"])
def test_directions_of_one_layer(cell):
    """Each is what an encoder of that direction alone has."""
    both = make(cell, "both")
    found = {each.direction: each.norms for each in gradient_norms(both, inputs())}
    assert list(found) == ["forward", "backward"]
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        one = make(cell, direction)
        for name, parameter in one.layers[0].named_parameters():
            parameter.data = getattr(both.layers[0], name + suffix).data
        (expected,) = gradient_norms(one, inputs())
        np.testing.assert_allclose(found[direction], expected.norms, rtol=1e-5)


@pytest.mark.parametrize("others", [{}, {"residual": True, "layer_norm": True}])
def test_a_higher_layer_reads_the_lower_one(others):
    deep = make("gru", "both", depth=2, **others)
    found = gradient_norms(deep, inputs())
    assert [(each.layer, each.direction) for each in found] == [
        (1, "forward"), (1, "backward"), (2, "forward"), (2, "backward"),
    ]  # fmt: skip
    upper = Encoder(2 * H, cell="gru", direction="both", hidden_size=H, depth=1).eval()
    upper.layers[0] = deep.layers[1]
    below = deep.lowest(1)(inputs(), torch.tensor([T])).detach()
    expected = gradient_norms(upper, below)
    for one, other in zip(found[2:], expected, strict=True):
        np.testing.assert_allclose(one.norms, other.norms, rtol=1e-5)


def test_vanishes_explodes_and_lasts():
    """By the largest singular value of the recurrent weights (Pascanu et al. 2013, section 2.1)."""
    for scale, relation in ((0.5, np.less), (2.0, np.greater)):
        encoder = make("rnn_relu")
        layer = encoder.layers[0]
        layer.weight_hh_l0.data = scale * torch.eye(H)
        layer.weight_ih_l0.data = layer.weight_ih_l0.data.abs()
        (found,) = gradient_norms(encoder, inputs(20).abs())
        np.testing.assert_allclose(found.norms[1:] / found.norms[:-1], scale, rtol=1e-4)
        assert relation(found.norms[-1], found.norms[0])


def test_one_token():
    (found,) = gradient_norms(make("lstm"), inputs(1))
    assert found.norms.shape == (1,) and found.norms[0] > 0


def test_weights_keep_no_gradient():
    encoder = make("gru", "both", depth=2)
    gradient_norms(encoder, inputs())
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_nothing_to_look_at():
    with pytest.raises(ValueError, match="no recurrent layer"):
        gradient_norms(make("none"), inputs())
    with pytest.raises(ValueError, match="no tokens"):
        gradient_norms(make(), inputs(0))


def test_on_a_device(device):
    where = torch.device("cuda" if device == "gpu" else "cpu")
    found = gradient_norms(make("lstm", "both", depth=2).to(where), inputs().to(where))
    expected = gradient_norms(make("lstm", "both", depth=2), inputs())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.norms, other.norms, rtol=1e-3)
