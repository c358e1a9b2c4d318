"""Where each token of a flat batch lies in the arrays that a recurrent kernel reads.

Everywhere outside the kernels a batch of sequences is *flat*: the tokens of all sequences one
after the other, ``(N, D)``, beside ``lengths (B,)`` on the CPU. Padding exists only in here, so it
can leak nowhere: a sequence gets the same values alone and in any batch.

A kernel reads its rows in *kernel order*, either as a padded time-major grid (``Padded``) or
packed as `torch.nn.utils.rnn.pack_padded_sequence` packs (``Packed``). Both only hold indices:
moving between flat and kernel order is one `index_select`, and a direction that runs from right to
left reads every row reversed within its own length.
"""

from __future__ import annotations

from typing import Optional, Union

import numpy as np
import torch
from torch import Tensor


class Together:
    """Rows of one length in a ``(T, B)`` grid, which are there already, in their own order."""

    def __init__(self, n_rows: int):
        self.n_rows = n_rows

    def reverse(self, x: Tensor) -> Tensor:
        """(T, B, D) -> (T, B, D), from right to left."""
        return x.flip(0)

    def spread(self, mask: Tensor) -> Tensor:
        """One vector a row (B, D), broadcastable over the grid: (1, B, D)."""
        return mask.unsqueeze(0)


class Padded:
    """Rows of similar length in a ``(T, B)`` grid, longest row first.

    lengths: int64 array (B,), descending, at least 1.
    starts: int64 array (B,), the flat position at which each row starts.
    """

    def __init__(self, lengths: np.ndarray, starts: np.ndarray, device: torch.device):
        self.lengths = lengths
        self.steps, self.n_rows = int(lengths[0]), len(lengths)
        # shape: (T, 1), (B,) -> (T, B)
        time = np.arange(self.steps)[:, None]
        real = time < lengths
        # Padding repeats the row's last token: finite, never read again, without gradient.
        self.source = _tensor(starts + np.minimum(time, lengths - 1), device)
        rows = np.arange(self.n_rows)
        reversed_time = np.where(real, lengths - 1 - time, time)
        self._reverse = reversed_time * self.n_rows + rows
        self._device = device
        #: for each token of the rows, row after row, its position in kernel order
        self.positions = (time * self.n_rows + rows).T[real.T]

    def reverse(self, x: Tensor) -> Tensor:
        """(T, B, D) -> (T, B, D), each row reversed within its own length."""
        flat = x.reshape(self.steps * self.n_rows, -1)
        return flat.index_select(0, _tensor(self._reverse, self._device)).view(x.shape)

    def gather(self, x: Tensor, tokens: Optional[Tensor] = None) -> Tensor:
        """Rows of x (U, D), one a flat token or those that `tokens` names -> (T, B, D)."""
        return _rows(x, self.source, tokens).view(self.steps, self.n_rows, x.shape[1])

    def spread(self, mask: Tensor) -> Tensor:
        """One vector a row (B, D), broadcastable over kernel order: (1, B, D)."""
        return mask.unsqueeze(0)

    @property
    def size(self) -> int:
        return self.steps * self.n_rows


class Packed:
    """Rows packed time step by time step, longest row first; no padding at all.

    Same arguments as `Padded`; kernel order is one axis (N,).
    """

    def __init__(self, lengths: np.ndarray, starts: np.ndarray, device: torch.device):
        self.lengths = lengths
        self.n_rows = len(lengths)
        time = np.arange(int(lengths[0]))[:, None]
        real = time < lengths
        self.batch_sizes = torch.from_numpy(real.sum(1))
        step, row = np.nonzero(real)
        self.source = _tensor(starts[row] + step, device)
        self._rows = _tensor(row, device)
        # Position of (step, row) in packed order: all steps before, rows before it in its step.
        first = np.cumsum(real.sum(1)) - real.sum(1)
        self._reverse = _tensor(first[lengths[row] - 1 - step] + row, device)
        self.positions = (first[:, None] + np.arange(self.n_rows)).T[real.T]

    def reverse(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, D), each row reversed within its own length."""
        return x.index_select(0, self._reverse)

    def gather(self, x: Tensor, tokens: Optional[Tensor] = None) -> Tensor:
        """Rows of x (U, D), one a flat token or those that `tokens` names -> packed (N, D)."""
        return _rows(x, self.source, tokens)

    def spread(self, mask: Tensor) -> Tensor:
        """One vector a row (B, D) -> one a packed token (N, D)."""
        return mask.index_select(0, self._rows)

    def total(self, x: Tensor) -> Tensor:
        """One number a packed token (N,) -> their sum in each row (B,)."""
        return x.new_zeros(self.n_rows).index_add(0, self._rows, x)

    @property
    def size(self) -> int:
        return int(self.lengths.sum())


Layout = Union[Padded, Packed]
#: what kernels read rows of
Grid = Union[Layout, Together]


def _rows(x: Tensor, source: Tensor, tokens: Optional[Tensor]) -> Tensor:
    return x.index_select(0, source if tokens is None else tokens.index_select(0, source))


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Flat position at which each sequence starts: (B,) -> (B,)."""
    return np.cumsum(lengths) - lengths


def spans(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The places of stretches of rows, one stretch after the other: (B,), (B,) -> (N,)."""
    return np.repeat(starts - offsets(sizes), sizes) + np.arange(sizes.sum())


def group_by_length(lengths: np.ndarray, overhead: float) -> list[np.ndarray]:
    """Split rows into groups that are cheap to pad, as index arrays, longest rows first.

    A padded group of n rows costs ``steps * (n + overhead)``: `overhead` is the price of one time
    step in rows. Minimizes the sum exactly, by dynamic programming over the distinct lengths.
    Rows of length 0 are in no group.
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


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(-1)).to(device, non_blocking=True)
