"""Flat batches of sequences, and where their tokens lie in the arrays that a kernel reads.

Everywhere outside the kernels a batch of sequences is *flat*: the tokens of all sequences one
after the other, ``(N, D)``, beside ``lengths (B,)`` on the CPU. Padding exists only in here, so it
cannot leak: a sequence gets the same values alone and in any batch.

A kernel reads its rows in *kernel order*, either as a padded time-major grid (``Padded``) or
packed as `torch.nn.utils.rnn.pack_padded_sequence` packs (``Packed``). Both only hold indices:
moving between flat and kernel order is one `index_select`, and a direction that runs from right to
left reads every row reversed within its own length.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from .ragged import Carry, group_by_equal_length, group_by_length, offsets, ranges


class Overlap(NamedTuple):
    """Windows that are read with tokens of their neighbors as context.

    kept (Tensor): Tokens of a batch whose states are used, int64 (K,); the others are context.
    lengths (Tensor): Kept tokens of each window, int64 (B,) on the CPU.
    """

    kept: Tensor
    lengths: Tensor


class FlatBatch(NamedTuple):
    """The input of an encoder: sequences of vectors, or windows of them.

    vectors (Tensor): Distinct vectors, (U, D).
    lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
    tokens (Optional[Tensor]): Vector of each token, int64 (N,); None if each token has its own.
    carry (Optional[Carry]): For windows of one sequence that are read one after the other.
    overlap (Optional[Overlap]): For windows that overlap.
    """

    vectors: Tensor
    lengths: Tensor
    tokens: Optional[Tensor] = None
    carry: Optional[Carry] = None
    overlap: Optional[Overlap] = None


class UniformBatch:
    """Rows of one length that already lie in a ``(T, B)`` grid, in their own order.

    n_rows (int): The number of rows.
    """

    def __init__(self, n_rows: int):
        self.n_rows = n_rows

    def reverse(self, x: Tensor) -> Tensor:
        """(T, B, D) -> (T, B, D), from right to left."""
        return x.flip(0)

    def broadcast(self, mask: Tensor) -> Tensor:
        """A vector for each row (B, D), broadcastable over the grid: (1, B, D)."""
        return mask.unsqueeze(0)


class Padded:
    """Rows of similar length in a ``(T, B)`` grid, longest row first.

    lengths (np.ndarray): Length of each row, int64 (B,), descending, at least 1.
    starts (np.ndarray): Flat position at which each row starts, int64 (B,).
    device (torch.device): Device of the indices.
    steps (Optional[int]): The steps of the grid; None for the length of the longest row.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        starts: np.ndarray,
        device: torch.device,
        steps: Optional[int] = None,
    ):
        self.lengths = lengths
        self.steps, self.n_rows = steps or int(lengths[0]), len(lengths)
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
        """Rows of x (U, D), one for each flat token or those that `tokens` names -> (T, B, D)."""
        return _rows(x, self.source, tokens).view(self.steps, self.n_rows, x.shape[1])

    def broadcast(self, mask: Tensor) -> Tensor:
        """A vector for each row (B, D), broadcastable over kernel order: (1, B, D)."""
        return mask.unsqueeze(0)

    @property
    def size(self) -> int:
        return self.steps * self.n_rows


