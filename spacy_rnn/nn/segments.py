"""Sums and maxima over each sequence of a flat batch."""

from __future__ import annotations

import torch
from torch import Tensor


def sequence_of(lengths: Tensor, device: torch.device) -> Tensor:
    """The sequence that each row belongs to: lengths (B,) on the CPU -> int64 (N,)."""
    return torch.repeat_interleave(lengths).to(device, non_blocking=True)


def segment_sum(x: Tensor, sequences: Tensor, n: int) -> Tensor:
    """The sum of each sequence's rows: (N, D) -> (n, D); zeros where it has none."""
    return x.new_zeros(n, x.shape[1]).index_add(0, sequences, x)


def segment_max(x: Tensor, sequences: Tensor, n: int) -> Tensor:
    """The maximum of each sequence's rows: (N, D) -> (n, D); the lowest number where it has none
    (no infinity, whose difference to itself is no number)."""
    lowest = x.new_full((n, x.shape[1]), torch.finfo(x.dtype).min)
    return lowest.scatter_reduce(0, sequences.unsqueeze(1).expand_as(x), x, "amax")
