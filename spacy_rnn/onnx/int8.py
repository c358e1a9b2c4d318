"""An LSTM and a linear layer that multiply 8-bit integers, with the same result alone and in any
batch.

The inputs of both are within bounds that do not depend on the batch. Those of an LSTM take a trick:
ONNX Runtime takes the scale of the activations from the largest and the smallest number of a whole
batch, at each step: the answer for a text would depend on its neighbors. Here both are always 1 and
-1. Of two more units, which no other reads, one always has the state 1 and the other -1, as no
state can be larger; and two more inputs, with weights of 0, are always 1 and -1, while the others
are divided by a bound and clipped. As sums of integers are exact, nothing else of a batch matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from ..nn.options import Direction
from .graph import CONTRIB, Graph
from .layers import array, axis_size
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
    initial: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """Run an LSTM over padded sequences; see `recurrent_layer`.

    bound (np.ndarray): The largest magnitude of each input, float32 (D,). What is beyond is
        clipped.
    """
    bound = np.where(bound > 0, bound, 1.0)
    weights = _with_fixed(weights_of(layer, "lstm"), bound)
    of_input, hidden = _operand(graph, weights.input), _operand(graph, weights.hidden)
    hidden_before, cells_before = _initial_states(graph, x, initial, weights.hidden)
    states, *final = graph.add_many(
        "DynamicQuantizeLSTM",
        3,
        _fixed_range(graph, x, bound),
        of_input[0],
        hidden[0],
        graph.constant(weights.bias),
        lengths,
        hidden_before,
        cells_before,
        "",
        *of_input[1:],
        *hidden[1:],
        domain=CONTRIB,
        hidden_size=layer.hidden_size + _FIXED,
        direction=DIRECTIONS[direction],
    )
    start, end = graph.integers(0), graph.integers(layer.hidden_size)
    own, *final = (
        graph.add("Slice", all_, start, end, graph.integers(-1)) for all_ in [states, *final]
    )
    return side_by_side(graph, own, len(weights.input) * layer.hidden_size), final


def _fixed_range(graph: Graph, x: str, bound: np.ndarray) -> str:
    """Inputs within [-1, 1], and the two that reach the ends: (T, B, D) -> (T, B, D + 2)."""
    scaled = graph.add("Mul", x, graph.constant(1.0 / bound))
    clipped = graph.add("Clip", scaled, graph.constant(-1.0), graph.constant(1.0))
    grid = graph.add("Shape", x, end=2)
    shape = graph.add("Concat", grid, graph.integers(_FIXED), axis=0)
    ends = graph.add("Expand", graph.constant([1.0, -1.0]), shape)
    return graph.add("Concat", clipped, ends, axis=2)


def _initial_states(
    graph: Graph, x: str, initial: Sequence[str], hidden: np.ndarray
) -> Iterator[str]:
    """The hidden states and the cells, zeros by default, with those of the two units:
    (directions, B, H + 2) each."""
    directions, _, size = hidden.shape
    rows = axis_size(graph, x, 1)

    def for_all_rows(vector: np.ndarray) -> str:
        shape = [graph.integers(directions), rows, graph.integers(len(vector))]
        return graph.add("Expand", graph.constant(vector), graph.add("Concat", *shape, axis=0))

    for k, value in enumerate((1.0, _SATURATED)):
        fixed = np.array([value, -value])
        if initial:
            yield graph.add("Concat", initial[k], for_all_rows(fixed), axis=2)
        else:
            yield for_all_rows(np.concatenate([np.zeros(size - _FIXED), fixed]))


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


def int8_linear(graph: Graph, layer: nn.Linear, x: str, bound: np.ndarray) -> str:
    """A linear layer: (..., K) -> (..., M).

    bound (np.ndarray): The largest magnitude of each input, float32 (K,). What is beyond is
        clipped.
    """
    bound = np.where(bound > 0, bound, 1.0)
    integers, scale = quantized(array(layer.weight) * bound, _LARGEST)
    unit, zero = graph.constant(1 / 127), graph.constant(128, "uint8")
    scaled = graph.add("Mul", x, graph.constant(1.0 / bound))
    return graph.add(
        "MatMulIntegerToFloat",
        graph.add("QuantizeLinear", scaled, unit, zero),
        graph.constant(integers.T, "int8"),
        unit,
        graph.constant(scale[:, 0]),
        zero,
        "",
        "" if layer.bias is None else graph.constant(array(layer.bias)),
        domain=CONTRIB,
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
