"""The table of cells, in which each kind of layer of an encoder is one entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

import torch
from torch import Tensor, nn

from .entry_points import add_entry_points
from .layout import Grid, Packed
from .linear import linear, xavier_linear

#: one time step of a cell. From the product of the input and the input weights (B, gates * H), the
#: states (B, H) before the step, and the hidden weights and biases: the states after it, of which
#: the first is the output
Step = Callable[[Tensor, Sequence[Tensor], Tensor, Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Cell:
    """A kind of layer. One with neither `function` nor `step` has no recurrence: its module is
    called.

    gates (str): One letter for each gate, in the order in which they are stacked in the weights.
    function (Optional[Callable]): torch's kernel of a layer, such as `torch.lstm`.
    step (Optional[Step]): The time step, for a cell without a `function`, or if it is faster than
        that for a single step of a few rows.
    layer (Optional[Callable[..., nn.Module]]): Makes the module of one layer, of input_size,
        hidden_size and bidirectional; None for a `RecurrentLayer`.
    n_states (int): States of one direction, such as the hidden and the cell state of an LSTM.
    keep_gate (Optional[str]): The gate that decides what share of its state the cell keeps, if it
        has one; its bias sets how long memories last.
    write_gate (Optional[str]): The gate that decides what share of the input is written, if it is
        not the rest of what is kept.
    keep_bias (float): The bias with which `keep_gate` starts.
    padded_from (Optional[int]): The hidden size from which prediction on a CPU is faster on padded
        rows than on packed ones; None if it never is.
    """

    gates: str
    function: Optional[Any] = None
    step: Optional[Step] = None
    layer: Optional[Callable[..., nn.Module]] = None
    n_states: int = 1
    keep_gate: Optional[str] = None
    write_gate: Optional[str] = None
    keep_bias: float = 0.0
    padded_from: Optional[int] = None

    @property
    def is_recurrent(self) -> bool:
        """True if a step depends on the one before it."""
        return self.function is not None or self.step is not None

    def make_layer(self, input_size: int, hidden_size: int, bidirectional: bool) -> nn.Module:
        """Return the module of one layer, with torch's initial weights."""
        make = self.layer or partial(RecurrentLayer, n_gates=len(self.gates))
        return make(input_size, hidden_size, bidirectional=bidirectional)


class RecurrentLayer(nn.Module):
    """The weights of one layer of a cell that torch has no module of, named and shaped as those of
    torch's modules.

    n_gates (int): Gates that are stacked in each weight.
    """

    def __init__(self, input_size: int, hidden_size: int, *, bidirectional: bool, n_gates: int):
        super().__init__()
        self.hidden_size = hidden_size
        n = n_gates * hidden_size
        shapes = {
            "weight_ih": (n, input_size),
            "weight_hh": (n, hidden_size),
            "bias_ih": (n,),
            "bias_hh": (n,),
        }
        self._names = []
        for suffix in ["_l0", "_l0_reverse"] if bidirectional else ["_l0"]:
            self._names.append([name + suffix for name in shapes])
            for name, shape in shapes.items():
                self.register_parameter(name + suffix, nn.Parameter(torch.zeros(shape)))

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights of each direction, as of `nn.RNNBase`."""
        return [[self.get_parameter(name) for name in names] for names in self._names]


class FeedForward(nn.Module):
    """The layer without recurrence, the baseline of every comparison: y = tanh(W x + b)."""

    def __init__(self, input_size: int, hidden_size: int, *, bidirectional: bool):
        super().__init__()
        self.linear = xavier_linear(input_size, hidden_size * (2 if bidirectional else 1))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., H or 2H)."""
        return torch.tanh(self.linear(x))


def loop_over_steps(
    step: Step, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Run a layer of one direction step by step; see `spacy_rnn.nn.rnn.run_cell`."""
    w_ih, w_hh, b_ih, b_hh = weights
    inputs = linear(x, w_ih, b_ih)
    if isinstance(grid, Packed):
        steps, join = inputs.split(grid.batch_sizes.tolist()), torch.cat
    else:
        steps, join = inputs.unbind(), torch.stack
    current = [state[0] for state in states]
    outputs = []
    for gates in steps:
        n = len(gates)
        after = step(gates, [state[:n] for state in current], w_hh, b_hh)
        outputs.append(after[0])
        # Packed rows that have ended keep their states.
        current = [
            torch.cat([new, old[n:]]) if n < len(old) else new
            for new, old in zip(after, current, strict=True)
        ]
    return join(outputs), torch.stack(current)


def _lstm_step(
    gates: Tensor, states: Sequence[Tensor], w_hh: Tensor, b_hh: Tensor
) -> Sequence[Tensor]:
    """One step of an LSTM. torch's kernel costs twice as much for a few rows: it lays its weights
    out anew at each call."""
    h, c = states
    i, f, g, o = (gates + linear(h, w_hh, b_hh)).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


#: every cell that the setting `cell` of an encoder can name. In torch's GRU, z is the share of the
#: state that is kept
CELLS: dict[str, Cell] = {
    "rnn_tanh": Cell("h", torch.rnn_tanh, layer=partial(nn.RNN, nonlinearity="tanh")),
    "rnn_relu": Cell("h", torch.rnn_relu, layer=partial(nn.RNN, nonlinearity="relu")),
    "gru": Cell("rzn", torch.gru, layer=nn.GRU, keep_gate="z"),
    "lstm": Cell(
        "ifgo",
        torch.lstm,
        _lstm_step,
        nn.LSTM,
        n_states=2,
        keep_gate="f",
        write_gate="i",
        keep_bias=1.0,
        padded_from=64,
    ),
    "none": Cell("", layer=FeedForward),
}


def cell_names(recurrent: bool = False) -> list[str]:
    """Return the names of the cells.

    recurrent (bool): Leave out those without recurrence.
    """
    return [name for name, cell in CELLS.items() if cell.is_recurrent or not recurrent]


def check_cell(name: str, recurrent: bool = False) -> None:
    """Check the name of a cell. Those of other packages are their entry points of the group
    "spacy_rnn_cells".

    recurrent (bool): Allow cells with recurrence only.
    RAISES (ValueError): If there is no such cell.
    """
    if name not in CELLS:
        add_entry_points(CELLS, "spacy_rnn_cells")
    names = cell_names(recurrent)
    if name not in names:
        raise ValueError(f"'cell' must be one of {', '.join(names)}, got {name!r}.")
