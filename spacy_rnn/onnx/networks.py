"""Networks as ONNX graphs, one for each part."""

from __future__ import annotations

from functools import singledispatch
from typing import Optional

from torch import nn

from ..nn.decoder import Decoder
from ..nn.embedding import WordModule
from ..nn.rnn import Encoder
from .decoder import decode
from .embedding import embed_words
from .encoder import encode
from .graph import Bounds, Graph
from .linear import linear
from .parts import parts_of
from .session import Graphs


def write_graphs(network: nn.Module, bounds: Optional[Bounds] = None) -> Graphs:
    """Write the graphs of a network.

    network (nn.Module): The network.
    bounds (Optional[Bounds]): Compute with 8-bit integers, and store tables so; see
        `spacy_rnn.onnx.bounds.measured_bounds`.
    RETURNS (Graphs): The graphs.
    RAISES (TypeError): If a part has no graph, as those that embed tokens in their document.
    RAISES (ValueError): If ONNX has no operator for a cell.
    """
    return {name: _write(part, name, bounds) for name, part in parts_of(network)}


def _write(part: nn.Module, name: str, bounds: Optional[Bounds]) -> bytes:
    graph = Graph(name, bounds)
    write_part(part, graph)
    return graph.to_bytes()


@singledispatch
def write_part(part: nn.Module, graph: Graph) -> None:
    """Write a part with its inputs and its output, ``y``.

    part (nn.Module): The part. One that embeds words reads their arrays under their own names, an
        encoder ``x``, float32 (T, B, D), and ``lengths``, int32 (B,), a linear layer
        ``x``, float32 (N, K); for a decoder see `decode`. Past the end of a sequence an encoder's
        output means nothing. One of one direction also reads ``state``, the states before the
        sequences, float32 (S, depth, B, H), and has a second output ``final``, those after them.
    graph (Graph): The graph, still empty.
    """
    raise TypeError(f"A part of type {type(part).__name__} has no ONNX graph.")


@write_part.register
def _(part: WordModule, graph: Graph) -> None:
    graph.output("y", embed_words(part, graph), "float32", "words", part.output_size)


@write_part.register
def _(part: Encoder, graph: Graph) -> None:
    x = graph.input("x", "float32", "steps", "sequences", part.input_size)
    lengths = graph.input("lengths", "int32", "sequences")
    n_states, depth, _, size = part.state_size(0)
    axes = (n_states, depth, "sequences", size)
    # Both directions are read at once and from the ends.
    carries = part.is_recurrent and part.direction != "both"
    state = graph.input("state", "float32", *axes) if carries else ""
    y, final = encode(graph, part, x, lengths, state)
    graph.output("y", y, "float32", "steps", "sequences", part.output_size)
    if carries:
        graph.output("final", final, "float32", *axes)


@write_part.register
def _(part: Decoder, graph: Graph) -> None:
    decode(graph, part)


@write_part.register
def _(part: nn.Linear, graph: Graph) -> None:
    x = graph.input("x", "float32", "rows", part.in_features)
    graph.output("y", linear(graph, part, x), "float32", "rows", part.out_features)
