"""The product of a layer against torch's."""

import pytest
import torch

from spacy_rnn.nn.linear import linear, takes_onednn

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


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_torchs(name, bias, dtype):
    layer = torch.nn.Linear(6, 7, bias=bias).to(dtype)
    x = INPUTS[name].to(dtype)
    with torch.no_grad():
        torch.testing.assert_close(linear(x, layer.weight, layer.bias), layer(x))


def test_gradients():
    layer, x = torch.nn.Linear(6, 7), torch.randn(5, 6, requires_grad=True)
    assert not takes_onednn(x)
    found = torch.autograd.grad(linear(x, layer.weight, layer.bias).sum(), [x, *layer.parameters()])
    expected = torch.autograd.grad(layer(x).sum(), [x, *layer.parameters()])
    torch.testing.assert_close(found, expected)
