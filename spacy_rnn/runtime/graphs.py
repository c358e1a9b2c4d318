"""Networks that ONNX Runtime runs without torch: from the features of documents to scores, all in
numpy. A text gets the same bits alone and in any batch."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Sequence

import numpy as np

from ..features.tokens import DistinctWords, TokenFeatures, TokenSequences
from ..forks import ForkSafeLock, computing, make_safe
from ..nn.options import Direction
from ..nn.ragged import Carry, group_by_length, offsets, ranges
from ..onnx.session import STEP_OVERHEAD, Graphs, Session, word_vectors
from .batching import MemoryLimits, Windows, plan_windows, word_batches
from .serialization import Weights

#: distinct words that are embedded at a time, and bytes of the vectors that are kept
MAX_WORDS, MAX_BYTES = 2048, 1 << 25

#: a batch of windows, with the states of their kept rows and how many each window has
WindowStates = tuple[Windows, np.ndarray, np.ndarray]


class GraphNetwork:
    """The graphs of a network, which predict.

    graphs (Graphs): The graphs; see `spacy_rnn.onnx.networks.write_graphs`.
    weights (Weights): Weights that are in no graph.
    RAISES (ValueError): If a graph is damaged.
    """

    def __init__(self, graphs: Graphs, weights: Weights):
        make_safe()
        self.graphs = graphs
        self.weights = weights
        self._sessions = {name: Session(graph) for name, graph in graphs.items()}
        self._word_vectors = WordVectors(self._sessions)

    def __reduce__(self) -> tuple[Any, ...]:
        return GraphNetwork, (self.graphs, self.weights)

    @property
    def outputs(self) -> dict[str, int]:
        """The number of outputs of each target."""
        return {
            name.removeprefix("heads."): session.width
            for name, session in self._sessions.items()
            if name.startswith("heads.")
        }

    def linear(self, path: str, x: np.ndarray) -> np.ndarray:
        """Run a linear layer: (N, K) -> (N, M)."""
        with computing.lock:
            return self._sessions[path]({"x": x})

    def heads(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of each target: (N, D) -> (N, outputs)."""
        return {name: self.linear(f"heads.{name}", states) for name in self.outputs}

    def read_tokens(
        self,
        path: str,
        features: TokenFeatures,
        sequences: TokenSequences,
        direction: Direction,
        limits: MemoryLimits,
    ) -> Iterator[WindowStates]:
        """Run an encoder over sequences of tokens of any length.

        path (str): The encoder.
        features (TokenFeatures): The features of tokens.
        sequences (TokenSequences): The sequences.
        direction (str): The direction of the encoder.
        limits (MemoryLimits): The size of batches and windows.
        YIELDS (WindowStates): The windows, in no particular order, and their states.
        """

        def embed(words: list[DistinctWords]) -> np.ndarray:
            with computing.lock:
                of_vocabs = [self._word_vectors(features, some) for some in words]
            return np.concatenate(of_vocabs) if len(of_vocabs) > 1 else of_vocabs[0]

        batches = plan_windows(sequences.lengths, direction, limits)
        for windows, vectors, tokens in word_batches(features, sequences, batches, embed):
            yield self._read(path, windows, vectors, tokens)

    def read_vectors(
        self,
        path: str,
        vectors: np.ndarray,
        lengths: np.ndarray,
        direction: Direction,
        limits: MemoryLimits,
    ) -> Iterator[WindowStates]:
        """Run an encoder over sequences of vectors of any length.

        path (str), direction (str), limits (MemoryLimits): As of `read_tokens`.
        vectors (np.ndarray): The vectors of all sequences, (N, D).
        lengths (np.ndarray): Vectors of each sequence, int64 (B,).
        YIELDS (WindowStates): The windows, in no particular order, and their states.
        """
        for windows in plan_windows(lengths, direction, limits):
            yield self._read(path, windows, vectors, windows.rows)

    def _read(
        self, path: str, windows: Windows, vectors: np.ndarray, tokens: np.ndarray
    ) -> WindowStates:
        with computing.lock:
            states = encode(self._sessions[path], vectors, windows.size, tokens, windows.carry)
        kept = windows.kept_tokens
        return windows, states if kept is None else states[kept], windows.kept


