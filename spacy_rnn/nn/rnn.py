"""The recurrent encoder: stacked layers of any cell, in one or both directions."""

from __future__ import annotations

import copy
from typing import Any, Literal, Optional

import numpy as np
import torch
from torch import Tensor, nn

from . import onednn
from .dropout import LockedDropout, drop_weights
from .init import init_recurrent
from .layout import (
    Grid,
    Layout,
    Packed,
    Padded,
    Together,
    group_by_equal_length,
    group_by_length,
    offsets,
    spans,
)
from .linear import Linear, linear

Cell = Literal["rnn_tanh", "rnn_relu", "gru", "lstm", "none"]
Direction = Literal["forward", "backward", "both"]
Kernel = Literal["padded", "packed"]

#: from this width on prediction with an LSTM is faster in oneDNN, whatever shapes come
WIDE = 64

_MODULES = {"rnn_tanh": nn.RNN, "rnn_relu": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_FUNCTIONS: dict[str, Any] = {
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
    "gru": torch.gru,
    "lstm": torch.lstm,
}


def choose_kernel(cell: str, hidden_size: int, training: bool, device: torch.device) -> Kernel:
    """The better of two kernels that agree to 1e-5.

    On a CPU training is up to twice as fast on padded rows, where torch runs oneDNN, and so is
    prediction with a wide LSTM. Other cells and narrow layers do not gain by it, and oneDNN
    compiles a kernel for each new shape: they take packed rows in prediction
    (benchmarks/kernels.py). On a CUDA device cuDNN takes packed rows as they are; other devices
    know padded ones only.
    """
    if device.type == "cuda" or cell == "none":
        return "packed"
    gains = training or (cell == "lstm" and hidden_size >= WIDE)
    return "padded" if gains or device.type != "cpu" else "packed"


def step_overhead(input_size: int, hidden_size: int, training: bool) -> float:
    """The fixed price of one time step of a padded kernel, in rows.

    Starting a step costs about as much as the arithmetic of 6 rows in a wide layer and of 40 in a
    narrow one (measured by benchmarks/kernels.py). In prediction, without a backward pass, that
    weighs twice as much, and a kernel is compiled for each group of rows: twice that again.
    """
    price = 5.0 + 65_000.0 / (hidden_size * (input_size + hidden_size))
    return price if training else 4.0 * price


class FeedForward(nn.Module):
    """The cell without recurrence: y = tanh(W x + b), the floor of every comparison."""

    def __init__(self, input_size: int, output_size: int):
        super().__init__()
        self.linear = Linear(input_size, output_size)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.linear(x))


