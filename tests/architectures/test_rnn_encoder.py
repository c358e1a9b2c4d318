"""The encoder as a thinc layer: it gives the states of torch's module for a text in any batch."""

import pickle

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.api import Adam, Linear, Model, chain, get_current_ops, set_dropout_rate, with_array

from spacy_rnn.architectures import rnn_encoder as layer
from spacy_rnn.architectures.rnn_encoder import make_rnn_encoder
from spacy_rnn.config.encoder import settings_of
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.optimizer import make_adamw

CELLS = ["lstm", "gru", "rnn_tanh", "rnn_relu", "none"]
DIRECTIONS = ["forward", "backward", "both"]
WIDTH = 3


def make_layer(cell="lstm", direction="both", **others):
    torch.manual_seed(0)
    made = make_rnn_encoder(cell, direction, hidden_size=4, depth=2, **others)
    return made.initialize(X=[np.zeros((1, WIDTH), dtype="float32")])


def module_of(model):
    return model.shims[0].module


def make_texts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, WIDTH)).astype("float32") for n in lengths]


def alone(model, text):
    """The states of a text alone, by the torch module."""
    with torch.no_grad():
        return module_of(model)(torch.from_numpy(text), torch.tensor([len(text)])).numpy()


def assert_close(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def layers():
    return {(cell, way): make_layer(cell, way) for cell in CELLS for way in DIRECTIONS}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell", CELLS)
@given(lengths=st.lists(st.integers(0, 9), max_size=6))
@settings(max_examples=15)
def test_a_text_has_the_same_states_in_any_batch(layers, cell, direction, lengths):
    model, texts = layers[cell, direction], make_texts(lengths)
    expected = [alone(model, text) for text in texts]
    assert_close(model.predict(texts), expected)
    assert_close(model(texts, is_train=True)[0], expected)


def test_width_is_known_from_the_start():
    assert make_rnn_encoder(hidden_size=4).get_dim("nO") == 8
    assert make_rnn_encoder(hidden_size=4, direction="forward").get_dim("nO") == 4
    model = make_rnn_encoder(hidden_size=4)
    assert model.has_dim("nI") is None
    with pytest.raises(ValueError, match="no weights yet"):
        model.predict(make_texts([2]))


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5))
@settings(max_examples=15)
def test_gradients_equal_torchs(layers, lengths):
    """Compared with torch's gradients, where each text is read alone."""
    model, texts = layers["lstm", "both"], make_texts(lengths)
    module = module_of(model)
    d_states = [np.random.default_rng(1).normal(size=(n, 8)).astype("float32") for n in lengths]
    states, backprop = model.begin_update(texts)
    module.zero_grad()
    found = backprop(d_states)
    found_weights = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    inputs = [torch.from_numpy(text).requires_grad_() for text in texts]
    for x, d in zip(inputs, d_states, strict=True):
        if len(x):
            (module(x, torch.tensor([len(x)])) * torch.from_numpy(d)).sum().backward()
    assert_close(found, [np.zeros_like(x) if y.grad is None else y.grad.numpy()
                         for x, y in zip(texts, inputs, strict=True)])  # fmt: skip
    for mine, parameter in zip(found_weights, module.parameters(), strict=True):
        if parameter.grad is None:
            assert mine is None or not mine.any()
        else:
            np.testing.assert_allclose(mine.numpy(), parameter.grad.numpy(), atol=1e-5)
    module.zero_grad()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_long_text_is_read_in_windows(layers, direction, monkeypatch):
    model, (text,) = layers["gru", direction], make_texts([50])
    expected = alone(model, text)
    monkeypatch.setattr(layer, "LIMITS", MemoryLimits(batch_tokens=16, window=7, overlap=2))
    assert_close(model.predict([text]), [expected])


def test_no_texts_and_empty_texts(layers):
    model = layers["lstm", "both"]
    assert model.predict([]) == []
    states, backprop = model.begin_update([])
    assert states == [] and backprop([]) == []
    (empty,) = model.predict(make_texts([0]))
    assert empty.shape == (0, 8)
    states, backprop = model.begin_update(make_texts([0]))
    assert [d.shape for d in backprop(states)] == [(0, WIDTH)]


