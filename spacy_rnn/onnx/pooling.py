"""One vector for each sequence, as part of an ONNX graph."""

from __future__ import annotations

from functools import singledispatch
from typing import Optional

from onnx import TensorProto
from torch import nn

from ..nn.pooling import Attention, LastState, Max, Mean, PooledEncoder, Pooling
from .encoder import Bounds, encode
from .graph import Graph
from .layers import axis_size, is_real, linear, sum_of

#: the lowest float32
_LOWEST = -3.4028234663852886e38


class Sequences:
    """The states of padded sequences.

    states (str): float32 (T, B, D).
    lengths (str): int64 (B,).
    real (str): True where a sequence has a state, bool (T, B, 1).
    """

    def __init__(self, graph: Graph, states: str, lengths: str):
        self.graph = graph
        self.states = states
        self.lengths = graph.add("Cast", lengths, to=TensorProto.INT64)
        real = is_real(graph, axis_size(graph, states, 0), self.lengths)
        self.real = graph.add("Unsqueeze", real, graph.integers(2))

    def where_real(self, values: str, otherwise: float) -> str:
        """The values (T, B, D) of sequences, and one number for padding."""
        return self.graph.add("Where", self.real, values, self.graph.constant(otherwise))

    def total(self, values: str) -> str:
        """The sum over each sequence: (T, B, D) -> (B, D)."""
        return sum_of(self.graph, self.where_real(values, 0.0), 0)

    def largest(self, values: str, keepdims: int = 0) -> str:
        """The largest value in each sequence: (T, B, D) -> (B, D)."""
        kept = self.where_real(values, _LOWEST)
        return self.graph.add("ReduceMax", kept, axes=[0], keepdims=keepdims)

    def or_zeros(self, vectors: str) -> str:
        """The vectors (B, D), zeros for a sequence without tokens."""
        graph = self.graph
        some = graph.add("Greater", self.lengths, graph.integers(0))
        by_row = graph.add("Unsqueeze", some, graph.integers(1))
        return graph.add("Where", by_row, vectors, graph.constant(0.0))


def pool(graph: Graph, pooling: Pooling, states: str, lengths: str) -> str:
    """Pool padded sequences in all ways: (T, B, D) -> (B, output_size).

    states (str): float32 (T, B, D). lengths (str): int32 (B,).
    """
    sequences = Sequences(graph, states, lengths)
    return graph.add("Concat", *(_pool(way, sequences) for way in pooling.ways.values()), axis=1)


@singledispatch
def _pool(way: nn.Module, sequences: Sequences) -> str:
    raise TypeError(f"A pooling of type {type(way).__name__} has no ONNX graph.")


@_pool.register
def _(way: LastState, sequences: Sequences) -> str:
    graph, half = sequences.graph, way.output_size // 2
    before_end = graph.add("Sub", sequences.lengths, graph.integers(1))
    last = graph.add("Max", before_end, graph.integers(0))
    first = graph.add("Mul", last, graph.integers(0))
    if way.direction == "forward":
        states = _at(sequences, sequences.states, last)
    elif way.direction == "backward":
        states = _at(sequences, sequences.states, first)
    else:
        ahead, back = graph.add_many(
            "Split", 2, sequences.states, graph.integers(half, half), axis=2
        )
        both = _at(sequences, ahead, last), _at(sequences, back, first)
        states = graph.add("Concat", *both, axis=1)
    return sequences.or_zeros(states)


def _at(sequences: Sequences, states: str, step: str) -> str:
    """The state of each sequence at a step: (T, B, D), int64 (B,) -> (B, D)."""
    graph = sequences.graph
    size = graph.add("Squeeze", axis_size(graph, sequences.lengths, 0))
    zero, one = (graph.constant(n, "int64") for n in (0, 1))
    columns = [step, graph.add("Range", zero, size, one)]
    axis = graph.integers(1)
    places = graph.add("Concat", *(graph.add("Unsqueeze", c, axis) for c in columns), axis=1)
    return graph.add("GatherND", states, places)


@_pool.register
def _(way: Mean, sequences: Sequences) -> str:
    graph = sequences.graph
    counts = graph.add("Max", sequences.lengths, graph.integers(1))
    sizes = graph.add("Cast", counts, to=TensorProto.FLOAT)
    by_row = graph.add("Unsqueeze", sizes, graph.integers(1))
    return graph.add("Div", sequences.total(sequences.states), by_row)


@_pool.register
def _(way: Max, sequences: Sequences) -> str:
    return sequences.or_zeros(sequences.largest(sequences.states))


@_pool.register
def _(way: Attention, sequences: Sequences) -> str:
    graph, states = sequences.graph, sequences.states
    scores = linear(graph, way.context, graph.add("Tanh", linear(graph, way.hidden, states)))
    below_peak = graph.add("Sub", scores, sequences.largest(scores, keepdims=1))
    # Padding may hold any score, of which the exponential could be infinite.
    weights = graph.add("Exp", sequences.where_real(below_peak, 0.0))
    total = sequences.total(graph.add("Mul", weights, states))
    count = graph.add("Max", sequences.total(weights), graph.constant(1.0))
    return graph.add("Div", total, count)


def encode_and_pool(
    graph: Graph, part: PooledEncoder, x: str, lengths: str, bounds: Optional[Bounds] = None
) -> str:
    """The vector of each padded sequence.

    x (str): float32 (T, B, D). lengths (str): int32 (B,).
    bounds (Optional[Bounds]): See `encode`.
    RETURNS (str): float32 (B, output_size).
    """
    return pool(graph, part.pooling, encode(graph, part.encoder, x, lengths, bounds), lengths)
