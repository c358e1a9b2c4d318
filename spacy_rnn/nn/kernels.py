"""Kernels, which run one recurrent layer over one group of sequences, and the choice of layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Optional, Protocol

import torch
from torch import Tensor

from .layout import Grid, Packed, UniformBatch
from .linear import linear

LayoutName = Literal["padded", "packed"]
#: one time step of a cell. From the product of the input and the input weights (B, gates * H), the
#: states (B, H) before the step, and the hidden weights and biases: the states after it, of which
#: the first is the output
Step = Callable[[Tensor, Sequence[Tensor], Tensor, Tensor], Sequence[Tensor]]


class Kernel(Protocol):
    """Runs one layer over one group of sequences."""

    #: True if one call reads packed rows in both directions
    bidirectional: ClassVar[bool]

    def __call__(
        self, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Read the rows of a grid from left to right.

        grid (Grid): Where the tokens of each row are in x.
        x (Tensor): Vectors (T, B, D), or (N, D) if packed.
        states (Sequence[Tensor]): The states before the first step, (directions, B, H) each.
        weights (Sequence[Tensor]): Input and hidden weights and biases of one direction, or those
            of both, one after the other.
        RETURNS (Tuple[Tensor, Tensor]): The outputs (T, B, H), or (N, H) if packed, and the states
            after the last step (states, B, H).
        """


@dataclass(frozen=True)
class TorchKernel:
    """torch's own kernel of a cell.

    function (Callable): The function, such as `torch.lstm`.
    step (Optional[Step]): The cell's time step, if it is faster than `function` for a single step
        of a few rows.
    """

    function: Any
    step: Optional[Step] = None
    bidirectional: ClassVar[bool] = True

    def __call__(
        self, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        if self.step is not None and _is_single_step(grid, x):
            w_ih, w_hh, b_ih, b_hh = weights
            after = self.step(linear(x, w_ih, b_ih), states, w_hh, b_hh)
            return after[0], torch.cat(list(after))
        if x.is_cuda and torch.is_autocast_enabled():
            # torch's autocast would run cuDNN's kernels in float16 even where it is told to use
            # bfloat16, whose range is that of float32.
            dtype = _autocast_dtype()
            states, weights = ([part.to(dtype) for part in parts] for parts in (states, weights))
            with torch.autocast("cuda", enabled=False):
                return self._run(grid, x.to(dtype), states, weights)
        return self._run(grid, x, states, weights)

    def _run(
        self, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        initial = tuple(states) if len(states) > 1 else states[0]
        both = len(weights) == 8
        # In training mode kernels keep what gradients need, which cuDNN does in no other.
        train = torch.is_grad_enabled()
        if isinstance(grid, Packed):
            output, *last = self.function(
                x, grid.batch_sizes, initial, weights, True, 1, 0.0, train, both
            )
        else:
            output, *last = self.function(x, initial, weights, True, 1, 0.0, train, both, False)
        return output, torch.cat(last)


@dataclass(frozen=True)
class StepKernel:
    """A loop over time steps, for a cell that torch has no kernel of.

    step (Step): The cell's time step.
    """

    step: Step
    bidirectional: ClassVar[bool] = False

    def __call__(
        self, grid: Grid, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
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
            after = self.step(gates, [state[:n] for state in current], w_hh, b_hh)
            outputs.append(after[0])
            # Packed rows that have ended keep their states.
            current = [
                torch.cat([new, old[n:]]) if n < len(old) else new
                for new, old in zip(after, current, strict=True)
            ]
        return join(outputs), torch.stack(current)


def _autocast_dtype() -> torch.dtype:
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype("cuda")
    return torch.get_autocast_gpu_dtype()  # torch 2.3


def _is_single_step(grid: Grid, x: Tensor) -> bool:
    """True for one step of rows on a CPU, without gradients."""
    one = isinstance(grid, UniformBatch) and len(x) == 1
    return one and x.device.type == "cpu" and not torch.is_grad_enabled()


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


def step_overhead(input_size: int, hidden_size: int, training: bool) -> float:
    """Return the fixed price of one time step of a padded kernel, in rows.

    Starting a step costs about as much as the arithmetic of 6 rows in a wide layer and of 40 in a
    narrow one (measured by benchmarks/kernels.py). In prediction, without a backward pass, that
    weighs twice as much, and a kernel is compiled for each group of rows: twice that again.
    """
    price = 5.0 + 65_000.0 / (hidden_size * (input_size + hidden_size))
    return price if training else 4.0 * price