def test_dropout_acts_in_training_only():
    model, texts = make_layer(), make_texts([5, 3])
    set_dropout_rate(model, 0.5)
    first, second = (model.begin_update(texts)[0] for _ in range(2))
    assert any((one != other).any() for one, other in zip(first, second, strict=True))
    assert_close(model.predict(texts), [alone(model, text) for text in texts])


@pytest.mark.parametrize("optimizer", [Adam, make_adamw])
def test_learns_together_with_thincs_layers(optimizer):
    """To predict the sign of the sum of all inputs of a text so far."""
    spacy.util.fix_random_seed(0)
    texts = make_texts([7] * 16)
    gold = [np.sign(text.cumsum(axis=0)[:, :1]) for text in texts]
    model = chain(make_rnn_encoder("gru", "forward", hidden_size=8, depth=1), with_array(Linear(1)))
    model.initialize(X=texts, Y=gold)
    step = optimizer(0.03)

    def loss():
        found = model.predict(texts)
        return sum(float(((y - t) ** 2).mean()) for y, t in zip(found, gold, strict=True))

    before = loss()
    for _ in range(60):
        found, backprop = model.begin_update(texts)
        backprop([y - t for y, t in zip(found, gold, strict=True)])
        model.finish_update(step)
    assert loss() < 0.3 * before


def test_saved_and_loaded(layers, tmp_path):
    model, texts = layers["lstm", "both"], make_texts([4, 2])
    expected = model.predict(texts)
    fresh = make_rnn_encoder("lstm", hidden_size=4, depth=2).from_bytes(model.to_bytes())
    assert_close(fresh.predict(texts), expected)
    model.to_disk(tmp_path / "layer")
    fresh = make_rnn_encoder("lstm", hidden_size=4, depth=2).from_disk(tmp_path / "layer")
    assert_close(fresh.predict(texts), expected)
    with pytest.raises(ValueError, match="saved with other settings"):
        make_rnn_encoder("gru", hidden_size=4, depth=2).from_bytes(model.to_bytes())


def test_a_copy_is_trained_independently():
    """Both are trained by one optimizer, as after `replace_listeners`."""
    model, texts = make_layer(), make_texts([4, 2])
    copied = model.copy()
    assert_close(copied.predict(texts), model.predict(texts))
    optimizer = make_adamw(0.1)
    before = model.predict(texts)
    for _ in range(2):
        states, backprop = copied.begin_update(texts)
        backprop(states)
        copied.finish_update(optimizer)
    assert_close(model.predict(texts), before)
    moved = copied.predict(texts)
    states, backprop = model.begin_update(texts)
    backprop(states)
    model.finish_update(optimizer)
    assert_close(copied.predict(texts), moved)
    assert any((a != b).any() for a, b in zip(model.predict(texts), before, strict=True))


def test_pickles(layers):
    model, texts = layers["gru", "both"], make_texts([4])
    assert_close(pickle.loads(pickle.dumps(model)).predict(texts), model.predict(texts))


def test_settings_can_be_read_from_the_layer():
    model = make_rnn_encoder("gru", "backward", 7, 3, 0.1, True, True, 5)
    made = settings_of(model)
    assert (made.cell, made.direction, made.hidden_size, made.depth) == ("gru", "backward", 7, 3)
    assert (made.recurrent_dropout, made.residual, made.layer_norm) == (0.1, True, True)
    assert made.chrono_length == 5
    with pytest.raises(ValueError, match="hidden_size"):
        make_rnn_encoder(hidden_size=0)


def test_an_encoder_of_another_kind_is_an_error():
    with pytest.raises(ValueError, match="must be spacy_rnn.RNNEncoder.v1, got the layer 'other'"):
        settings_of(Model("other", lambda model, X, is_train: (X, lambda dY: dY)))


def test_on_a_device(device):
    ops = get_current_ops()
    model = make_layer()
    texts = [ops.asarray(text) for text in make_texts([4, 0, 2])]
    states, backprop = model.begin_update(texts)
    gradients = backprop(states)
    predicted = model.predict(texts)
    for arrays in (states, gradients, predicted):
        assert all(isinstance(array, ops.xp.ndarray) for array in arrays)
    assert_close([ops.to_numpy(a) for a in predicted], [ops.to_numpy(a) for a in states])
