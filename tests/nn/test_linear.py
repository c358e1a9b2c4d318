"""The product of a linear layer, compared with float64 and with torch's layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn import linear as module
from spacy_rnn.nn import onednn
from spacy_rnn.nn.linear import LARGE, Linear, linear

INPUTS = {
    "rows": torch.randn(5, 6),
    "steps": torch.randn(2, 3, 6),
    "transposed": torch.randn(6, 5).t(),
    "turned": torch.randn(3, 2, 6).transpose(0, 1),
    "part": torch.randn(5, 12)[:, 3:9],
    "every second": torch.randn(5, 12)[:, ::2],
    "repeated": torch.randn(1, 6).expand(4, 6),
    "none": torch.randn(0, 6),
}
sizes = st.integers(1, 40)


def oracle(x, weight, bias=None):
    found = x.double() @ weight.double().t()
    return (found if bias is None else found + bias.double()).to(x.dtype)


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Treat products of all sizes as large."""
    monkeypatch.setattr(module, "LARGE", 0)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_torch(name, bias, dtype):
    layer = torch.nn.Linear(6, 7, bias=bias).to(dtype)
    x = INPUTS[name].to(dtype)
    expected = layer(x)
    torch.testing.assert_close(linear(x, layer.weight, layer.bias), expected)
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, layer.weight, layer.bias), expected)


@settings(max_examples=40)
@given(sizes, sizes, sizes, st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_values_and_gradients(n, k, m, recorded, transposed):
    tensors = [torch.randn(n, k), torch.randn(k, m).t() if transposed else torch.randn(m, k)]
    tensors.append(torch.randn(m))
    d = torch.randn(n, m)
    found, expected = [], []
    for values, function in ((found, linear), (expected, oracle)):
        copies = [x.clone().requires_grad_(r) for x, r in zip(tensors, recorded, strict=True)]
        values.append(function(*copies))
        if any(recorded):
            values[0].backward(d)
        values += [x.grad for x in copies]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_layer_without_bias_learns():
    layer, x = Linear(6, 7, bias=False), INPUTS["steps"]
    layer(x).sum().backward()
    expected = torch.autograd.grad(torch.nn.functional.linear(x, layer.weight).sum(), layer.weight)
    torch.testing.assert_close(layer.weight.grad, expected[0])


def test_only_large_products_use_onednn(monkeypatch):
    """Small ones are faster with torch's product."""
    monkeypatch.setattr(module, "LARGE", LARGE)
    calls, product = [], onednn.product
    monkeypatch.setattr(onednn, "product", lambda *a: calls.append(a) or product(*a))
    linear(torch.randn(31, 256), torch.randn(256, 256))
    assert not calls
    linear(torch.randn(32, 256), torch.randn(256, 256))
    assert len(calls) == onednn.has_product()
