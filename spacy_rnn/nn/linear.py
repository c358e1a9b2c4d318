"""The product of a layer, by the faster of two libraries."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

#: oneDNN's product, which torch.compile calls, too; None in a torch without it
_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def linear(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """`torch.nn.functional.linear`, by oneDNN where that is possible.

    torch's own choice for float32 is MKL, which takes twice the time on a processor of AMD.
    """
    if takes_onednn(x):
        return _ONEDNN(x, weight, bias, "none", [], "")
    return nn.functional.linear(x, weight, bias)


def takes_onednn(x: Tensor) -> bool:
    """Whether `linear` runs oneDNN: on a CPU in float32, without gradients."""
    return (
        _ONEDNN is not None
        and torch.backends.mkldnn.is_available()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
    )
