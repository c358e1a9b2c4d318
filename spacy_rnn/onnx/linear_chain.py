"""Exact inference over chains of tags as in `spacy_rnn.nn.linear_chain`, in numpy.

Sums over all readings are taken for each sequence by itself, in float64, so that probabilities do
not depend on the batch.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np

from ..nn.ragged import offsets

#: steps of the Viterbi recursion after which scores are brought back to 0
RESCALE = 32


class Potentials(NamedTuple):
    """Scores of tags at the borders of a sequence, (C,), and next to each other, (C from, C to)."""

    start: np.ndarray
    transitions: np.ndarray
    end: np.ndarray

    def divided_by(self, temperature: float) -> Potentials:
        """The scores at a temperature."""
        return Potentials(*(scores / np.float32(temperature) for scores in self))

    def allowed(self, constraints: Constraints) -> Potentials:
        """The scores, -inf where the constraints forbid."""
        pairs = zip(self, constraints[:3], strict=True)
        return Potentials(*(np.where(mask, scores, -np.inf) for scores, mask in pairs))


class Constraints(NamedTuple):
    """The tags that a scheme allows, bool; see `spacy_rnn.nn.tag_scores.Constraints`."""

    start: np.ndarray
    transitions: np.ndarray
    end: np.ndarray
    continues: np.ndarray


class TagScores(NamedTuple):
    """The scores of a target; see `spacy_rnn.nn.tag_scores.TagScores`.

    scores (np.ndarray): Score of each tag of each token, float32 (N, C).
    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    learned (Optional[Potentials]): The learned scores of transitions, if there are any.
    temperature (float): Divides all scores.
    """

    scores: np.ndarray
    lengths: np.ndarray
    learned: Optional[Potentials] = None
    temperature: float = 1.0

    @property
    def emissions(self) -> np.ndarray:
        """The scores of single tags, (N, C)."""
        return self.scores / np.float32(self.temperature)

    def potentials(self, constraints: Optional[Constraints] = None) -> Potentials:
        """The scores of tags at the borders and next to each other."""
        learned = self.learned
        if learned is None:
            zeros = np.zeros(self.scores.shape[1], dtype="float32")
            learned = Potentials(zeros, np.zeros((len(zeros), len(zeros)), "float32"), zeros)
        learned = learned.divided_by(self.temperature)
        return learned if constraints is None else learned.allowed(constraints)

    def chains(self, constraints: Optional[Constraints] = None) -> list[Chain]:
        """The chain of each sequence."""
        potentials = self.potentials(constraints)
        parts = np.split(self.emissions, np.cumsum(self.lengths)[:-1])
        return [Chain(potentials, part) for part in parts]

    def biased(self, tag: int, bias: float) -> TagScores:
        """The scores with a bias added to those of a tag."""
        scores = self.scores.copy()
        scores[:, tag] += bias
        return self._replace(scores=scores)

    def best(self, constraints: Optional[Constraints] = None) -> np.ndarray:
        """The best tags (N,): of each token where nothing binds it to others, else of the chain."""
        if self.learned is None and constraints is None:
            tags: np.ndarray = self.scores.argmax(axis=1)
            return tags
        return viterbi(self.potentials(constraints), self.emissions, self.lengths)

    def probabilities(self, constraints: Optional[Constraints] = None) -> np.ndarray:
        """The probability of each tag, float32 (N, C), over all tags of the other tokens."""
        if self.learned is None and constraints is None:
            return _softmax(self.emissions)
        return np.concatenate([chain.marginals() for chain in self.chains(constraints)])

    def entropies(self, constraints: Constraints) -> np.ndarray:
        """The entropy of the distribution over all readings of each sequence, in nats, (B,)."""
        return np.array([chain.entropy() for chain in self.chains(constraints)])

    def readings(self, n: int, constraints: Constraints) -> tuple[np.ndarray, np.ndarray]:
        """The n best readings of each sequence, best first: tags, int64 (N, n), and the logs of
        their probabilities, (B, n), -inf where there are fewer."""
        chains = self.chains(constraints)
        tags, scores = zip(*(chain.n_best(n) for chain in chains), strict=True)
        log_z = [chain.log_partition() for chain in chains]
        return np.concatenate(tags), np.stack(scores) - np.array(log_z)[:, None]

    def span_probabilities(
        self, tags: np.ndarray, starts: np.ndarray, ends: np.ndarray, constraints: Constraints
    ) -> np.ndarray:
        """The probability of spans; see `spacy_rnn.nn.linear_chain.span_probabilities`.

        tags (np.ndarray): Tags of all tokens, int64 (N,).
        starts (np.ndarray), ends (np.ndarray): Places among all tokens, ascending, int64 (E,).
        constraints (Constraints): The tags that have a probability.
        RETURNS (np.ndarray): The probabilities, float32 (E,).
        """
        firsts = offsets(self.lengths)
        found = []
        for chain, first, n in zip(
            self.chains(constraints), firsts.tolist(), self.lengths.tolist(), strict=True
        ):
            mine = slice(*np.searchsorted(starts, [first, first + n]))
            spans = starts[mine] - first, ends[mine] - first
            own = tags[first : first + n]
            found.append(chain.span_probabilities(own, *spans, constraints.continues))
        return np.concatenate(found)


class Chain:
    """The linear chain of one sequence.

    potentials (Potentials): Scores of tags at the borders and next to each other.
    emissions (np.ndarray): Score of each tag of each token, (T, C).
    """

    def __init__(self, potentials: Potentials, emissions: np.ndarray):
        self._potentials = Potentials(*(scores.astype("float64") for scores in potentials))
        self._x = emissions.astype("float64")

    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        """The forward-backward algorithm: log of the sum over the tags of the tokens before each
        token, and of those after it, (T, C) each, less a constant of the token."""
        start, transitions, end = self._potentials
        after = _one_way(end, transitions.T, self._x[::-1])[::-1]
        return _one_way(start, transitions, self._x), after

    def marginals(self) -> np.ndarray:
        """The probability of each tag at each token, float32 (T, C)."""
        if not len(self._x):
            return self._x.astype("float32")
        before, after = self._sums()
        return _softmax(before + self._x + after)

    def log_partition(self) -> float:
        """Log of the sum over all readings."""
        start, transitions, end = self._potentials
        if not len(self._x):
            return 0.0
        total, reached = 0.0, start + self._x[0]
        for x in self._x[1:]:
            top = _top(reached)
            total += float(top)
            reached = _log_sum(reached[:, None] - top + transitions) + x
        return total + float(_log_sum(reached + end))

    def entropy(self) -> float:
        """The entropy of the distribution over all readings; see
        `spacy_rnn.nn.linear_chain.entropies`."""
        if not len(self._x):
            return 0.0
        before, after = self._sums()
        p = _softmax(before + self._x + after, "float64")
        total = float(_entropy(p[0]))
        for t, ahead in enumerate((self._x + after)[1:]):
            possible = p[t] > 0
            onward = _softmax(self._potentials.transitions[possible] + ahead, "float64")
            total += float(p[t, possible] @ _entropy(onward))
        return total

    def n_best(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The n best readings, best first: tags, int64 (T, n), and scores (n,), -inf where there
        are fewer."""
        start, transitions, end = self._potentials
        if not len(self._x):
            return np.zeros((0, n), dtype="int64"), np.where(np.arange(n) == 0, 0.0, -np.inf)
        scores = np.full((n, len(start)), -np.inf)
        scores[0] = start + self._x[0]
        came_from = np.empty((len(self._x) - 1, n, len(start)), dtype="int64")
        for x, places in zip(self._x[1:], came_from, strict=True):
            # shape: (n, C from, C to) -> (n * C, C)
            ways = (scores[:, :, None] + transitions).reshape(-1, len(start))
            places[:] = np.argsort(-ways, axis=0, kind="stable")[:n]
            scores = np.take_along_axis(ways, places, axis=0) + x
        ends = (scores + end).reshape(-1)
        places = np.argsort(-ends, kind="stable")[:n]
        found, tags = ends[places], [places % len(start)]
        for back in came_from[::-1]:
            places = back[places // len(start), places % len(start)]
            tags.append(places % len(start))
        return np.stack(tags[::-1]), found

    def span_probabilities(
        self, tags: np.ndarray, starts: np.ndarray, ends: np.ndarray, continues: np.ndarray
    ) -> np.ndarray:
        """The probability of spans; see `spacy_rnn.nn.linear_chain.span_probabilities`.

        tags (np.ndarray): Tags of all tokens, int64 (T,).
        starts (np.ndarray), ends (np.ndarray): Spans, int64 (E,).
        continues (np.ndarray): Pairs of tags of which the second continues the span of the first,
            bool (C, C).
        RETURNS (np.ndarray): The probabilities, float32 (E,).
        """
        found = np.zeros(len(starts), dtype="float32")
        if not len(starts):
            return found
        before, after = self._sums()
        marginals = _softmax(before + self._x + after, "float64")
        # The probability of each tag of the next token, given a token's tag. shape: (T, C)
        ahead = np.roll(self._x + after, -1, axis=0) + self._potentials.transitions[tags]
        onward = _softmax(ahead, "float64")
        for i, (first, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            p = marginals[first, tags[first]]
            p *= onward[np.arange(first, end - 1), tags[first + 1 : end]].prod()
            if end < len(tags):
                p *= 1.0 - onward[end - 1, continues[tags[end - 1]]].sum()
            found[i] = p
        return found


def viterbi(potentials: Potentials, emissions: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The best tags of each sequence, int64 (N,) (Viterbi 1967). All sequences advance together,
    the longest first, so that those that have not ended are the first of each step."""
    start, transitions, end = potentials
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    found = np.zeros(len(emissions), dtype="int64")
    if not len(order):
        return found
    first, sizes = offsets(lengths)[order], lengths[order]
    active = (np.arange(sizes[0])[:, None] < sizes).sum(axis=1).tolist()
    # The score of the best way to each tag, in one array of all tokens; the way itself is found
    # again on the way back.
    best = np.empty_like(emissions)
    best[first] = start + emissions[first]
    for t, n in enumerate(active[1:], start=1):
        # shape: (n, C from, C to) -> (n, C)
        ways = best[first[:n] + t - 1, :, None] + transitions
        reached = ways.max(axis=1) + emissions[first[:n] + t]
        scale = _top(reached, axis=1)[:, None] if t % RESCALE == 0 else 0.0
        best[first[:n] + t] = reached - scale
    tags = np.zeros(0, dtype="int64")
    for t in range(len(active) - 1, -1, -1):
        reached, n = best[first[: active[t]] + t], len(tags)
        onward = (reached[:n] + transitions.T[tags]).argmax(axis=1)
        tags = np.concatenate([onward, (reached[n:] + end).argmax(axis=1)])
        found[first[: len(tags)] + t] = tags
    return found


def _one_way(start: np.ndarray, transitions: np.ndarray, x: np.ndarray) -> np.ndarray:
    sums = np.empty_like(x)
    sums[0] = start
    for t in range(1, len(x)):
        reached = sums[t - 1] + x[t - 1]
        sums[t] = _log_sum((reached - _top(reached))[:, None] + transitions)
    return sums


def _top(scores: np.ndarray, axis: int = 0) -> np.ndarray:
    """The largest score; a finite number even where all are -inf."""
    top: np.ndarray = np.maximum(scores.max(axis=axis), np.finfo(scores.dtype).min)
    return top


def _log_sum(scores: np.ndarray) -> np.ndarray:
    """Log of the sum of exponentials over the first axis, -inf where all are."""
    top = _top(scores)
    with np.errstate(divide="ignore"):
        total: np.ndarray = np.log(np.exp(scores - top).sum(axis=0)) + top
    return total


def _softmax(scores: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """The softmax of each row."""
    exponentials = np.exp(scores - _top(scores, axis=1)[:, None])
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(dtype)


def _entropy(p: np.ndarray) -> np.ndarray:
    """The entropy of each row of probabilities, in nats."""
    found: np.ndarray = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return found
