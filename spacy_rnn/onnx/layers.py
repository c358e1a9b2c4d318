"""Layers of a network as ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from .graph import Graph


def array(weight: Any) -> np.ndarray:
    """A weight as a float32 array."""
    return weight.detach().cpu().float().numpy()


def layer_norm(graph: Graph, layer: nn.LayerNorm, x: str) -> str:
    """Normalization of each vector: (..., D) -> (..., D)."""
    scale, shift = (graph.constant(array(weight)) for weight in (layer.weight, layer.bias))
    return graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=layer.eps)


def is_real(graph: Graph, steps: str, lengths: str) -> str:
    """True where a padded grid holds part of a sequence.

    steps (str): The number of steps, int64 (1,). lengths (str): int64 (B,).
    RETURNS (str): bool (steps, B).
    """
    scalar = graph.add("Squeeze", steps)
    zero, one = (graph.constant(n, "int64") for n in (0, 1))
    time = graph.add("Unsqueeze", graph.add("Range", zero, scalar, one), graph.integers(1))
    return graph.add("Less", time, lengths)


def axis_size(graph: Graph, x: str, axis: int) -> str:
    """The size of an axis, int64 (1,)."""
    return graph.add("Shape", x, start=axis, end=axis + 1)


def sum_of(graph: Graph, x: str, axis: int) -> str:
    """The sum over an axis. The terms are added one after the other, whatever the shape: zeros at
    the end change no bit of it."""
    sums = graph.add("CumSum", x, graph.constant(axis, "int64"))
    return graph.add("Gather", sums, graph.constant(-1, "int64"), axis=axis)
