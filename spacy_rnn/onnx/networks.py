"""Whole networks as ONNX graphs: one embeds distinct words, one reads sequences of their vectors.

A graph reads padded grids, in which place (t, b) holds the row of the token t of the sequence b.
"""

from __future__ import annotations

from typing import Any

import onnx

from ..nn.embedding import TokenEmbedding
from ..nn.many_to_one import ManyToOne
from ..nn.tagger import Tagger
from .embedding import embed
from .encoder import encode
from .graph import Graph
from .layers import linear
from .pooling import encode_and_pool


def words_graph(embedding: TokenEmbedding) -> onnx.ModelProto:
    """Write the graph that embeds distinct words.

    embedding (TokenEmbedding): The embedding, of which the parts are written that are functions of
        the word.
    RETURNS (onnx.ModelProto): Inputs: the arrays of `spacy_rnn.nn.embedding.Words`. Output:
        ``vectors``, float32 (U, width).
    """
    graph = Graph("words")
    vectors = embed(graph, embedding)
    graph.output("vectors", vectors, "float32", "words", "width")
    return graph.model()


def tagger_graph(tagger: Tagger) -> onnx.ModelProto:
    """Write the graph from tokens to the scores of their labels.

    RETURNS (onnx.ModelProto): Inputs: ``vectors``, float32 (M, D), ``tokens``, int64 (T, B), the
        vector of each token, and ``lengths``, int32 (B,). Outputs: for each target its scores,
        float32 (T, B, labels), which mean nothing past the end of a sequence.
    """
    graph = Graph("tagger")
    vectors = graph.input("vectors", "float32", "rows", tagger.encoder.input_size)
    x, lengths = _read(graph, vectors, "tokens", "lengths")
    _outputs(graph, tagger.heads, encode(graph, tagger.encoder, x, lengths), "steps", "sequences")
    return graph.model()


def many_to_one_graph(network: ManyToOne) -> onnx.ModelProto:
    """Write the graph from tokens to the outputs of their texts.

    RETURNS (onnx.ModelProto): Inputs: those of `tagger_graph`, and where a text is read by
        sentences ``sentences``, int64 (S, B), the sequence of each sentence of a text, and
        ``counts``, int32 (B,), the sentences of each text. Outputs: for each target float32 (B,
        outputs).
    """
    graph = Graph("many_to_one")
    vectors = graph.input("vectors", "float32", "rows", network.tokens.encoder.input_size)
    of_texts = encode_and_pool(graph, network.tokens, *_read(graph, vectors, "tokens", "lengths"))
    if network.sentences is not None:
        read = _read(graph, of_texts, "sentences", "counts")
        of_texts = encode_and_pool(graph, network.sentences, *read)
    _outputs(graph, network.heads, of_texts, "texts")
    return graph.model()


def _read(graph: Graph, vectors: str, places: str, lengths: str) -> tuple[str, str]:
    """Padded sequences of rows of vectors, (T, B, D), and their lengths. The names are those of
    the inputs, and of the axes, which differ between tokens and sentences."""
    rows = "sequences" if places == "tokens" else "texts"
    grid = graph.input(places, "int64", "steps" if places == "tokens" else places + "_steps", rows)
    return graph.add("Gather", vectors, grid), graph.input(lengths, "int32", rows)


def _outputs(graph: Graph, heads: Any, x: str, *axes: str) -> None:
    for target, head in heads.items():
        graph.output(target, linear(graph, head, x), "float32", *axes, head.out_features)
