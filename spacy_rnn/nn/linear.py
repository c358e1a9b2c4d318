"""The linear layer, computed by the faster of two libraries."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

from . import onednn
from .layout import round_up
from .precision import half_precision

#: multiplications from which oneDNN is faster
LARGE = 2**21


def linear(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """Compute `torch.nn.functional.linear`.

    torch multiplies float32 matrices on a CPU by MKL, which on a processor of AMD leaves half of
    each vector register empty: oneDNN then takes half the time (benchmarks/kernels.py).

    x (Tensor): (..., K).
    weight (Tensor): (M, K).
    bias (Optional[Tensor]): (M,).
    RETURNS (Tensor): (..., M).
    """
    if x.device.type != "cpu":
        return nn.functional.linear(x, weight, bias)
    if half_precision(x) is not None:
        # oneDNN compiles a kernel for each number of rows, which takes longer than to run it.
        rows = x.reshape(-1, x.shape[-1])
        n = len(rows)
        padded = nn.functional.pad(rows, (0, 0, 0, round_up(n) - n))
        return nn.functional.linear(padded, weight, bias)[:n].view(*x.shape[:-1], len(weight))
    large = x.numel() * len(weight) >= LARGE
    if not large or x.dtype != torch.float32 or not onednn.has_product():
        return nn.functional.linear(x, weight, bias)
    return _Linear.apply(x.flatten(0, -2), weight, bias).unflatten(0, x.shape[:-1])


class Linear(nn.Linear):
    """`nn.Linear`, computed by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def xavier_linear(input_size: int, output_size: int, weight: Optional[Tensor] = None) -> Linear:
    """Make a linear layer with Xavier-uniform weights (Glorot and Bengio 2010) and zero biases.

    input_size, output_size (int): Widths.
    weight (Optional[Tensor]): Weights to share instead, (output_size, input_size).
    RETURNS (Linear): The layer.
    """
    layer = Linear(input_size, output_size)
    if weight is None:
        nn.init.xavier_uniform_(layer.weight)
    else:
        layer.weight = weight  # type: ignore[assignment]
    nn.init.zeros_(layer.bias)
    return layer


class OutputLayers(nn.ModuleDict):
    """A linear layer for each target, which can grow.

    size (int): Width of the input.
    outputs (dict[str, int]): Number of outputs of each target.
    """

    def __init__(self, size: int, outputs: dict[str, int]):
        super().__init__({target: xavier_linear(size, n) for target, n in outputs.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs of each target: (N, size) -> (N, outputs)."""
        return {target: layer(x) for target, layer in self.items()}

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more outputs; existing weights are preserved.

        outputs (dict[str, int]): New number of outputs of each target.
        """
        for target, n in outputs.items():
            old: Any = self[target]
            if n > old.out_features:
                new = xavier_linear(old.in_features, n).to(old.weight.device)
                with torch.no_grad():
                    new.weight[: old.out_features] = old.weight
                    new.bias[: old.out_features] = old.bias
                self[target] = new


class _Linear(torch.autograd.Function):
    """oneDNN's product, with its gradient."""

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
