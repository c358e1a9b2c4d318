"""The recurrent encoder as part of an ONNX graph."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..nn.rnn import Encoder
from .graph import Graph
from .int8 import int8_lstm
from .layers import layer_norm
from .linear import linear
from .recurrent import recurrent_layer


def encode(
    graph: Graph,
    encoder: Encoder,
    x: str,
    lengths: str,
    state: str = "",
) -> tuple[str, str]:
    """Run all layers over padded sequences. With bounds an LSTM has 8-bit integers; other cells
    have no such operator and stay in float32.

    x (str): float32 (T, B, input_size). lengths (str): int32 (B,).
    state (str): The states before the sequences, float32 (S, depth, B, H); zeros by default.
    RETURNS (tuple[str, str]): The outputs, float32 (T, B, output_size), which mean nothing past the
        end of a sequence, and the states after the last steps, (S, depth, B, H), if `state` is
        given.
    """
    width = encoder.input_size
    bounds = None if graph.bounds is None else graph.bounds.get(encoder)
    finals = []
    layers: Any = zip(encoder.layers, encoder.norms, strict=True)
    for k, (layer, norm) in enumerate(layers):
        if not encoder.is_recurrent:
            y = graph.add("Tanh", linear(graph, layer.linear, x))
        else:
            arguments = (layer, encoder.direction, x, lengths)
            initial = _states_of_layer(graph, encoder, state, k) if state else []
            if encoder.cell == "lstm" and bounds is not None:
                y, final = int8_lstm(graph, *arguments, bounds[k], initial)
            else:
                y, final = recurrent_layer(graph, encoder.cell, *arguments, initial)
            finals.append(final)
        if isinstance(norm, nn.LayerNorm):
            y = layer_norm(graph, norm, y)
        if encoder.residual and width == encoder.output_size:
            y = graph.add("Add", y, x)
        x, width = y, encoder.output_size
    return x, _stacked(graph, finals) if state else ""


def _states_of_layer(graph: Graph, encoder: Encoder, state: str, k: int) -> list[str]:
    """The states of a layer, (1, B, H) each."""
    n_states, _, _, _ = encoder.state_size(0)
    of_layer = graph.add("Gather", state, graph.integers(k), axis=1)
    return [
        graph.add("Gather", of_layer, graph.constant(i, "int64"), axis=0) for i in range(n_states)
    ]


def _stacked(graph: Graph, finals: list[list[str]]) -> str:
    """The states of each layer, (1, B, H) each -> (S, depth, B, H)."""
    of_kinds = [graph.add("Concat", *kind, axis=0) for kind in zip(*finals, strict=True)]
    axis = graph.integers(0)
    return graph.add("Concat", *(graph.add("Unsqueeze", k, axis) for k in of_kinds), axis=0)
