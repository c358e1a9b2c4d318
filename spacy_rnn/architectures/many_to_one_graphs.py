"""Texts read into one vector by graphs, without torch."""

from typing import Iterable, Optional, Sequence, Tuple

import numpy as np

from ..config.encoder import RNNEncoder
from ..config.pooling import Pooling
from ..features.tokens import TokenFeatures, TokenSequences
from ..onnx import pooling as numpy_pooling
from ..runtime.batching import MemoryLimits, TokenResults, Windows
from ..runtime.graphs import GraphNetwork, WindowStates


class ManyToOneGraphs:
    """Predicts as `spacy_rnn.nn.many_to_one.ManyToOne`.

    network (GraphNetwork): The graphs.
    features (TokenFeatures): The features of tokens.
    readers (Sequence[Tuple[RNNEncoder, Pooling]]): The settings of what reads tokens and, where a
        text is read by sentences, of what reads those.
    """

    def __init__(
        self,
        network: GraphNetwork,
        features: TokenFeatures,
        readers: Sequence[Tuple[RNNEncoder, Pooling]],
    ):
        self._network = network
        self._features = features
        names = ("tokens", "sentences")
        self._readers = [
            _Reader(network, name, *reader) for name, reader in zip(names, readers, strict=False)
        ]

    def outputs(self, sequences: TokenSequences, limits: MemoryLimits) -> np.ndarray:
        """The outputs for each text, float32 (docs, outputs).

        sequences (TokenSequences): The sequences of the texts.
        limits (MemoryLimits): The size of batches and windows.
        RETURNS (np.ndarray): The outputs.
        """
        vectors = self._pool_tokens(sequences, limits)
        for reader in self._readers[1:]:
            counts = _counts(sequences)
            vectors = reader.pool(self._read_sentences(vectors, counts, limits), len(counts))
        (outputs,) = self._network.heads(vectors).values()
        return outputs

    def attention(
        self, sequences: TokenSequences, limits: MemoryLimits
    ) -> Tuple[TokenResults, Optional[TokenResults]]:
        """The scores of the attention to tokens and, where there are any, to sentences.

        sequences (TokenSequences), limits (MemoryLimits): As of `outputs`.
        RETURNS (Tuple[TokenResults, Optional[TokenResults]]): The scores, as "score".
        """
        tokens, *above = self._readers
        scores = tokens.score(self._read_tokens(sequences, limits), sequences.lengths)
        if not above:
            return scores, None
        counts, vectors = _counts(sequences), self._pool_tokens(sequences, limits)
        return scores, above[0].score(self._read_sentences(vectors, counts, limits), counts)

    def _pool_tokens(self, sequences: TokenSequences, limits: MemoryLimits) -> np.ndarray:
        batches = self._read_tokens(sequences, limits)
        return self._readers[0].pool(batches, len(sequences.lengths))

    def _read_tokens(
        self, sequences: TokenSequences, limits: MemoryLimits
    ) -> Iterable[WindowStates]:
        reader = self._readers[0]
        return self._network.read_tokens(
            reader.path, self._features, sequences, reader.direction, limits
        )

    def _read_sentences(
        self, vectors: np.ndarray, counts: np.ndarray, limits: MemoryLimits
    ) -> Iterable[WindowStates]:
        reader = self._readers[1]
        return self._network.read_vectors(reader.path, vectors, counts, reader.direction, limits)


class _Reader:
    """An encoder, and the pooling of its states.

    network (GraphNetwork): The graphs.
    name (str): The path of both.
    encoder (RNNEncoder), pooling (Pooling): Their settings.
    """

    def __init__(self, network: GraphNetwork, name: str, encoder: RNNEncoder, pooling: Pooling):
        self.path = f"{name}.encoder"
        self.direction = encoder.direction
        self._network = network
        self._attention = f"{name}.pooling.ways.attention"
        self._pooling = numpy_pooling.Pooling(pooling.ways, self.direction, self._scores)

    def pool(self, batches: Iterable[WindowStates], n_sequences: int) -> np.ndarray:
        """The vector of each sequence, (n_sequences, D), from the states of its windows."""
        parts = [(w, self._pooling.summarize(states, n)) for w, states, n in batches]
        windows = Windows.concatenate([some for some, _ in parts])
        order, counts = windows.order, windows.counts(n_sequences)
        joined = numpy_pooling.concatenated([kept for _, kept in parts], order)
        if counts.max() > 1:
            joined = self._pooling.merge(joined, counts)
        return self._pooling.finish(joined)

    def score(self, batches: Iterable[WindowStates], lengths: np.ndarray) -> TokenResults:
        """The scores of the attention to the parts of sequences."""
        results = TokenResults(lengths)
        for windows, states, _ in batches:
            results.add(windows, {"score": self._scores(states)})
        return results

    def _scores(self, states: np.ndarray) -> np.ndarray:
        hidden = self._network.linear(f"{self._attention}.hidden", states)
        return self._network.linear(f"{self._attention}.context", np.tanh(hidden))


def _counts(sequences: TokenSequences) -> np.ndarray:
    assert sequences.counts is not None
    return sequences.counts
