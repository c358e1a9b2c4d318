"""Whole networks as ONNX graphs: one embeds distinct words, one reads sequences of their vectors.

A graph reads padded grids, in which place (t, b) holds the row of the token t of the sequence b.
"""

from __future__ import annotations

from typing import Any, Optional

import onnx

from ..nn.embedding import TokenEmbedding
from ..nn.many_to_one import ManyToOne
from ..nn.tagger import Tagger
from .embedding import embed
from .encoder import Bounds, encode
from .graph import Graph
from .layers import linear
from .pooling import encode_and_pool


def words_graph(embedding: TokenEmbedding, int8: bool = False) -> onnx.ModelProto:
    """Write the graph that embeds distinct words.

    embedding (TokenEmbedding): Of its parts, those are written that are functions of the word.
    int8 (bool): Store tables of vectors as 8-bit integers.
    RETURNS (onnx.ModelProto): Inputs: the arrays of `spacy_rnn.nn.embedding.Words`. Output:
        ``vectors``, float32 (U, width).
    """
    graph = Graph("words", int8)
    vectors = embed(graph, embedding)
    width = sum(part.output_size for part in embedding.parts.values())  # type: ignore
    graph.output("vectors", vectors, "float32", "words", width)
    return graph.model()


def tagger_graph(tagger: Tagger, bounds: Optional[Bounds] = None) -> onnx.ModelProto:
    """Write the graph from tokens to the scores of their labels.

    bounds (Optional[Bounds]): See `spacy_rnn.onnx.encoder.encode`.
    RETURNS (onnx.ModelProto): Inputs: ``vectors``, float32 (M, D), ``tokens``, int64 (T, B), the
        vector of each token, and ``lengths``, int32 (B,). Outputs: the scores of each target,
        float32 (T, B, labels), which mean nothing past the end of a sequence.
    """
    graph = Graph("tagger")
    vectors = graph.input("vectors", "float32", "rows", tagger.encoder.input_size)
    x, lengths = _sequences(graph, vectors, "tokens", "lengths", "steps", "sequences")
    states = encode(graph, tagger.encoder, x, lengths, bounds)
    _outputs(graph, tagger.heads, states, "steps", "sequences")
    return graph.model()


def many_to_one_graph(
    network: ManyToOne,
    token_bounds: Optional[Bounds] = None,
    sentence_bounds: Optional[Bounds] = None,
) -> onnx.ModelProto:
    """Write the graph from tokens to the outputs of their texts.

    token_bounds, sentence_bounds (Optional[Bounds]): For the encoder of tokens and that of
        sentences; see `spacy_rnn.onnx.encoder.encode`.
    RETURNS (onnx.ModelProto): Inputs: those of `tagger_graph`, and where a text is read by
        sentences ``sentences``, int64 (S, B), the sequence of each sentence of a text, and
        ``counts``, int32 (B,), the sentences of each text. Outputs: those of each target, float32
        (B, outputs).
    """
    graph = Graph("many_to_one")
    by_sentences = network.sentences is not None
    rows = "sequences" if by_sentences else "texts"
    vectors = graph.input("vectors", "float32", "rows", network.tokens.encoder.input_size)
    x, lengths = _sequences(graph, vectors, "tokens", "lengths", "steps", rows)
    of_texts = encode_and_pool(graph, network.tokens, x, lengths, token_bounds)
    if network.sentences is not None:
        x, counts = _sequences(graph, of_texts, "sentences", "counts", "places", "texts")
        of_texts = encode_and_pool(graph, network.sentences, x, counts, sentence_bounds)
    _outputs(graph, network.heads, of_texts, "texts")
    return graph.model()


def _sequences(
    graph: Graph, vectors: str, places: str, lengths: str, steps: str, rows: str
) -> tuple[str, str]:
    """Padded sequences of rows of vectors, (T, B, D), and their lengths, int32 (B,), from inputs
    and axes of these names."""
    grid = graph.input(places, "int64", steps, rows)
    return graph.add("Gather", vectors, grid), graph.input(lengths, "int32", rows)


def _outputs(graph: Graph, heads: Any, x: str, *axes: str) -> None:
    for target, head in heads.items():
        graph.output(target, linear(graph, head, x), "float32", *axes, head.out_features)
