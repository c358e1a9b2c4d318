"""The parts of a token's embedding that are functions of its word, as parts of an ONNX graph."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from ..nn.embedding import (
    CharacterCNN,
    HashEmbedding,
    SubwordMean,
    SubwordRNN,
    WordEmbedding,
    WordModule,
)
from ..nn.vectors import GivenVectors, TableVectors
from .graph import Graph
from .int8 import quantized
from .layers import array, axis_size, is_real, sum_of
from .recurrent import recurrent_layer


@singledispatch
def embed_words(part: WordModule, graph: Graph) -> str:
    """Embed distinct words, whose arrays become inputs of the graph under their own names.

    RETURNS (str): float32 (U, width).
    RAISES (TypeError): If the part has no ONNX graph.
    """
    raise TypeError(f"A part of type {type(part).__name__} has no ONNX graph.")


@embed_words.register
def _(part: WordEmbedding, graph: Graph) -> str:
    return _rows(graph, part.table, graph.input(part.name, "int64", "words"))


@embed_words.register
def _(part: HashEmbedding, graph: Graph) -> str:
    n_properties = len(part.first_row)
    hashes = graph.input(part.name, "int64", "words", n_properties)
    rows = graph.add("Add", hashes, graph.constant(part.first_row.cpu().numpy(), "int64"))
    return graph.add("Reshape", _rows(graph, part.table, rows), graph.integers(0, part.output_size))


@embed_words.register
def _(part: SubwordRNN, graph: Graph) -> str:
    units, lengths = _units(graph, part.name)
    by_step = graph.add("Transpose", _rows(graph, part.table, units), perm=[1, 0, 2])
    sizes = graph.cast(lengths, "int32")
    encoder = part.encoder
    layer: Any = encoder.layers[0]
    _, (last, *_) = recurrent_layer(graph, encoder.cell, layer, encoder.direction, by_step, sizes)
    by_word = graph.add("Transpose", last, perm=[1, 0, 2])
    return graph.add("Reshape", by_word, graph.integers(0, part.output_size))


@embed_words.register
def _(part: SubwordMean, graph: Graph) -> str:
    return _mean_rows(graph, part.table, *_units(graph, part.name))


@embed_words.register
def _(part: CharacterCNN, graph: Graph) -> str:
    ids, lengths = _units(graph, part.name)
    convolution = part.convolution
    # shape: (U, L, width) -> (U, filters, L)
    features = graph.add(
        "Conv",
        graph.add("Transpose", _rows(graph, part.table, ids), perm=[0, 2, 1]),
        graph.constant(array(convolution.weight)),
        graph.constant(array(convolution.bias)),
        pads=[convolution.padding[0]] * 2,
    )
    # A rectified maximum is never below 0, which words without characters get, too.
    real = graph.add("Unsqueeze", _is_unit(graph, ids, lengths), graph.integers(1))
    kept = graph.add("Where", real, features, graph.constant(0.0))
    return graph.add("ReduceMax", graph.add("Relu", kept), axes=[2], keepdims=0)


@embed_words.register
def _(part: GivenVectors, graph: Graph) -> str:
    vectors = graph.input(part.name, "float32", "words", part.output_size)
    lengths = graph.input(part.name + "_lengths", "int64", "words")
    return _or_unknown(graph, part, vectors, lengths)


@embed_words.register
def _(part: TableVectors, graph: Graph) -> str:
    ids, lengths = _units(graph, part.name)
    return _or_unknown(graph, part, _mean_rows(graph, part.table, ids, lengths), lengths)


def _units(graph: Graph, name: str) -> tuple[str, str]:
    """The units of words, int64 (U, L), and how many each has, int64 (U,)."""
    ids = graph.input(name, "int64", "words", name + "_units")
    return ids, graph.input(name + "_lengths", "int64", "words")


def _is_unit(graph: Graph, ids: str, lengths: str) -> str:
    """True where a word has a unit, bool (U, L)."""
    by_step = is_real(graph, axis_size(graph, ids, 1), lengths)
    return graph.add("Transpose", by_step, perm=[1, 0])


def _rows(graph: Graph, table: Any, ids: str) -> str:
    """Rows of a table: (...) -> (..., width)."""
    weight = array(table.weight)
    if graph.bounds is None:
        return graph.add("Gather", graph.constant(weight), ids)
    integers, scale = quantized(weight)
    rows = graph.add("Gather", graph.constant(integers, "int8"), ids)
    scales = graph.add("Gather", graph.constant(scale), ids)
    return graph.add("Mul", graph.cast(rows, "float32"), scales)


def _mean_rows(graph: Graph, table: Any, ids: str, lengths: str) -> str:
    """The mean of each word's rows, zeros for a word without any: (U, L) -> (U, width)."""
    axis = graph.integers(1)
    real = graph.add("Unsqueeze", _is_unit(graph, ids, lengths), graph.integers(2))
    kept = graph.add("Where", real, _rows(graph, table, ids), graph.constant(0.0))
    total = sum_of(graph, kept, 1)
    counts = graph.add("Max", lengths, graph.integers(1))
    sizes = graph.add("Unsqueeze", graph.cast(counts, "float32"), axis)
    return graph.add("Div", total, sizes)


def _or_unknown(graph: Graph, part: Any, vectors: str, lengths: str) -> str:
    """Vectors (U, width) where a word has one."""
    known = graph.add("Greater", lengths, graph.integers(0))
    by_row = graph.add("Unsqueeze", known, graph.integers(1))
    return graph.add("Where", by_row, vectors, graph.constant(array(part.unknown)))
