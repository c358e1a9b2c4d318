"""A linear layer as ONNX operators."""

from __future__ import annotations

from torch import nn

from .graph import Graph
from .int8 import int8_product
from .layers import array

#: weights from which a layer is faster with 8-bit integers
LARGE = 2**16


def linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    """A linear layer: (..., K) -> (..., M)."""
    weight = array(layer.weight)
    if graph.int8 and weight.size >= LARGE:
        y = int8_product(graph, x, weight)
    else:
        y = graph.add("MatMul", x, graph.constant(weight.T))
    return y if layer.bias is None else graph.add("Add", y, graph.constant(array(layer.bias)))
