"""Embedding parts as graphs, compared with torch."""

import numpy as np
import pytest
import torch

from spacy_rnn.nn.embedding import (
    CharacterCNN,
    HashEmbedding,
    SubwordMean,
    SubwordRNN,
    TokenEmbedding,
    WordEmbedding,
    WordModule,
)
from spacy_rnn.nn.vectors import GivenVectors, TableVectors
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.networks import write_graphs

UNITS, N_WORDS = 9, 6
LENGTHS = [3, 0, 7, 1, 4, 1]


def units(name):
    """Words of at most 7 units, padded with 0."""
    generator = np.random.default_rng(2)
    ids = generator.integers(1, UNITS, (N_WORDS, max(LENGTHS)))
    ids[np.arange(max(LENGTHS)) >= np.array(LENGTHS)[:, None]] = 0
    return {name: ids, name + "_lengths": np.array(LENGTHS)}


def table():
    return np.random.default_rng(3).normal(size=(UNITS, 4)).astype("float32")


#: a function that makes a part, and the part's arrays
PARTS = {
    "words": (
        lambda: WordEmbedding("words", 5, 3, unknown_dropout=0.5),
        {"words": np.array([0, 3, 1, 4, 4, 2])},
    ),
    **{
        f"characters_{cell}": (
            lambda cell=cell: SubwordRNN("spelling", UNITS, 3, 4, cell),
            units("spelling"),
        )
        for cell in ("lstm", "gru", "rnn_tanh", "rnn_relu")
    },
    **{
        f"convolutions_{size}": (
            lambda size=size: CharacterCNN("filters", UNITS, 3, 5, size),
            units("filters"),
        )
        for size in (1, 3, 5)
    },
    "affixes": (
        lambda: HashEmbedding("affixes", 2, 5, 3),
        {"affixes": np.array([[0, 4], [1, 1], [4, 4], [2, 3], [3, 0], [1, 2]])},
    ),
    "pieces": (lambda: SubwordMean("pieces", UNITS, 4), units("pieces")),
    "stored": (lambda: TableVectors("stored", table(), trained=False), units("stored")),
    "given": (
        lambda: GivenVectors("given", table()),
        {"given": table()[:N_WORDS], "given_lengths": np.array([1, 1, 0, 1, 0, 1])},
    ),
}


def make(names, randomized):
    modules, words = {}, {}
    for name in names:
        make_part, arrays = PARTS[name]
        modules[name] = make_part()
        words.update(arrays)
    embedding = randomized(TokenEmbedding(modules))
    for part in modules.values():
        if isinstance(part, CharacterCNN):
            part.table.weight.data[0] = 0
    return embedding, words


def embed(embedding, words):
    with torch.inference_mode():
        return embedding.embed_words(
            {name: torch.from_numpy(a) for name, a in words.items()}
        ).numpy()


def network_of(embedding):
    return torch.nn.ModuleDict({"embedding": embedding})


def by_graph(embedding, int8=False):
    network = network_of(embedding)
    return with_graphs(network, write_graphs(network, {} if int8 else None))["embedding"]


ALL = ["words", "characters_lstm", "convolutions_3", "affixes", "pieces", "stored", "given"]


@pytest.mark.parametrize("names", [*([name] for name in PARTS), ALL], ids=" ".join)
def test_parts_equal_torch(names, randomized):
    embedding, words = make(names, randomized)
    found = embed(by_graph(embedding), words)
    np.testing.assert_allclose(found, embed(embedding, words), atol=1e-5)


@pytest.mark.parametrize("name", PARTS)
def test_a_word_has_the_same_vector_alone_and_in_batches(name, randomized):
    embedding, words = make([name], randomized)
    graph = by_graph(embedding)
    together = embed(graph, words)
    for i in range(N_WORDS):
        alone = embed(graph, {name: array[i : i + 1] for name, array in words.items()})
        assert np.array_equal(alone[0], together[i])


def test_int8_tables_are_close_to_torch_and_small(randomized):
    embedding, words = make(ALL, randomized)
    exact = embed(embedding, words)
    found = embed(by_graph(embedding, int8=True), words)
    assert 0 < np.abs(found - exact).max() < 0.05
    large = randomized(TokenEmbedding({"words": WordEmbedding("words", 2000, 50, 0.0)}))
    small, full = (
        write_graphs(network_of(large), bounds)["embedding.parts.words"] for bounds in ({}, None)
    )
    assert len(small) < 0.3 * len(full)


def test_a_part_without_a_graph_is_named():
    class Novelty(WordModule):
        output_size = 1

    with pytest.raises(TypeError, match="type Novelty has no ONNX graph"):
        write_graphs(network_of(TokenEmbedding({"new": Novelty()})))
