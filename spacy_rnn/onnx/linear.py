"""A linear layer as ONNX operators."""

from __future__ import annotations

from torch import nn

from .graph import Graph
from .int8 import int8_linear
from .layers import array

#: weights from which a layer is faster with 8-bit integers
LARGE = 2**16


def linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    """A linear layer: (..., K) -> (..., M)."""
    if graph.bounds is not None and layer in graph.bounds and layer.weight.numel() >= LARGE:
        (bound,) = graph.bounds[layer]
        return int8_linear(graph, layer, x, bound)
    y = graph.add("MatMul", x, graph.constant(array(layer.weight).T))
    return y if layer.bias is None else graph.add("Add", y, graph.constant(array(layer.bias)))
