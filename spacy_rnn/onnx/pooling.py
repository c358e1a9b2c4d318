"""Pooling of the states of sequences as in `spacy_rnn.nn.pooling`, in numpy.

Each sequence is summed by itself, so that its vector does not depend on the others.
"""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np

from ..nn.options import Direction, Way
from ..nn.ragged import offsets

#: what is kept of each sequence by each way of pooling: named arrays with one row for each
Summaries = dict[Way, dict[str, np.ndarray]]
#: the scores of the attention: (N, D) -> (N, 1)
AttentionScores = Callable[[np.ndarray], np.ndarray]


class Pooling:
    """The ways of pooling, their vectors concatenated.

    ways (list[str]): The ways.
    direction (str): Direction of the encoder that made the states.
    scores (AttentionScores): The scores of "attention".
    """

    def __init__(self, ways: list[Way], direction: Direction, scores: AttentionScores):
        self._ways = ways
        self._direction = direction
        self._scores = scores

    def summarize(self, x: np.ndarray, lengths: np.ndarray) -> Summaries:
        """Return what each way needs of each sequence: (N, D), (B,) -> (B, ...)."""
        makers = {
            "last": lambda: {"state": self._final_states(x, lengths)},
            "mean": lambda: {
                "total": _reduce(np.add, x, lengths, 0.0),
                "count": lengths.astype("float32")[:, None],
            },
            "max": lambda: {"largest": _maxima(x, lengths)},
            "attention": lambda: _weighted(x, self._scores(x), lengths),
        }
        return {way: makers[way]() for way in self._ways}

    def merge(self, summaries: Summaries, counts: np.ndarray) -> Summaries:
        """Combine the windows of each text, `counts` consecutive rows."""

        def sums(kept: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: _reduce(np.add, kept[name], counts, 0.0) for name in ("total", "count")}

        def merge_weighted(kept: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            peak = _maxima(kept["peak"], counts)
            factor = np.exp(kept["peak"] - np.repeat(peak, counts, axis=0))
            return {"peak": peak, **sums({n: kept[n] * factor for n in ("total", "count")})}

        mergers: dict[Way, Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]] = {
            "last": lambda kept: {"state": self._final_states(kept["state"], counts)},
            "mean": sums,
            "max": lambda kept: {"largest": _maxima(kept["largest"], counts)},
            "attention": merge_weighted,
        }
        return {way: mergers[way](kept) for way, kept in summaries.items()}

    def finish(self, summaries: Summaries) -> np.ndarray:
        """The vectors of the summarized sequences, (B, output_size). A sequence without tokens has
        zeros."""
        vectors = []
        for kept in summaries.values():
            if "state" in kept:
                vectors.append(kept["state"])
            elif "largest" in kept:
                vectors.append(np.where(kept["largest"] == _LOWEST, 0.0, kept["largest"]))
            else:
                vectors.append(kept["total"] / np.maximum(kept["count"], 1.0))
        return np.concatenate(vectors, axis=1, dtype="float32")

    def _final_states(self, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        states = np.zeros((len(lengths), x.shape[1]), dtype="float32")
        filled = lengths > 0
        first = offsets(lengths)[filled]
        last = first + lengths[filled] - 1
        half = {"forward": x.shape[1], "backward": 0, "both": x.shape[1] // 2}[self._direction]
        states[filled, :half] = x[last, :half]
        states[filled, half:] = x[first, half:]
        return states


def concatenated(parts: Sequence[Summaries], order: np.ndarray) -> Summaries:
    """Join the summaries of batches, rows in the given order."""
    return {
        way: {name: np.concatenate([part[way][name] for part in parts])[order] for name in kept}
        for way, kept in parts[0].items()
    }


_LOWEST = float(np.finfo("float32").min)


def _weighted(x: np.ndarray, scores: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    peak = _maxima(scores, lengths)
    weights = np.exp(scores - np.repeat(peak, lengths, axis=0))
    return {
        "peak": peak,
        "total": _reduce(np.add, weights * x, lengths, 0.0),
        "count": _reduce(np.add, weights, lengths, 0.0),
    }


def _maxima(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return _reduce(np.maximum, x, lengths, _LOWEST)


def _reduce(
    operation: np.ufunc, x: np.ndarray, lengths: np.ndarray, of_nothing: float
) -> np.ndarray:
    """Reduce the rows of each sequence: (N, D) -> (B, D)."""
    found = np.full((len(lengths), x.shape[1]), of_nothing, dtype="float32")
    filled = lengths > 0
    if filled.any():
        found[filled] = operation.reduceat(x, offsets(lengths)[filled], axis=0)
    return found
