"""The matrix product of oneDNN, which torch keeps private, and the size of oneDNN's caches."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Optional

import torch
from torch import Tensor

#: the operator that torch.compile calls, too; None in a torch without it
_OPERATOR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def limit_caches() -> None:
    """Let oneDNN keep 64 kernels, unless the environment sets another number.

    oneDNN compiles a kernel for each shape, of up to a megabyte, and batches of texts rarely have
    the same shape again. Two caches keep a thousand kernels each: oneDNN's own, and one for
    products in torch's binding to it (ideep). Both read their size when the first kernel is
    compiled: later calls have no effect.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, "64")


def product(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """Multiply a matrix by the weights of a layer, all float32 on a CPU.

    x (Tensor): (N, K).
    weight (Tensor): (M, K).
    bias (Optional[Tensor]): (M,), added to each row.
    RETURNS (Tensor): (N, M).
    """
    return _OPERATOR(x, weight, bias, "none", [], "")


@cache
def has_product() -> bool:
    """Return True if `product` works with this torch: the operator is private and may change. It is
    tried once, with small numbers."""
    if _OPERATOR is None or not torch.backends.mkldnn.is_available():
        return False
    limit_caches()
    numbers = torch.arange(12, dtype=torch.float32, device="cpu")
    x, weight, bias = numbers[:6].view(2, 3), numbers.view(3, 4).t(), numbers[:4]
    try:
        return all(
            torch.equal(product(x, weight, b), torch.nn.functional.linear(x, weight, b))
            for b in (bias, None)
        )
    except (RuntimeError, TypeError, ValueError):
        return False
