"""Sums and maxima over each sequence of a flat batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sequence_of(lengths: Tensor, device: torch.device) -> Tensor:
    """The sequence that each row belongs to: lengths (B,) on the CPU -> int64 (N,)."""
    return torch.repeat_interleave(lengths).to(device, non_blocking=True)


def segment_sum(x: Tensor, sequences: Tensor, n: int) -> Tensor:
    """The sum of each sequence's rows: (N, D) -> (n, D); zeros where it has none."""
    return x.new_zeros(n, x.shape[1]).index_add(0, sequences, x)


def segment_max(x: Tensor, sequences: Tensor, n: int) -> Tensor:
    """The maximum of each sequence's rows: (N, D) -> (n, D); the lowest finite number where it
    has none (infinity minus itself would be NaN)."""
    return _SegmentMax.apply(x, sequences, n)  # type: ignore[no-untyped-call]


class _SegmentMax(torch.autograd.Function):
    """`scatter_reduce` by "amax", with a backward pass of half its price. The gradient of a maximum
    is shared by the rows that attain it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sequences: Tensor, n: int) -> Tensor:
        lowest = x.new_full((n, x.shape[1]), torch.finfo(x.dtype).min)
        largest = lowest.scatter_reduce(0, sequences.unsqueeze(1).expand_as(x), x, "amax")
        ctx.save_for_backward(x, sequences, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, sequences, largest = ctx.saved_tensors
        attains = (x == largest.index_select(0, sequences)).to(x.dtype)
        share = gradient / segment_sum(attains, sequences, len(largest)).clamp(min=1.0)
        return attains * share.index_select(0, sequences), None, None
