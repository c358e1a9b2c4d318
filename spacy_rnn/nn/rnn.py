"""The encoder, which stacks layers of any cell in one or both directions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor, nn

from . import onednn
from .cells import CELLS, Cell, check_cell, loop_over_steps
from .dropout import LockedDropout, drop_weights
from .init import init_recurrent
from .layout import (
    BatchLayout,
    FlatBatch,
    Grid,
    LayoutName,
    Packed,
    Padded,
    UniformBatch,
    choose_layout,
    round_up,
    step_overhead,
)
from .options import REVERSED, Direction
from .precision import half_precision


class Encoder(nn.Module):
    """Stacked layers of a cell, which encode flat sequences: vectors of tokens -> states.

    Locked dropout acts on the input of every layer and on the output of the last.

    input_size (int): Width of a token's vector.
    cell (str): Name of the cell in `spacy_rnn.nn.cells.CELLS`: ``rnn_tanh``, ``rnn_relu`` (Elman
        1990), ``gru`` (Cho et al. 2014), ``lstm`` (Hochreiter and Schmidhuber 1997, with the forget
        gate of Gers et al. 2000), or ``none``, a feed-forward layer of the same width.
    direction (str): ``forward``, ``backward`` or ``both`` (Schuster and Paliwal 1997),
        concatenated.
    hidden_size (int): Width of one direction's state.
    depth (int): Number of stacked layers.
    recurrent_dropout (float): Rate of weight-drop on hidden-to-hidden weights (Merity et al. 2018).
    residual (bool): Add a layer's input to its output where both have the same width.
    layer_norm (bool): Normalize each layer's output (Ba et al. 2016).
    chrono_length (int): See `spacy_rnn.nn.init.init_recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        *,
        cell: str,
        direction: Direction,
        hidden_size: int,
        depth: int,
        recurrent_dropout: float,
        residual: bool,
        layer_norm: bool,
        chrono_length: int,
    ):
        super().__init__()
        check_cell(cell)
        onednn.limit_caches()
        self.cell = cell
        #: True if a token's state depends on other tokens
        self.is_recurrent = CELLS[cell].is_recurrent
        self.direction = direction
        self.hidden_size = hidden_size
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.input_size = input_size
        self.output_size = hidden_size * len(REVERSED[direction])
        self.dropout = LockedDropout()
        sizes = [input_size] + [self.output_size] * (depth - 1)
        self.layers = nn.ModuleList(self._make_layer(size, chrono_length) for size in sizes)
        self.norms = nn.ModuleList(
            nn.LayerNorm(self.output_size) if layer_norm else nn.Identity() for _ in sizes
        )
        #: set to force one layout; None for the faster one
        self.layout: Optional[LayoutName] = None

    def _make_layer(self, input_size: int, chrono_length: int) -> nn.Module:
        cell = CELLS[self.cell]
        layer = cell.make_layer(input_size, self.hidden_size, self.direction == "both")
        if self.is_recurrent:
            init_recurrent(layer, cell, chrono_length)
        return layer

    def forward(self, x: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None) -> Tensor:
        """Encode whole sequences.

        x (Tensor): Vectors (U, input_size), those of the tokens, or of distinct words, so that each
            vector is copied once, to where a kernel reads it.
        lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU, summing to N; may be 0.
        tokens (Optional[Tensor]): The row of x of each token, int64 (N,); None if each token has
            its own.
        RETURNS (Tensor): The state of each token, (N, output_size).
        """
        if len(lengths) == 1 and self.layout is None:
            return self._encode_one(x, tokens)
        rows = lengths.numpy()
        if self._choose_layout(x.device) == "padded":
            layout = BatchLayout.padded(rows, self._step_overhead(), x.device)
        else:
            layout = BatchLayout.packed(rows, x.device)
        return self._encode(x, tokens, layout, None)[0]

    def _encode_one(self, x: Tensor, tokens: Optional[Tensor]) -> Tensor:
        """Encode the only sequence of a batch, (N, D) -> (N, H)."""
        n = len(x if tokens is None else tokens)
        if not n:
            return x.new_zeros(0, self.output_size)
        grid: Grid
        if self._choose_layout(x.device) == "padded":
            grid = Padded(
                np.array([n]), np.zeros(1, dtype=np.int64), x.device, self._steps_of_one(n)
            )
            vectors = grid.gather(x, tokens)
        else:
            # In kernel order as it is.
            grid = UniformBatch(1)
            vectors = (x if tokens is None else x.index_select(0, tokens)).unsqueeze(1)
        y, _ = self._encode_group(grid, vectors, self._weights(), None)
        return y[:n, 0]

    def read_batch(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """Encode a batch. The states of tokens that are only the context of a window are left out.

        batch (FlatBatch): Sequences, or windows of them.
        RETURNS (tuple[Tensor, Tensor]): The states, (N, output_size), and how many each sequence
            has, int64 (B,) on the CPU.
        """
        vectors, lengths, tokens, carry, overlap = batch
        if carry is not None:
            states, carry.state = self.forward_stateful(vectors, lengths, tokens, carry.state)
        else:
            states = self(vectors, lengths, tokens)
        if overlap is None:
            return states, lengths
        return states.index_select(0, overlap.kept), overlap.lengths

    def forward_stateful(
        self,
        x: Tensor,
        lengths: Tensor,
        tokens: Optional[Tensor] = None,
        state: Optional[Tensor] = None,
        only_longest: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Encode like `forward`, from a state to a state and in one direction only, so that a long
        sequence can come in pieces: forward cells take its pieces from the left, backward ones from
        the right.

        x, lengths, tokens: See `forward`.
        state (Optional[Tensor]): (S, depth, B, H), see `state_size`; None for zeros.
        only_longest (bool): Only the longest rows continue: the states of others are not theirs.
            Rows of similar length are then read together.
        RETURNS (Tuple[Tensor, Tensor]): The states of the tokens, and the state after each row's
            last step; a row of length 0 keeps its state.
        RAISES (ValueError): If the encoder reads both directions.
        """
        self._check_direction()
        rows = lengths.numpy()
        if state is None:
            state = x.new_zeros(self.state_size(len(rows)))
        if only_longest:
            layout = BatchLayout.padded(rows, self._step_overhead(), x.device)
        else:
            # Rows of one length all end at the kernel's last step, so that its state is theirs.
            layout = BatchLayout.unpadded(rows, x.device)
        return self._encode(x, tokens, layout, state)

    def step_uniform(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode rows of one length like `forward_stateful`. As they need not be brought in order,
        a single step of them costs little more than its kernel.

        x (Tensor): (T, B, input_size).
        state (Tensor): (S, depth, B, H).
        RETURNS (Tuple[Tensor, Tensor]): The states of the tokens (T, B, output_size), and the state
            after the last step.
        """
        self._check_direction()
        y, final = self._encode_group(UniformBatch(x.shape[1]), x, self._weights(), state)
        assert final is not None
        # A kernel in half precision gives states in half precision.
        return y, final.to(state.dtype)

    def first_layers(self, depth: int) -> Encoder:
        """Return an encoder of the lowest layers, which shares their weights."""
        part = copy.copy(self)
        part._modules = self._modules.copy()
        part.layers, part.norms = self.layers[:depth], self.norms[:depth]
        return part

    def _check_direction(self) -> None:
        if self.direction == "both":
            raise ValueError("A state can be carried in one direction only, not in both.")

    def _choose_layout(self, device: torch.device) -> LayoutName:
        # Without recurrence a layer reads tokens in any order, and padding would only cost.
        if self.layout is not None or not self.is_recurrent:
            return self.layout or "packed"
        padded_from = CELLS[self.cell].padded_from
        return choose_layout(padded_from, self.hidden_size, self.training, device)

    def _steps_of_one(self, length: int) -> int:
        """The steps of the padded grid of a single row."""
        return round_up(length)

    def _step_overhead(self) -> float:
        return step_overhead(self.input_size, self.hidden_size, self.training)

    def state_size(self, n_rows: int) -> tuple[int, int, int, int]:
        """Return the shape of a state: (S, depth, B, H)."""
        return (CELLS[self.cell].n_states, len(self.layers), n_rows, self.hidden_size)

    def _encode(
        self, x: Tensor, tokens: Optional[Tensor], batch: BatchLayout, state: Optional[Tensor]
    ) -> tuple[Tensor, Tensor]:
        final = x.new_zeros(0) if state is None else state.clone()
        if not batch.layouts:
            return x.new_zeros(0, self.output_size), final
        weights = self._weights()
        outputs = []
        for group, layout in zip(batch.groups, batch.layouts, strict=True):
            rows = torch.from_numpy(group)
            group_state = None if state is None else state[:, :, rows]
            vectors = layout.gather(x, tokens)
            output, group_final = self._encode_group(layout, vectors, weights, group_state)
            outputs.append(output)
            if group_final is not None:
                # A kernel in half precision gives states in half precision.
                final[:, :, rows] = group_final.to(final.dtype)
        return batch.flatten(outputs), final

    def _weights(self) -> list[list[list[Tensor]]]:
        """The weights of each layer and direction, as a kernel takes them, with weight-drop."""
        if self.training and self.recurrent_dropout:
            return self.dropout.cached("weights", self._dropped_weights)
        return self._stored_weights()

    def _stored_weights(self) -> list[list[list[Tensor]]]:
        layers: Any = self.layers
        return [layer.all_weights if self.is_recurrent else [] for layer in layers]

    def _dropped_weights(self) -> list[list[list[Tensor]]]:
        rate = self.recurrent_dropout
        return [
            [[w_ih, drop_weights(w_hh, rate, True), *biases] for w_ih, w_hh, *biases in directions]
            for directions in self._stored_weights()
        ]

    def _encode_group(
        self,
        layout: Grid,
        x: Tensor,
        weights: list[list[list[Tensor]]],
        state: Optional[Tensor],
    ) -> tuple[Tensor, Optional[Tensor]]:
        x = self._drop(layout, x, 0)
        finals = []
        for k, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            if self.is_recurrent:
                before = None if state is None else state[:, k]
                y, final = self._run_layer(layout, x, weights[k], before)
                finals.append(final)
            else:
                y = layer(x)
            y = norm(y)
            if self.residual and y.shape == x.shape:
                y = y + x
            x = self._drop(layout, y, k + 1)
        if state is None:
            return x, None
        return x, torch.stack(finals, dim=1) if finals else state

    def _drop(self, layout: Grid, x: Tensor, place: int) -> Tensor:
        if not self.training or not self.dropout.rate:
            return x
        mask = self.dropout.mask(layout.n_rows, x.shape[-1], x, place)
        return x if mask is None else x * layout.broadcast(mask)

    def _run_layer(
        self, layout: Grid, x: Tensor, weights: list[list[Tensor]], state: Optional[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """One recurrent layer over one group; returns its output and its last states (S, B, H)."""
        cell = CELLS[self.cell]
        if (
            self.direction == "both"
            and cell.function
            and isinstance(layout, (Packed, UniformBatch))
        ):
            zeros = self._zeros(layout, x, 2)
            return run_cell(cell, layout, x, zeros, weights[0] + weights[1])
        if state is None:
            states = self._zeros(layout, x, 1)
        else:
            # cuDNN takes no others.
            states = [part.unsqueeze(0).contiguous() for part in state]
        outputs = []
        last = x
        for reverse, direction_weights in zip(REVERSED[self.direction], weights, strict=True):
            source = layout.reverse(x) if reverse else x
            output, last = run_cell(cell, layout, source, states, direction_weights)
            outputs.append(layout.reverse(output) if reverse else output)
        return (torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]), last

    def _zeros(self, layout: Grid, x: Tensor, directions: int) -> list[Tensor]:
        """The states before the first step of a sequence, (directions, B, H) each."""
        zeros = x.new_zeros(directions, layout.n_rows, self.hidden_size)
        return [zeros] * CELLS[self.cell].n_states


def run_cell(
    cell: Cell, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Run one layer over rows, from left to right, or in both directions at once.

    cell (Cell): A cell with recurrence. One without a `function` runs in one direction.
    grid (Grid): Where the tokens of each row are in x; not padded for both directions.
    x (Tensor): Vectors (T, B, D), or (N, D) if packed.
    states (Sequence[Tensor]): The states before the first step, (directions, B, H) each.
    weights (Sequence[Tensor]): Input and hidden weights and biases of one direction, or those of
        both, one after the other.
    RETURNS (Tuple[Tensor, Tensor]): The outputs (T, B, H), or (N, H) if packed, and the states
        after the last step (states, B, H).
    """
    one_direction = len(weights) == 4
    if cell.step and (cell.function is None or one_direction and _is_single_step(grid, x)):
        return loop_over_steps(cell.step, grid, x, states, weights)
    dtype = half_precision(x)
    if dtype is None:
        return _run_torch(cell.function, grid, x, states, weights)
    if x.device.type == "cpu" and (cell.function is not torch.lstm or isinstance(grid, Packed)):
        # These kernels are not those of oneDNN, and slow in half precision.
        dtype = torch.float32
    states, weights = ([part.to(dtype) for part in parts] for parts in (states, weights))
    # torch's autocast would run cuDNN's kernels in float16 even where it is told to use bfloat16,
    # whose range is that of float32.
    with torch.autocast(x.device.type, enabled=False):
        return _run_torch(cell.function, grid, x.to(dtype), states, weights)


def _run_torch(
    function: Any, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    initial = tuple(states) if len(states) > 1 else states[0]
    both = len(weights) == 8
    # In training mode kernels keep what gradients need, which cuDNN does in no other.
    train = torch.is_grad_enabled()
    if isinstance(grid, Packed):
        output, *last = function(x, grid.batch_sizes, initial, weights, True, 1, 0.0, train, both)
    else:
        output, *last = function(x, initial, weights, True, 1, 0.0, train, both, False)
    return output, torch.cat(last)


def _is_single_step(grid: Grid, x: Tensor) -> bool:
    """True for one step of rows on a CPU, without gradients."""
    one = isinstance(grid, UniformBatch) and len(x) == 1
    return one and x.device.type == "cpu" and not torch.is_grad_enabled()


def final_states(x: Tensor, lengths: Tensor, direction: Direction) -> Tensor:
    """Return the true last state of each direction: that of a forward one is at a row's last token,
    that of a backward one at its first.

    x (Tensor): The states of the tokens of flat sequences, (N, H or 2H).
    lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
    direction (str): The direction of the encoder.
    RETURNS (Tensor): (B, H or 2H), zeros for empty sequences.
    """
    sizes = lengths.numpy()
    if not len(x):
        return x.new_zeros(len(sizes), x.shape[1])
    ends = np.cumsum(sizes)
    first = np.minimum(ends - sizes, len(x) - 1)
    last = np.maximum(ends - 1, 0)
    at_first, at_last = (
        x.index_select(0, torch.from_numpy(index).to(x.device)) for index in (first, last)
    )
    half = x.shape[1] // 2
    if direction == "forward":
        states = at_last
    elif direction == "backward":
        states = at_first
    else:
        states = torch.cat([at_last[:, :half], at_first[:, half:]], dim=1)
    empty = lengths.to(x.device).unsqueeze(1) == 0
    return states.masked_fill(empty, 0.0)
