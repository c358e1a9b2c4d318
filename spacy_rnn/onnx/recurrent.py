"""One recurrent layer as an ONNX operator."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import nn

from ..nn.rnn import Cell, Direction
from .graph import Graph
from .layers import array

_OPERATORS = {"rnn_tanh": "RNN", "rnn_relu": "RNN", "gru": "GRU", "lstm": "LSTM"}
#: for each gate of an ONNX operator, its place in torch's order
_GATES = {"rnn_tanh": [0], "rnn_relu": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}
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


def weights_of(layer: nn.RNNBase, cell: Cell) -> Weights:
    """Read a layer's weights."""

    def reordered(weight: Any) -> np.ndarray:
        gates = array(weight).reshape(len(_GATES[cell]), -1)
        return gates[_GATES[cell]].reshape(weight.shape)

    each = [[reordered(weight) for weight in weights] for weights in layer.all_weights]
    of_input, hidden, *biases = (np.stack(parts) for parts in zip(*each, strict=True))
    return Weights(of_input, hidden, np.concatenate(biases, axis=1))


def recurrent_layer(
    graph: Graph, layer: nn.RNNBase, cell: Cell, direction: Direction, x: str, lengths: str
) -> tuple[str, str]:
    """Run a layer over padded sequences, which get the values that they have alone.

    x (str): float32 (T, B, D). lengths (str): int32 (B,).
    RETURNS (tuple): The states, float32 (T, B, directions * H), and the last ones of each
        direction, (directions, B, H).
    """
    weights = weights_of(layer, cell)
    attributes: dict[str, Any] = {}
    if cell == "gru":
        attributes["linear_before_reset"] = 1
    if cell.startswith("rnn_"):
        attributes["activations"] = [cell[4:].capitalize()] * len(weights.input)
        # ONNX Runtime multiplies a single row in another order: no row is ever alone.
        x = graph.add("Pad", x, graph.integers(0, 0, 0, 0, 1, 0))
        lengths = graph.add("Pad", lengths, graph.integers(0, 1))
    states, last = graph.add_many(
        _OPERATORS[cell],
        2,
        x,
        *(graph.constant(part) for part in weights),
        lengths,
        hidden_size=layer.hidden_size,
        direction=DIRECTIONS[direction],
        **attributes,
    )
    if cell.startswith("rnn_"):
        states, last = _without_last_row(graph, states), _without_last_row(graph, last)
    return side_by_side(graph, states, len(weights.input) * layer.hidden_size), last


def _without_last_row(graph: Graph, states: str) -> str:
    """(..., B + 1, H) -> (..., B, H)."""
    bounds = (graph.integers(n) for n in (0, -1, -2))
    return graph.add("Slice", states, *bounds)


def side_by_side(graph: Graph, states: str, width: int) -> str:
    """The directions' states concatenated: (T, directions, B, H) -> (T, B, width)."""
    by_row = graph.add("Transpose", states, perm=[0, 2, 1, 3])
    return graph.add("Reshape", by_row, graph.integers(0, 0, width))
