"""Sequences of different lengths, one after the other, in numpy: where each lies, and which are
read together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np


@dataclass
class Carry:
    """The state of an encoder of one direction between two windows of a sequence.

    state (Optional[Any]): The state after the last window that was read, which the encoder
        replaces; None before the first window.
    """

    state: Optional[Any] = None


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Flat position at which each sequence starts: (B,) -> (B,)."""
    return np.cumsum(lengths) - lengths


def ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Indices of the ranges of these sizes, one range after the other: (B,), (B,) -> (N,)."""
    return np.repeat(starts - offsets(sizes), sizes) + np.arange(sizes.sum())


def group_by_length(lengths: np.ndarray, overhead: float) -> list[np.ndarray]:
    """Split rows into groups that are cheap to pad, as index arrays, longest rows first.

    A padded group of n rows costs ``steps * (n + overhead)``. The sum is minimized exactly, by
    dynamic programming over the distinct lengths.

    lengths (np.ndarray): Length of each row, int64 (B,). Rows of length 0 are in no group.
    overhead (float): The cost of one time step, in rows.
    RETURNS (list[np.ndarray]): The rows of each group.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[: np.count_nonzero(lengths)]
    if not len(order):
        return []
    distinct, counts = np.unique(-lengths[order], return_counts=True)
    distinct = -distinct  # descending
    ends = np.concatenate([[0], np.cumsum(counts)])
    n = len(distinct)
    best = np.zeros(n + 1)
    cut = np.zeros(n + 1, dtype=np.int64)
    for j in range(1, n + 1):
        # A last group of the lengths i..j-1, for every i at once.
        cost = best[:j] + distinct[:j] * (ends[j] - ends[:j] + overhead)
        cut[j] = int(np.argmin(cost))
        best[j] = cost[cut[j]]
    groups: list[np.ndarray] = []
    while n:
        groups.append(order[ends[cut[n]] : ends[n]])
        n = int(cut[n])
    return groups[::-1]


def group_by_equal_length(lengths: np.ndarray) -> list[np.ndarray]:
    """Split rows into groups of one length each, longest first; rows of length 0 are in none."""
    return [np.flatnonzero(lengths == n) for n in np.unique(lengths)[::-1] if n > 0]
