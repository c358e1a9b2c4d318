"""The recurrent encoder as part of an ONNX graph."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..nn.rnn import Encoder
from .graph import Graph
from .layers import layer_norm, linear
from .recurrent import recurrent_layer


def encode(graph: Graph, encoder: Encoder, x: str, lengths: str) -> str:
    """Run all layers over padded sequences.

    x (str): float32 (T, B, input_size). lengths (str): int32 (B,).
    RETURNS (str): float32 (T, B, output_size). Past the end of a sequence the values mean nothing.
    """
    width = encoder.input_size
    layers: Any = zip(encoder.layers, encoder.norms, strict=True)
    for layer, norm in layers:
        if encoder.cell == "none":
            y = graph.add("Tanh", linear(graph, layer.linear, x))
        else:
            y, _ = recurrent_layer(graph, layer, encoder.cell, encoder.direction, x, lengths)
        if isinstance(norm, nn.LayerNorm):
            y = layer_norm(graph, norm, y)
        if encoder.residual and width == encoder.output_size:
            y = graph.add("Add", y, x)
        x, width = y, encoder.output_size
    return x
