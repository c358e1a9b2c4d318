"""An LSTM that multiplies 8-bit integers, with the same result alone and in any batch.

ONNX Runtime takes the scale of the activations from the largest and the smallest number of a whole
batch, at each step: the answer for a text would depend on its neighbors. Here both are always 1 and
-1. Of two more units, which no other reads, one always has the state 1 and the other -1, as no
state can be larger; and two more inputs, with weights of 0, are always 1 and -1, while the others
are divided by a bound and clipped. As sums of integers are exact, nothing else of a batch matters.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
from torch import nn

from ..nn.options import Direction
from .graph import CONTRIB, Graph
from .layers import axis_size
from .recurrent import DIRECTIONS, Weights, side_by_side, weights_of

#: The largest magnitude of a weight. Processors without VNNI add two products in 16 bits, which
#: hold 2 * 64 * 255. One bit more is hardly more accurate.
_LARGEST = 64
#: how many units or inputs fix the range
_FIXED = 2
#: an argument at which a sigmoid and a tanh are 1 in float32
_SATURATED = 20.0


def int8_lstm(
    graph: Graph,
    layer: nn.LSTM,
    direction: Direction,
    x: str,
    lengths: str,
    bound: np.ndarray,
    state: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """Run an LSTM over padded sequences; see `recurrent_layer`.

    bound (np.ndarray): The largest magnitude of each input, float32 (D,). What is beyond is
        clipped.
    RETURNS (tuple[str, list[str]]): The states, float32 (T, B, directions * H), and those after the
        last step, (directions, B, H) each.
    """
    bound = np.where(bound > 0, bound, 1.0)
    weights = _with_fixed(weights_of(layer, "lstm"), bound)
    of_input, hidden = _operand(graph, weights.input), _operand(graph, weights.hidden)
    directions, _, size = weights.hidden.shape
    fixed = [(1.0, -1.0), (_SATURATED, -_SATURATED)]
    if state:
        h, c = (_with_ends(graph, each, *ends) for each, ends in zip(state, fixed, strict=True))
    else:
        h, c = "", _initial_cells(graph, x, directions, size)
    states, *last = graph.add_many(
        "DynamicQuantizeLSTM",
        3,
        _fixed_range(graph, x, bound),
        of_input[0],
        hidden[0],
        graph.constant(weights.bias),
        lengths,
        h,
        c,
        "",
        *of_input[1:],
        *hidden[1:],
        domain=CONTRIB,
        hidden_size=layer.hidden_size + _FIXED,
        direction=DIRECTIONS[direction],
    )
    start, end, axis = (graph.integers(n) for n in (0, layer.hidden_size, -1))
    states, *last = (graph.add("Slice", each, start, end, axis) for each in (states, *last))
    return side_by_side(graph, states, directions * layer.hidden_size), last


def _fixed_range(graph: Graph, x: str, bound: np.ndarray) -> str:
    """Inputs within [-1, 1], and the two that reach the ends: (T, B, D) -> (T, B, D + 2)."""
    scaled = graph.add("Mul", x, graph.constant(1.0 / bound))
    clipped = graph.add("Clip", scaled, graph.constant(-1.0), graph.constant(1.0))
    return _with_ends(graph, clipped, 1.0, -1.0)


def _with_ends(graph: Graph, x: str, *ends: float) -> str:
    """Vectors with two more numbers: (..., ..., D) -> (..., ..., D + 2)."""
    grid = graph.add("Shape", x, end=2)
    shape = graph.add("Concat", grid, graph.integers(_FIXED), axis=0)
    return graph.add("Concat", x, graph.add("Expand", graph.constant(ends), shape), axis=2)


def _initial_cells(graph: Graph, x: str, directions: int, size: int) -> str:
    """Cells of zeros, but for those of the two units, (directions, B, H + 2)."""
    cells = np.zeros((directions, 1, size), dtype="float32")
    cells[..., -2:] = _SATURATED, -_SATURATED
    rows = axis_size(graph, x, 1)
    shape = graph.add("Concat", graph.integers(directions), rows, graph.integers(size), axis=0)
    return graph.add("Expand", graph.constant(cells), shape)


def _with_fixed(weights: Weights, bound: np.ndarray) -> Weights:
    """Weights for inputs that are divided by their bound, with the two inputs and the two units,
    which keep their cells (the forget gate is open) and show them (so is the output gate)."""
    directions, gates, _ = weights.input.shape
    size = gates // 4
    more_inputs = ((0, 0), (0, 0), (0, 0), (0, _FIXED))
    more_units = ((0, 0), (0, 0), (0, _FIXED), (0, 0))

    def by_gate(array: np.ndarray) -> np.ndarray:
        return array.reshape(directions, -1, size, array.shape[-1] if array.ndim == 3 else 1)

    of_input = np.pad(np.pad(by_gate(weights.input * bound), more_inputs), more_units)
    hidden = np.pad(np.pad(by_gate(weights.hidden), more_inputs), more_units)
    bias = np.pad(by_gate(weights.bias), more_units)
    # Gates in ONNX's order: input, output, forget, new. The others' bias is 0.
    bias[:, [1, 2], -_FIXED:] = _SATURATED
    gates += 4 * _FIXED
    return Weights(
        of_input.reshape(directions, gates, -1),
        hidden.reshape(directions, gates, -1),
        bias.reshape(directions, -1),
    )


def quantized(rows: np.ndarray, largest: int = 127) -> tuple[np.ndarray, np.ndarray]:
    """Round rows to integers.

    rows (np.ndarray): float32 (..., K).
    largest (int): The largest magnitude of an integer.
    RETURNS (tuple): The integers, int8 (..., K), and the scale of each row, float32 (..., 1).
    """
    magnitude = np.abs(rows).max(axis=-1, keepdims=True)
    scale = np.where(magnitude > 0, magnitude, 1.0).astype("float32") / largest
    return np.rint(rows / scale).astype("int8"), scale


def _operand(graph: Graph, weight: np.ndarray) -> tuple[str, str, str]:
    """Weights (directions, gates, D) as the operator reads them: int8 (directions, D, gates), with
    a scale and a zero point for each gate."""
    integers, scale = quantized(weight, _LARGEST)
    zeros = graph.constant(np.zeros(scale.shape[:2]), "int8")
    return (
        graph.constant(integers.transpose(0, 2, 1), "int8"),
        graph.constant(scale[..., 0]),
        zeros,
    )