class Encoder(nn.Module):
    """Encode flat sequences: the vectors of their tokens -> states (N, output_size).

    The vectors come as x (U, input_size), of distinct words, and tokens, int64 (N,), the row of x
    of each token: so each vector is copied once, to where a kernel reads it. Without `tokens` each
    token has its own row.

    input_size: width of a token's vector.
    cell: ``rnn_tanh``, ``rnn_relu`` (Elman 1990), ``gru`` (Cho et al. 2014), ``lstm`` (Hochreiter
        and Schmidhuber 1997, with the forget gate of Gers et al. 2000), or ``none``: a feed-forward
        layer of the same width.
    direction: ``forward``, ``backward`` or ``both`` (Schuster and Paliwal 1997), concatenated.
    hidden_size: width of one direction's state.
    depth: number of stacked layers.
    recurrent_dropout: rate of weight-drop on hidden-to-hidden weights (Merity et al. 2018).
    residual: add a layer's input to its output wherever both have the same width.
    layer_norm: normalize each layer's output (Ba et al. 2016).
    chrono_length: see `spacy_rnn.nn.init.init_recurrent`.

    Locked dropout acts on the input of every layer and on the output of the last.
    """

    def __init__(
        self,
        input_size: int,
        *,
        cell: Cell = "lstm",
        direction: Direction = "both",
        hidden_size: int = 200,
        depth: int = 2,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
        chrono_length: int = 0,
    ):
        super().__init__()
        onednn.limit_caches()
        self.cell = cell
        self.direction = direction
        self.hidden_size = hidden_size
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.input_size = input_size
        self.output_size = hidden_size * (2 if direction == "both" else 1)
        self.dropout = LockedDropout()
        sizes = [input_size] + [self.output_size] * (depth - 1)
        self.layers = nn.ModuleList(self._make_layer(size, chrono_length) for size in sizes)
        self.norms = nn.ModuleList(
            nn.LayerNorm(self.output_size) if layer_norm else nn.Identity() for _ in sizes
        )
        #: set to force one kernel; None lets `choose_kernel` decide
        self.kernel: Optional[Kernel] = None

    def _make_layer(self, input_size: int, chrono_length: int) -> nn.Module:
        if self.cell == "none":
            return FeedForward(input_size, self.output_size)
        options = {"nonlinearity": self.cell[4:]} if self.cell.startswith("rnn_") else {}
        layer = _MODULES[self.cell](
            input_size, self.hidden_size, bidirectional=self.direction == "both", **options
        )
        init_recurrent(layer, self.cell, chrono_length)
        return layer

    def forward(self, x: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None) -> Tensor:
        """lengths: int64 (B,) on the CPU, summing to N. Zero is a length."""
        kernel = self.kernel or choose_kernel(self.cell, self.hidden_size, self.training, x.device)
        rows = lengths.numpy()
        if kernel == "padded":
            groups = group_by_length(rows, self._step_overhead())
            layouts: list[Layout] = [Padded(rows[g], offsets(rows)[g], x.device) for g in groups]
        else:
            order = np.argsort(-rows, kind="stable")[: np.count_nonzero(rows)]
            groups = [order] if len(order) else []
            layouts = [Packed(rows[g], offsets(rows)[g], x.device) for g in groups]
        return self._encode(x, rows, tokens, groups, layouts, None)[0]

    def step(
        self,
        x: Tensor,
        lengths: Tensor,
        tokens: Optional[Tensor] = None,
        state: Optional[Tensor] = None,
        longest: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Like `forward`, one direction only, from a state to a state, so that a long sequence can
        come in pieces: forward cells take its pieces from the left, backward ones from the right.

        state: (S, depth, B, H), where S is 2 for an LSTM (hidden and cell state), 1 for others;
            None starts from zeros. Returns the encoded tokens and the state after each row's last
            step; a row of length 0 keeps its state.
        longest: only the longest rows are to go on: the states of others are not theirs. Rows of
            similar length are then read together.
        """
        self._check_direction()
        rows = lengths.numpy()
        if state is None:
            state = x.new_zeros(self.state_size(len(rows)))
        if longest:
            groups = group_by_length(rows, self._step_overhead())
        else:
            groups = group_by_equal_length(rows)
        # Rows of one length all end at the kernel's last step, so that its state is theirs.
        layouts: list[Layout] = [Padded(rows[g], offsets(rows)[g], x.device) for g in groups]
        return self._encode(x, rows, tokens, groups, layouts, state)

    def read(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`step` of rows of one length, (T, B, input_size) -> (T, B, output_size): as they need
        not be brought in order, a single step of them costs little more than its kernel."""
        self._check_direction()
        y, final = self._encode_group(Together(x.shape[1]), x, self._weights(), state)
        assert final is not None
        # A kernel in half precision gives states in half precision.
        return y, final.to(state.dtype)

    def lowest(self, depth: int) -> Encoder:
        """The encoder of its lowest layers alone, which shares their weights."""
        part = copy.copy(self)
        part._modules = self._modules.copy()
        part.layers, part.norms = self.layers[:depth], self.norms[:depth]
        return part

    def _check_direction(self) -> None:
        if self.direction == "both":
            raise ValueError("A state can be carried in one direction only, not in both.")

    def _step_overhead(self) -> float:
        return step_overhead(self.input_size, self.hidden_size, self.training)

    def state_size(self, n_rows: int) -> tuple[int, int, int, int]:
        """Shape of a state: (S, depth, B, H)."""
        return (2 if self.cell == "lstm" else 1, len(self.layers), n_rows, self.hidden_size)

    def _encode(
        self,
        x: Tensor,
        rows: np.ndarray,
        tokens: Optional[Tensor],
        groups: list[np.ndarray],
        layouts: list[Layout],
        state: Optional[Tensor],
    ) -> tuple[Tensor, Tensor]:
        final = x.new_zeros(0) if state is None else state.clone()
        if not layouts:
            return x.new_zeros(0, self.output_size), final
        weights = self._weights()
        outputs = []
        positions = np.empty(rows.sum(), dtype=np.int64)
        starts = offsets(rows)
        base = 0
        for group, layout in zip(groups, layouts, strict=True):
            group_state = None if state is None else state[:, :, torch.from_numpy(group)]
            vectors = layout.gather(x, tokens)
            output, group_final = self._encode_group(layout, vectors, weights, group_state)
            outputs.append(output.reshape(layout.size, self.output_size))
            positions[spans(starts[group], rows[group])] = layout.positions + base
            base += layout.size
            if group_final is not None:
                # A kernel in half precision gives states in half precision.
                final[:, :, torch.from_numpy(group)] = group_final.to(final.dtype)
        together = torch.cat(outputs) if len(outputs) > 1 else outputs[0]
        return together.index_select(0, torch.from_numpy(positions).to(x.device)), final

    def _weights(self) -> list[list[list[Tensor]]]:
        """Of each layer and direction: input and hidden weights and biases, weight-drop applied."""
        return self.dropout.once("weights", lambda: [self._dropped(layer) for layer in self.layers])

    def _dropped(self, layer: Any) -> list[list[Tensor]]:
        if self.cell == "none":
            return []
        return [
            [w_ih, drop_weights(w_hh, self.recurrent_dropout, self.training), b_ih, b_hh]
            for w_ih, w_hh, b_ih, b_hh in layer.all_weights
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
            if self.cell == "none":
                y = layer(x)
            else:
                y, final = self._run(layout, x, weights[k], None if state is None else state[:, k])
                finals.append(final)
            y = norm(y)
            if self.residual and y.shape == x.shape:
                y = y + x
            x = self._drop(layout, y, k + 1)
        if state is None:
            return x, None
        return x, torch.stack(finals, dim=1) if finals else state

    def _drop(self, layout: Grid, x: Tensor, place: int) -> Tensor:
        mask = self.dropout.mask(layout.n_rows, x.shape[-1], x, place)
        return x if mask is None else x * layout.spread(mask)

    def _run(
        self, layout: Grid, x: Tensor, weights: list[list[Tensor]], state: Optional[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """One recurrent layer over one group; returns its output and its last states (S, B, H)."""
        if isinstance(layout, Packed) and self.direction == "both":
            return self._kernel(layout, x, weights[0] + weights[1], state)
        outputs = []
        last = x
        reversals = {"forward": [False], "backward": [True], "both": [False, True]}
        for reverse, direction_weights in zip(reversals[self.direction], weights, strict=True):
            source = layout.reverse(x) if reverse else x
            output, last = self._kernel(layout, source, direction_weights, state)
            outputs.append(layout.reverse(output) if reverse else output)
        return (torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]), last

    def _kernel(
        self, layout: Grid, x: Tensor, weights: list[Tensor], state: Optional[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """torch's own kernel of one layer. weights: of one direction, or of both in one list."""
        directions = len(weights) // 4
        n_states = 2 if self.cell == "lstm" else 1
        if state is None:
            zeros = x.new_zeros(directions, layout.n_rows, self.hidden_size)
            states = [zeros] * n_states
        else:
            # cuDNN takes no others.
            states = [part.unsqueeze(0).contiguous() for part in state]
        if self.cell == "lstm" and _is_step(layout, x):
            return _lstm_step(x, states, weights)
        if x.is_cuda and torch.is_autocast_enabled():
            # torch's autocast would run cuDNN's kernels in float16 even where it is told to use
            # bfloat16, whose range is that of float32.
            dtype = _autocast_dtype()
            x, weights, states = (
                x.to(dtype),
                [weight.to(dtype) for weight in weights],
                [part.to(dtype) for part in states],
            )
            with torch.autocast("cuda", enabled=False):
                return self._run_torch(layout, x, weights, states)
        return self._run_torch(layout, x, weights, states)

    def _run_torch(
        self, layout: Grid, x: Tensor, weights: list[Tensor], states: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        function = _FUNCTIONS[self.cell]
        initial = tuple(states) if len(states) == 2 else states[0]
        bidirectional = len(weights) > 4
        # In training mode kernels keep what gradients need, which cuDNN does in no other.
        train = torch.is_grad_enabled()
        if isinstance(layout, Packed):
            output, *last = function(
                x, layout.batch_sizes, initial, weights, True, 1, 0.0, train, bidirectional
            )
        else:
            output, *last = function(x, initial, weights, True, 1, 0.0, train, bidirectional, False)
        return output, torch.cat(last)


def _autocast_dtype() -> torch.dtype:
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype("cuda")
    return torch.get_autocast_gpu_dtype()  # torch 2.3


def _is_step(layout: Grid, x: Tensor) -> bool:
    """Whether `_lstm_step` is faster than torch's kernel."""
    one = isinstance(layout, Together) and len(x) == 1
    return one and x.device.type == "cpu" and not torch.is_grad_enabled()


def _lstm_step(x: Tensor, states: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """One step of an LSTM, (1, B, D). torch's kernel costs twice as much for a few rows: it lays
    its weights out anew at each call."""
    w_ih, w_hh, b_ih, b_hh = weights
    h, c = states
    gates = linear(x, w_ih, b_ih).add_(linear(h, w_hh, b_hh))
    enters, stays, new, leaves = gates.chunk(4, dim=2)
    c = stays.sigmoid() * c + enters.sigmoid() * new.tanh()
    h = leaves.sigmoid() * c.tanh()
    return h, torch.cat([h, c])


def final_states(x: Tensor, lengths: Tensor, direction: Direction) -> Tensor:
    """The true last state of each direction: flat (N, H or 2H) -> (B, H or 2H).

    A forward state is read at a row's last token, a backward one at its first. Empty rows give
    zeros.
    """
    sizes = lengths.numpy()
    if not len(x):
        return x.new_zeros(len(sizes), x.shape[1])
    first = np.minimum(offsets(sizes), len(x) - 1)
    last = np.maximum(offsets(sizes) + sizes - 1, 0)
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
