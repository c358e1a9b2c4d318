"""Products with the weights of a layer, by the faster of two libraries."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

from . import onednn

#: multiplications from which oneDNN is faster
LARGE = 2**21


def linear(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """`torch.nn.functional.linear`: x (..., K), weight (M, K), bias (M,) -> (..., M).

    torch multiplies float32 matrices on a CPU by MKL, which on a processor of AMD leaves half of
    each vector register empty: oneDNN then takes half the time (benchmarks/kernels.py).
    """
    large = x.numel() * len(weight) >= LARGE
    if not large or x.device.type != "cpu" or x.dtype != torch.float32 or not onednn.has_product():
        return nn.functional.linear(x, weight, bias)
    return _Linear.apply(x.flatten(0, -2), weight, bias).unflatten(0, x.shape[:-1])


class Linear(nn.Linear):
    """A layer that multiplies by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return onednn.product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (d,), (x, weight) = gradients, ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            onednn.product(d, weight.t()) if needs_x else None,
            onednn.product(d.t(), x.t()) if needs_weight else None,
            d.sum(dim=0) if needs_bias else None,
        )
