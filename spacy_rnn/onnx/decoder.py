"""One step of a decoder as an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..nn.attention import BahdanauAttention, DecoderAttention, DotAttention, GeneralAttention
from ..nn.decoder import Decoder
from .encoder import encode
from .graph import Graph
from .layers import axis_size, sum_of
from .linear import linear


def decode(graph: Graph, decoder: Decoder) -> None:
    """Write a step, in which each hypothesis reads one piece.

    Inputs: the vectors of the pieces ``x``, float32 (N, E), and the states ``state``, float32
    (S, depth, N, H); with input feeding ``fed``, the outputs of the step before (N, H); with
    attention the source's ``memory``, float32 (B, S, M), ``keys`` (B, S, Q) and ``mask``, bool
    (B, S), where N is a multiple of B. Outputs: ``y`` (N, H), ``final``, the states after the step,
    and with attention its ``weights`` (B, N / B, S).

    graph (Graph): The graph, still empty.
    decoder (Decoder): The decoder.
    RAISES (TypeError): If the attention has no ONNX graph.
    """
    n_states, depth, _, size = decoder.layers.state_size(0)
    of_piece = decoder.layers.input_size - size * decoder.input_feeding
    x = graph.input("x", "float32", "rows", of_piece)
    axes = (n_states, depth, "rows", size)
    state = graph.input("state", "float32", *axes)
    if decoder.input_feeding:
        x = graph.add("Concat", x, graph.input("fed", "float32", "rows", size), axis=1)
    lengths = graph.add("Expand", graph.constant(1, "int32"), axis_size(graph, x, 0))
    step = graph.integers(0)
    hidden, final = encode(graph, decoder.layers, graph.add("Unsqueeze", x, step), lengths, state)
    y = graph.add("Squeeze", hidden, step)
    weights = ""
    if decoder.attention is not None:
        y, weights = _attend(graph, decoder, decoder.attention, y)
    graph.output("y", y, "float32", "rows", size)
    graph.output("final", final, "float32", *axes)
    if weights:
        graph.output("weights", weights, "float32", "sources", "hypotheses", "tokens")


def _attend(
    graph: Graph, decoder: Decoder, attention: DecoderAttention, hidden: str
) -> tuple[str, str]:
    """The attentional states of hidden states (N, H), and the attention (B, N / B, S)."""
    if type(attention) not in _SCORES:
        raise TypeError(f"An attention of type {type(attention).__name__} has no ONNX graph.")
    memory_size = decoder.bridge.in_features
    memory = graph.input("memory", "float32", "sources", "tokens", memory_size)
    mask = graph.input("mask", "bool", "sources", "tokens")
    key_size = memory_size if isinstance(attention, DotAttention) else decoder.hidden_size
    keys = graph.input("keys", "float32", "sources", "tokens", key_size)
    sources = axis_size(graph, mask, 0)
    grid = graph.add("Concat", sources, graph.integers(-1, decoder.hidden_size), axis=0)
    query = graph.add("Reshape", hidden, grid)
    weights = _softmax(graph, _SCORES[type(attention)](graph, attention, query, keys), mask)
    context = graph.add("MatMul", weights, memory)
    by_row = graph.add("Reshape", context, graph.integers(-1, memory_size))
    joined = graph.add("Concat", by_row, hidden, axis=1)
    return graph.add("Tanh", linear(graph, decoder.combine, joined)), weights


def _softmax(graph: Graph, scores: str, mask: str) -> str:
    """A softmax over the tokens of sources, whose padding changes no bit of it: (B, K, S)."""
    real = graph.add("Unsqueeze", mask, graph.integers(1))
    kept = graph.add("Where", real, scores, graph.constant(float("-inf")))
    shifted = graph.add("Sub", kept, graph.add("ReduceMax", kept, axes=[2], keepdims=1))
    powers = graph.add("Where", real, graph.add("Exp", shifted), graph.constant(0.0))
    total = graph.add("Unsqueeze", sum_of(graph, powers, 2), graph.integers(2))
    return graph.add("Div", powers, total)


def _product_scores(graph: Graph, attention: DecoderAttention, query: str, keys: str) -> str:
    return graph.add("MatMul", query, graph.add("Transpose", keys, perm=[0, 2, 1]))


def _bahdanau_scores(graph: Graph, attention: Any, query: str, keys: str) -> str:
    of_query = graph.add("Unsqueeze", linear(graph, attention.query, query), graph.integers(2))
    pairs = graph.add("Add", of_query, graph.add("Unsqueeze", keys, graph.integers(1)))
    scores = linear(graph, attention.score, graph.add("Tanh", pairs))
    return graph.add("Squeeze", scores, graph.integers(3))


#: the scores of each attention before the softmax; a subclass may compute others
_SCORES: dict[type[DecoderAttention], Callable[[Graph, Any, str, str], str]] = {
    BahdanauAttention: _bahdanau_scores,
    DotAttention: _product_scores,
    GeneralAttention: _product_scores,
}
