"""One recurrent layer as an ONNX operator."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np

from ..nn.cells import CELLS
from ..nn.rnn import Direction
from .graph import Graph
from .layers import array

#: ONNX's operator for a cell, the order of its gates, in the letters of `CELLS`, and its settings
_OPERATORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", "h", {"activations": ["Tanh"]}),
    "rnn_relu": ("RNN", "h", {"activations": ["Relu"]}),
    "gru": ("GRU", "zrn", {"linear_before_reset": 1}),
    "lstm": ("LSTM", "iofg", {}),
}
DIRECTIONS = {"forward": "forward", "backward": "reverse", "both": "bidirectional"}


class Weights(NamedTuple):
    """The weights of one layer, gates in ONNX's order, directions stacked.

    input (np.ndarray): (directions, gates * H, D).
    hidden (np.ndarray): (directions, gates * H, H).
    bias (np.ndarray): Of the input, then of the state, (directions, 2 * gates * H).
    """

    input: np.ndarray
    hidden: np.ndarray
    bias: np.ndarray


def weights_of(layer: Any, cell: str) -> Weights:
    """Read the weights of a layer."""
    stacked, wanted = CELLS[cell].gates, _OPERATORS[cell][1]
    order = [stacked.index(gate) for gate in wanted]

    def reordered(weight: Any) -> np.ndarray:
        return array(weight).reshape(len(order), -1)[order].reshape(weight.shape)

    each = [[reordered(weight) for weight in weights] for weights in layer.all_weights]
    of_input, hidden, *biases = (np.stack(parts) for parts in zip(*each, strict=True))
    return Weights(of_input, hidden, np.concatenate(biases, axis=1))


def recurrent_layer(
    graph: Graph,
    cell: str,
    layer: Any,
    direction: Direction,
    x: str,
    lengths: str,
    initial: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """Run a layer over padded sequences, which get the values that they have alone.

    x (str): float32 (T, B, D). lengths (str): int32 (B,).
    initial (Sequence[str]): The states before the sequences, (directions, B, H) each; none for
        zeros.
    RETURNS (tuple[str, list[str]]): The outputs, float32 (T, B, directions * H), and the states
        after the last steps, (directions, B, H) each.
    RAISES (ValueError): If ONNX has no operator for the cell.
    """
    if cell not in _OPERATORS:
        raise ValueError(
            f"ONNX has no operator for the cell '{cell}', only for {', '.join(_OPERATORS)} and "
            f"none. Predict with torch, or train with one of these."
        )
    operator, _, settings = _OPERATORS[cell]
    weights = weights_of(layer, cell)
    n_directions = len(weights.input)
    if operator == "RNN":
        settings = {"activations": settings["activations"] * n_directions}
        # ONNX Runtime multiplies a single row in another order: no row is ever alone.
        x = graph.add("Pad", x, graph.integers(0, 0, 0, 0, 1, 0))
        lengths = graph.add("Pad", lengths, graph.integers(0, 1))
        initial = [graph.add("Pad", h, graph.integers(0, 0, 0, 0, 1, 0)) for h in initial]
    states, *final = graph.add_many(
        operator,
        1 + CELLS[cell].n_states,
        x,
        *(graph.constant(part) for part in weights),
        lengths,
        *initial,
        hidden_size=layer.hidden_size,
        direction=DIRECTIONS[direction],
        **settings,
    )
    if operator == "RNN":
        states = _without_last_row(graph, states)
        final = [_without_last_row(graph, h) for h in final]
    return side_by_side(graph, states, n_directions * layer.hidden_size), final


def _without_last_row(graph: Graph, states: str) -> str:
    """(..., B + 1, H) -> (..., B, H)."""
    bounds = (graph.integers(n) for n in (0, -1, -2))
    return graph.add("Slice", states, *bounds)


def side_by_side(graph: Graph, states: str, width: int) -> str:
    """The directions' states concatenated: (T, directions, B, H) -> (T, B, width)."""
    by_row = graph.add("Transpose", states, perm=[0, 2, 1, 3])
    return graph.add("Reshape", by_row, graph.integers(0, 0, width))
