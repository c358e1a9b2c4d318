"""The precision of matrix products under torch's autocast."""

from __future__ import annotations

from functools import cache
from typing import Optional

import torch
from torch import Tensor


def half_precision(x: Tensor) -> Optional[torch.dtype]:
    """The data type in which autocast computes matrix products on the device of a tensor; None
    outside of autocast, and on devices other than CPUs and those of CUDA."""
    kind = x.device.type
    if kind not in ("cpu", "cuda"):
        return None
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    # torch 2.3
    if kind == "cpu":
        return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
    return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None


@cache
def has_fast_bfloat16() -> bool:
    """Return True if this processor has instructions that multiply bfloat16 matrices (AMX). Without
    them, bfloat16 is slower than float32."""
    try:
        return bool(torch.cpu._is_amx_tile_supported())
    except AttributeError:  # torch 2.3, or a change of what torch keeps private
        return False
