"""Gradients with respect to earlier inputs, compared with products of Jacobians."""

import numpy as np
import pytest
import torch

from spacy_rnn.analysis import gradients as module
from spacy_rnn.analysis.gradients import (
    LayerGradients,
    compute_gradients,
    gradient_norms,
    initial_gradients,
    mean_gradients,
)
from spacy_rnn.config.encoder import RNNEncoder

from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline

T, D, H = 7, 3, 4


def make(cell="rnn_tanh", direction="forward", depth=1, **others):
    torch.manual_seed(0)
    encoder = RNNEncoder(
        cell=cell, direction=direction, hidden_size=H, depth=depth, **others
    ).module(D)
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
        # d h_t / d (argument of the tanh)
        inner = back * (1 - h**2)
        norms.append(np.linalg.norm(inner @ w_ih))
        back = inner @ w_hh
    return norms


def test_plain_layer_by_hand():
    (found,) = gradient_norms(make(), inputs())
    np.testing.assert_allclose(found.norms, by_hand(make(), inputs()), rtol=1e-4)
    assert found.name == "layer 0, forward"


def test_backward_is_forward_over_reversed_tokens():
    (forward,) = gradient_norms(make("lstm", "forward"), inputs().flip(0))
    (backward,) = gradient_norms(make("lstm", "backward"), inputs())
    np.testing.assert_allclose(backward.norms, forward.norms, rtol=1e-5)
    assert backward.direction == "backward"


@pytest.mark.parametrize("cell", ["rnn_relu", "gru", "lstm"])
def test_directions_of_one_layer(cell):
    """The gradients of each direction are those of an encoder with only that direction."""
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
        (0, "forward"), (0, "backward"), (1, "forward"), (1, "backward"),
    ]  # fmt: skip
    upper = RNNEncoder(cell="gru", direction="both", hidden_size=H, depth=1).module(2 * H).eval()
    upper.layers[0] = deep.layers[1]
    below = deep.first_layers(1)(inputs(), torch.tensor([T])).detach()
    expected = gradient_norms(upper, below)
    for one, other in zip(found[2:], expected, strict=True):
        np.testing.assert_allclose(one.norms, other.norms, rtol=1e-5)


def test_gradients_vanish_and_explode():
    """Each step changes gradients by the largest singular value of the recurrent weights
    (Pascanu et al. 2013, section 2.1)."""
    for scale, relation in ((0.5, np.less), (2.0, np.greater)):
        encoder = make("rnn_relu")
        layer = encoder.layers[0]
        layer.weight_hh_l0.data = scale * torch.eye(H)
        layer.weight_ih_l0.data = layer.weight_ih_l0.data.abs()
        (found,) = gradient_norms(encoder, inputs(20).abs())
        np.testing.assert_allclose(found.norms[1:] / found.norms[:-1], scale, rtol=1e-4)
        assert relation(found.norms[-1], found.norms[0])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_from_an_initial_state(cell):
    """The last part of a sequence, read from the state after the first part."""
    encoder, x = make(cell, depth=2), inputs()
    whole = gradient_norms(encoder, x)
    with torch.no_grad():
        _, state = encoder.forward_stateful(x[:3], torch.tensor([3]))
    part = gradient_norms(encoder, x[3:], state)
    for one, other in zip(part, whole, strict=True):
        np.testing.assert_allclose(one.norms, other.norms[: T - 3], rtol=1e-4)


def test_one_token():
    (found,) = gradient_norms(make("lstm"), inputs(1))
    assert found.norms.shape == (1,) and found.norms[0] > 0


def test_weights_keep_no_gradient():
    encoder = make("gru", "both", depth=2)
    gradient_norms(encoder, inputs())
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_no_recurrent_layer_or_no_tokens():
    with pytest.raises(ValueError, match="no recurrent layer"):
        gradient_norms(make("none"), inputs())
    with pytest.raises(ValueError, match="1 to 5,000 tokens, got 0"):
        gradient_norms(make(), inputs(0))


def test_too_many_tokens(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 5)
    with pytest.raises(ValueError, match="1 to 5 tokens, got 7. Pass a part"):
        gradient_norms(make(), inputs())


# Means over texts


def test_mean_by_hand():
    one = [LayerGradients(0, "forward", np.array([1.0, 2.0, 3.0]))]
    other = [
        LayerGradients(0, "forward", np.array([3.0])),
        LayerGradients(0, "backward", np.ones(1)),
    ]
    forward, backward = mean_gradients([one, other])
    assert (forward.direction, backward.direction) == ("forward", "backward")
    np.testing.assert_allclose(forward.norms, [2.0, 2.0, 3.0])


def test_gradients_of_untrained_encoders():
    settings = RNNEncoder(cell="lstm", hidden_size=H, depth=1)
    state = torch.random.get_rng_state()
    found, again = (initial_gradients(settings, [5, 0, 3]) for _ in range(2))
    assert [each.name for each in found] == ["layer 0, forward", "layer 0, backward"]
    assert len(found[0].norms) == 5
    np.testing.assert_array_equal(found[0].norms, again[0].norms)
    assert (torch.random.get_rng_state() == state).all()
    with pytest.raises(ValueError, match="no tokens"):
        initial_gradients(settings, [0])


@pytest.mark.parametrize("factory", KINDS)
def test_every_component(factory):
    """The result is the mean over the texts; an empty text has no gradients."""
    nlp = make_pipeline(factory)
    nlp.initialize(lambda: make_examples(nlp))
    pipe = nlp.get_pipe(factory)
    texts = [sentence[0] for sentence in SENTENCES[:2]]
    together = compute_gradients(pipe, map(nlp.make_doc, texts))
    one, other = (compute_gradients(pipe, [nlp.make_doc(text)]) for text in texts)
    directions = {"rnn_lm": ["forward"]}.get(factory, ["forward", "backward"])
    assert [each.direction for each in together] == directions
    for mean, first, second in zip(together, one, other, strict=True):
        assert (first.norms > 0).all()
        n = min(len(first.norms), len(second.norms))
        expected = (first.norms[:n] + second.norms[:n]) / 2
        np.testing.assert_allclose(mean.norms[:n], expected, rtol=1e-6)
        assert len(mean.norms) == max(len(first.norms), len(second.norms))
    if factory != "rnn_lm":
        with pytest.raises(ValueError, match="no tokens"):
            compute_gradients(pipe, [nlp.make_doc("")])


def test_both_directions_of_a_language_model():
    """The backward model reads the text from its end."""
    nlp = make_pipeline("rnn_lm", {"encoder": {"direction": "both"}})
    nlp.initialize(lambda: make_examples(nlp))
    found = compute_gradients(nlp.get_pipe("rnn_lm"), [nlp.make_doc(SENTENCES[0][0])])
    assert [each.name for each in found] == ["layer 0, forward", "layer 0, backward"]


def test_components_without_a_network():
    nlp = make_pipeline("rnn_tagger")
    with pytest.raises(ValueError, match="no weights yet"):
        compute_gradients(nlp.get_pipe("rnn_tagger"), [nlp.make_doc("ham")])
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match="not a spacy-rnn component"):
        compute_gradients(nlp.get_pipe("sentencizer"), [nlp.make_doc("ham")])


def test_on_a_device(device):
    where = torch.device("cuda" if device == "gpu" else "cpu")
    found = gradient_norms(make("lstm", "both", depth=2).to(where), inputs().to(where))
    expected = gradient_norms(make("lstm", "both", depth=2), inputs())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.norms, other.norms, rtol=1e-3)