def encode(
    session: Session,
    vectors: np.ndarray,
    lengths: np.ndarray,
    tokens: np.ndarray,
    carry: Optional[Carry] = None,
) -> np.ndarray:
    """Run an encoder over sequences. Those of similar length are read together.

    session (Session): The encoder's graph.
    vectors (np.ndarray): Distinct vectors, (U, D).
    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    tokens (np.ndarray): Vector of each token, int64 (N,).
    carry (Optional[Carry]): For windows of one sequence that are read one after the other.
    RETURNS (np.ndarray): The states, float32 (N, H).
    """
    states = np.empty((len(tokens), session.width), dtype="float32")
    starts = offsets(lengths)
    for rows in group_by_length(lengths, STEP_OVERHEAD):
        sizes = lengths[rows]
        # shape: (T, 1), (B,) -> (T, B); padding repeats the last token.
        time = np.arange(sizes[0])[:, None]
        grid = vectors[tokens[starts[rows] + np.minimum(time, sizes - 1)]]
        arrays = {"x": grid, "lengths": sizes.astype("int32")}
        if "state" in session.inputs:
            n_states, depth, _, width = session.shapes["state"]
            before = None if carry is None else carry.state
            shape = (n_states, depth, len(rows), width)
            arrays["state"] = np.zeros(shape, dtype="float32") if before is None else before
        of_grid, *final = session.run(arrays)
        if carry is not None and final:
            carry.state = final[0]
        real = (time < sizes).T
        states[ranges(starts[rows], sizes)] = of_grid.transpose(1, 0, 2)[real]
    return states


class WordVectors:
    """Embeds distinct words, and keeps the vectors of parts that are functions of the word alone.

    sessions (dict[str, Session]): The graphs, of which those of the embedding are run.
    """

    def __init__(self, sessions: dict[str, Session]):
        self._sessions = sessions
        self._kept = _Table(0)
        self._lock = ForkSafeLock()

    def __call__(self, features: TokenFeatures, words: DistinctWords) -> np.ndarray:
        """Embed distinct words: U words -> (U, width)."""
        return np.concatenate([self._embed(features, some) for some in words.pieces(MAX_WORDS)])

    def _embed(self, features: TokenFeatures, words: DistinctWords) -> np.ndarray:
        names = [part.name for part in features.word_parts]
        lasting = [name for name in names if name not in features.finished]
        found = self._look_up(features, words, lasting)
        for name in features.finished:
            found[name] = self._run(name, features.arrays(words, [name]))
        return np.concatenate([found[name] for name in names], axis=1)

    def _look_up(
        self, features: TokenFeatures, words: DistinctWords, parts: Sequence[str]
    ) -> dict[str, np.ndarray]:
        keys = words.keys.tolist()
        table = self._kept
        rows = table.find(keys)
        if -1 in rows or not table.vectors:
            with self._lock:
                if not self._kept.has_room(keys):
                    width = sum(self._session(name).width for name in parts)
                    self._kept = _Table(max(MAX_WORDS, MAX_BYTES // max(4 * width, 1)))
                table = self._kept
                new = words.take([row < 0 for row in table.find(keys)])
                arrays = features.arrays(new, parts)
                table.add(new.keys.tolist(), {name: self._run(name, arrays) for name in parts})
            rows = table.find(keys)
        return {name: table.vectors[name][rows] for name in parts}

    def _session(self, part: str) -> Session:
        return self._sessions[f"embedding.parts.{part}"]

    def _run(self, part: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """The vectors that a part gives of words, (U, output_size)."""
        return word_vectors(self._session(part), arrays)


class _Table:
    """Vectors of words by part; a row never changes once it is found.

    capacity (int): The most words.
    """

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._rows: dict[int, int] = {}
        self.vectors: dict[str, np.ndarray] = {}

    def has_room(self, keys: Sequence[int]) -> bool:
        return len(self._rows) + self.find(keys).count(-1) <= self._capacity

    def find(self, keys: Sequence[int]) -> list[int]:
        """The row of each word, -1 for one that is not kept."""
        return [self._rows.get(key, -1) for key in keys]

    def add(self, keys: Sequence[int], vectors: dict[str, np.ndarray]) -> None:
        """Add the vectors of words that are not kept yet."""
        start, end = len(self._rows), len(self._rows) + len(keys)
        for name, new in vectors.items():
            if name not in self.vectors:
                # Only rows that are written take up memory.
                self.vectors[name] = np.empty((self._capacity, new.shape[1]), dtype="float32")
            self.vectors[name][start:end] = new
        # Only now, for others who read without the lock.
        self._rows.update(zip(keys, range(start, end), strict=True))