class Packed:
    """Rows packed time step by time step, longest row first, without padding.

    The arguments are those of `Padded` without steps; kernel order is one axis (N,).
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
        """Rows of x (U, D), one for each flat token or those that `tokens` names -> (N, D)."""
        return _rows(x, self.source, tokens)

    def broadcast(self, mask: Tensor) -> Tensor:
        """A vector for each row (B, D) -> one for each packed token (N, D)."""
        return mask.index_select(0, self._rows)

    def total(self, x: Tensor) -> Tensor:
        """A number for each packed token (N,) -> their sum in each row (B,)."""
        return x.new_zeros(self.n_rows).index_add(0, self._rows, x)

    @property
    def size(self) -> int:
        return int(self.lengths.sum())


Layout = Union[Padded, Packed]
LayoutName = Literal["padded", "packed"]
#: the layouts that kernels read
Grid = Union[Layout, UniformBatch]


class BatchLayout:
    """All rows of a flat batch in groups that a kernel reads together.

    lengths (np.ndarray): Length of each row, int64 (B,). Rows of length 0 are in no group.
    groups (Sequence[np.ndarray]): Rows of each group, longest first.
    kind (type): `Padded` or `Packed`.
    device (torch.device): Device of the indices.

    layouts (list[Layout]): The layout of each group.
    positions (Tensor): Position of each flat token in the kernel orders of the groups, one group
        after the other, int64 (N,).
    """

    def __init__(
        self,
        lengths: np.ndarray,
        groups: Sequence[np.ndarray],
        kind: type[Layout],
        device: torch.device,
    ):
        starts = offsets(lengths)
        self.groups = groups
        self.layouts = [kind(lengths[rows], starts[rows], device) for rows in groups]
        positions = np.empty(lengths.sum(), dtype=np.int64)
        base = 0
        for rows, layout in zip(groups, self.layouts, strict=True):
            positions[ranges(starts[rows], lengths[rows])] = layout.positions + base
            base += layout.size
        self.positions = _tensor(positions, device)

    @classmethod
    def padded(cls, lengths: np.ndarray, overhead: float, device: torch.device) -> BatchLayout:
        """Rows of similar length in padded grids; see `group_by_length`."""
        return cls(lengths, group_by_length(lengths, overhead), Padded, device)

    @classmethod
    def unpadded(cls, lengths: np.ndarray, device: torch.device) -> BatchLayout:
        """Rows of equal length in grids, so that all of a grid end at its last step."""
        return cls(lengths, group_by_equal_length(lengths), Padded, device)

    @classmethod
    def packed(cls, lengths: np.ndarray, device: torch.device) -> BatchLayout:
        """All rows in one packed group."""
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        return cls(lengths, [order] if len(order) else [], Packed, device)

    def flatten(self, outputs: Sequence[Tensor]) -> Tensor:
        """Bring a kernel's outputs, (T, B, H) or (N, H) of each group, into flat order (N, H)."""
        flat = [output.reshape(-1, output.shape[-1]) for output in outputs]
        joined = torch.cat(flat) if len(flat) > 1 else flat[0]
        return joined.index_select(0, self.positions)


def _rows(x: Tensor, source: Tensor, tokens: Optional[Tensor]) -> Tensor:
    return x.index_select(0, source if tokens is None else tokens.index_select(0, source))


def choose_layout(
    padded_from: Optional[int], hidden_size: int, training: bool, device: torch.device
) -> LayoutName:
    """Return the faster of two layouts, whose results agree to 1e-5.

    On a CPU training is up to twice as fast on padded rows, where torch runs oneDNN, and so is
    prediction with a wide LSTM. Other cells and narrow layers do not gain by it, and oneDNN
    compiles a kernel for each new shape: they take packed rows in prediction
    (benchmarks/kernels.py). On a CUDA device cuDNN takes packed rows as they are; other devices
    know padded ones only.

    padded_from (Optional[int]): The cell's hidden size from which padded rows are faster in
        prediction on a CPU; None if they never are.
    """
    if device.type == "cuda":
        return "packed"
    gains = training or (padded_from is not None and hidden_size >= padded_from)
    return "padded" if gains or device.type != "cpu" else "packed"


def round_up(length: int) -> int:
    """Return the steps of the grid of a single row: 8 numbers between a power of 2 and the next, at
    least 8 steps. oneDNN compiles a kernel for each number of steps, which costs more than to read
    one row, and keeps few of them."""
    unit = max(8, (1 << length.bit_length()) // 16)
    return -(-length // unit) * unit


def step_overhead(input_size: int, hidden_size: int, training: bool) -> float:
    """Return the fixed price of one time step of a padded kernel, in rows.

    Starting a step costs about as much as the arithmetic of 6 rows in a wide layer and of 40 in a
    narrow one (measured by benchmarks/kernels.py). In prediction, without a backward pass, that
    weighs twice as much, and a kernel is compiled for each group of rows: twice that again.
    """
    price = 5.0 + 65_000.0 / (hidden_size * (input_size + hidden_size))
    return price if training else 4.0 * price


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(-1)).to(device, non_blocking=True)
