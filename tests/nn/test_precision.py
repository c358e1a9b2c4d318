"""Half precision: torch's autocast on a CPU, compared with single and double precision."""

import sys
from pathlib import Path

import pytest
import torch

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.cells import CELLS
from spacy_rnn.nn.linear import linear
from spacy_rnn.nn.losses import vocabulary_loss
from spacy_rnn.nn.precision import half_precision, has_fast_bfloat16

HALF = torch.bfloat16


def test_the_data_type_of_products():
    x = torch.zeros(1)
    assert half_precision(x) is None
    with torch.autocast("cpu", HALF):
        assert half_precision(x) == HALF
        with torch.autocast("cpu", enabled=False):
            assert half_precision(x) is None
        assert half_precision(x.to("meta")) is None
    assert half_precision(x) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_amx_is_what_the_operating_system_says():
    """torch 2.3 does not know: half precision is then ignored on all CPUs."""
    is_told = hasattr(torch.cpu, "_is_amx_tile_supported")
    has_amx = " amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf8")
    assert has_fast_bfloat16() == (has_amx and is_told)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (9, 5), (17, 5), (3, 7, 5), (0, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer(shape, bias):
    """The number of rows is rounded up inside, which is not seen outside."""
    torch.manual_seed(0)
    tensors = [torch.randn(shape), torch.randn(4, 5)] + [torch.randn(4)] * bias
    found, expected = [], []
    for values, dtype in ((found, torch.float32), (expected, torch.float64)):
        inputs = [x.to(dtype).requires_grad_() for x in tensors]
        with torch.autocast("cpu", HALF, enabled=dtype == torch.float32):
            y = linear(*inputs)
        values += [y, *torch.autograd.grad(y.float().pow(2).sum(), inputs)]
    assert found[0].dtype == HALF and found[0].shape == (*shape[:-1], 4)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0.05, atol=0.2)


@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("cell", CELLS)
def test_an_encoder(cell, layout, direction):
    torch.manual_seed(0)
    settings = RNNEncoder(cell=cell, direction=direction, hidden_size=8, depth=2)
    encoder = settings.module(6)
    encoder.layout = layout
    vectors, lengths = torch.randn(9, 6), torch.tensor([4, 0, 2, 3])
    parameters = list(encoder.parameters())
    single = encoder(vectors, lengths)
    gradients = torch.autograd.grad(single.pow(2).sum(), parameters)
    with torch.autocast("cpu", HALF):
        states = encoder(vectors, lengths)
    of_half = torch.autograd.grad(states.float().pow(2).sum(), parameters)
    if cell in ("rnn_tanh", "rnn_relu", "gru") or cell == "lstm" and layout == "packed":
        # The kernels of a CPU would be slow in half precision.
        assert torch.equal(states, single)
    else:
        assert not torch.equal(states.float(), single)
    torch.testing.assert_close(states.float(), single, rtol=0.03, atol=0.03)
    for one, other in zip(of_half, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("n_rows", "n_classes"), [(1, 3), (130, 3), (5, 20_000)])
def test_the_loss_of_a_vocabulary(n_rows, n_classes):
    """Gradients of weights are summed up in single precision."""
    torch.manual_seed(0)
    shapes = [(n_rows, 4), (n_classes, 4), (n_classes,)]
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    targets = torch.randint(n_classes, (n_rows,))
    expected = torch.nn.functional.cross_entropy(linear(*inputs), targets, reduction="sum")
    with torch.autocast("cpu", HALF):
        loss = vocabulary_loss(*inputs, targets)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=0.01)
    of_half, gradients = (torch.autograd.grad(x, inputs) for x in (loss, expected))
    for found, right in zip(of_half, gradients, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, right, rtol=0.1, atol=0.1)
