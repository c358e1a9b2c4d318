"""Search for the best targets of a batch of sources: greedy, beam and sampling in one loop.

Every source has a row for each of its hypotheses: one at first, then `beam`. At each step all rows
of all sources read a piece together; hypotheses that end become results, and sources that cannot
improve leave the batch. A step keeps the row that each hypothesis continues, not the pieces before
it, so that its cost does not grow with the length of the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional, Protocol, Sequence, TypeVar

import numpy as np
import torch
from torch import Tensor

from .candidates import (
    mask_forbidden,
    mask_repeated_ngrams,
    most_probable,
    sample,
    sampling_distribution,
)

T = TypeVar("T")


class Selectable(Protocol):
    """Tensors that belong to the rows of a batch."""

    def select(self: T, rows: Tensor) -> T:
        """Return the same of other rows (R,) of the batch, any number of times."""


SourceT = TypeVar("SourceT", bound=Optional[Selectable], contravariant=True)
StateT = TypeVar("StateT", bound=Selectable)


class StepwiseModel(Protocol[SourceT, StateT]):
    """A network that predicts a target piece by piece."""

    def step(
        self, pieces: Tensor, source: SourceT, state: StateT
    ) -> tuple[Tensor, Optional[Tensor], StateT]:
        """Read one piece per row.

        pieces (Tensor): The pieces, int64 (B, K).
        source: The encoded sources, B rows; None for a network that reads nothing else.
        state: The state before the pieces, B * K rows.
        RETURNS (tuple): The scores of the next piece (B, K, V), of which a softmax makes
            probabilities and which may be overwritten; the attention on the source (B, K, S) or
            None; and the state after the pieces.
        """


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search.

    beam (int): Hypotheses kept per source; 1 is greedy. With sampling, the number of samples.
    n_best (int): Results per source, at most `beam`.
    n_exact (int): How many of the results must be the best possible before the search of a source
        stops; None for all. The others are the best of those found by then.
    attention (bool): Keep the attention of the results.
    length_penalty (float): Alpha of Wu et al. 2016, equation 14; 0 for none.
    coverage_penalty (float): Beta of the same equation: lower scores where source tokens got little
        attention.
    no_repeat_ngram_size (int): No n-gram of this size occurs twice; 0 allows all.
    temperature (float): Of sampling; below 1 it sharpens the distribution, above 1 it flattens it.
    top_k (int): Sample from the k most probable pieces; 0 for all.
    top_p (float): Sample from the most probable pieces that make up the probability p (Holtzman et
        al. 2020, section 3.1).
    """

    beam: int = 5
    n_best: int = 1
    n_exact: Optional[int] = None
    attention: bool = False
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


class Hypothesis(NamedTuple):
    """A target.

    pieces (Tensor): The pieces without the end, int64 (T,).
    log_probability (float): Of the pieces and the end, under the model.
    score (float): The same with its penalties, by which hypotheses are ranked.
    attention (Tensor): On the source, one row per piece (T, S); None unless it was requested and
        the model has one.
    """

    pieces: Tensor
    log_probability: float
    score: float
    attention: Optional[Tensor]


class _Step(NamedTuple):
    """The record of a step.

    sources (Tensor): The number of each source in the batch (B,).
    parents (Tensor): For each hypothesis after the step, the row of the one that it continues
        (B, K).
    pieces (Tensor): The piece that each adds (B, K).
    n_rows (int): Hypotheses per source before the step, K'.
    attention (Tensor): Of those (B, K', S), if requested.
    """

    sources: Tensor
    parents: Tensor
    pieces: Tensor
    n_rows: int
    attention: Optional[Tensor]


class _Result(NamedTuple):
    """A hypothesis that ended: `n_pieces` steps and the end, which its row `row` came to."""

    score: float
    log_p: float
    n_pieces: int
    row: int


@torch.inference_mode()
def search(
    model: StepwiseModel[SourceT, StateT],
    source: SourceT,
    state: StateT,
    length_bounds: tuple[Tensor, Tensor],
    options: SearchOptions,
    *,
    begin: Tensor,
    end: int,
    forbidden: list[int],
    first: Optional[Tensor] = None,
    uniforms: Optional[Tensor] = None,
) -> list[list[Hypothesis]]:
    """Find the best hypotheses of each source, best first.

    model (StepwiseModel): The network.
    source: The encoded sources, one row each; None if the network has none.
    state: The state before the first piece, one row per source.
    length_bounds (tuple): The minimum and the maximum number of pieces in the target of each
        source, both int64 (B,); at the maximum only the end may follow.
    options (SearchOptions): The options of the search.
    begin (Tensor): The piece before the first one of each source, int64 (B,).
    end (int): The piece after the last one.
    forbidden (list[int]): Pieces that no target contains.
    first (Tensor): The pieces that each source allows first, bool (B, V); None allows all.
    uniforms (Tensor): Random numbers from [0, 1), (B, beam, steps), with one more step than the
        longest target has pieces: pieces are sampled by them instead of the most probable ones
        being taken. As they belong to a source, its samples do not depend on the batch.
    RETURNS (list): The hypotheses of each source, best first.
    """
    min_length, max_length = length_bounds
    min_length = torch.minimum(min_length, max_length)
    device, n_sources, beam = max_length.device, len(max_length), options.beam
    results: list[list[_Result]] = [[] for _ in range(n_sources)]
    # The sources that are still searched.
    sources = torch.arange(n_sources, device=device)
    forbidden_pieces = torch.tensor(forbidden, dtype=torch.int64, device=device)
    # Before the first piece all hypotheses of a source are one, but each sample has its own row.
    n_rows = 1 if uniforms is None else beam
    state = state.select(sources.repeat_interleave(n_rows))
    log_p = torch.zeros((n_sources, n_rows), device=device)
    last = begin.unsqueeze(1).expand(n_sources, n_rows)
    # The pieces of the hypotheses (B, K, T) and the attention that each part of the source got
    # (B, K, S), where an option needs them.
    history = last.new_zeros((n_sources, n_rows, 0)) if options.no_repeat_ngram_size else None
    coverage: Optional[Tensor] = None
    steps: list[_Step] = []
    while len(sources):
        n_rows, n_pieces = last.shape[1], len(steps)
        scores, attention, state = model.step(last, source, state)
        scores = scores.float()
        if first is not None and not steps:
            scores = scores.masked_fill(~first.unsqueeze(1), -torch.inf)
        # Of all pieces: forbidden ones take no probability from the others.
        # In place, for they are more than a processor's cache holds.
        torch.log_softmax(scores, dim=2, out=scores)
        if history is not None:
            mask_repeated_ngrams(scores, history, options.no_repeat_ngram_size)
        mask_forbidden(scores, n_pieces, min_length, max_length, end, forbidden_pieces)
        if uniforms is None:
            # Twice as many as the beam, for half of them may be ends.
            log_p, rows, pieces = most_probable(scores, log_p, 2 * beam)
        else:
            p = sampling_distribution(scores, options.temperature, options.top_k, options.top_p)
            log_p, rows, pieces = sample(scores, log_p, p, uniforms[:, :, n_pieces])
        if attention is not None and options.coverage_penalty:
            coverage = attention if coverage is None else coverage + attention
        ends = pieces == end
        finished = ends & torch.isfinite(log_p)
        # An end counts where it would be kept in the beam, so that a beam of 1 is greedy.
        finished[:, beam:] = False
        _collect(results, sources, finished, rows, log_p, n_pieces, coverage, options)
        log_p = log_p.masked_fill(ends, -torch.inf)
        log_p, best = log_p.topk(min(beam, log_p.shape[1]), dim=1)
        rows, last = rows.gather(1, best), pieces.gather(1, best)
        kept_attention = attention if options.attention else None
        steps.append(_Step(sources, rows, last, n_rows, kept_attention))
        if uniforms is None:
            continues = _can_improve(results, sources, log_p, max_length, options)
        else:
            continues = torch.isfinite(log_p).any(dim=1)
        kept = continues.nonzero()
        rows = rows[continues]
        state = state.select((kept * n_rows + rows).flatten())
        if coverage is not None:
            coverage = coverage[kept, rows]
        if len(kept) < len(sources):
            kept = kept.squeeze(1)
            if source is not None:
                source = source.select(kept)
            sources, min_length, max_length = sources[kept], min_length[kept], max_length[kept]
            log_p, last = log_p[kept], last[kept]
            uniforms = None if uniforms is None else uniforms[kept]
        if history is not None:
            history = history[kept.view(-1, 1), rows]
            history = torch.cat([history, last.unsqueeze(2)], dim=2)
    return _hypotheses(results, steps)


def length_penalty(n_pieces: int, alpha: float) -> float:
    """The divisor of the log-probability of a target of so many pieces; its end counts as one."""
    return ((5 + n_pieces + 1) / 6) ** alpha


def _collect(
    results: list[list[_Result]],
    sources: Tensor,
    finished: Tensor,
    rows: Tensor,
    log_p: Tensor,
    n_pieces: int,
    coverage: Optional[Tensor],
    options: SearchOptions,
) -> None:
    """Add the finished hypotheses (B, M) to the results, of which the best are kept."""
    penalty = length_penalty(n_pieces, options.length_penalty)
    numbers, parents, values = sources.tolist(), rows.tolist(), log_p.tolist()
    for b, m in finished.nonzero().tolist():
        row, found = parents[b][m], results[numbers[b]]
        score = values[b][m] / penalty
        if coverage is not None:
            # Source tokens that are padding get exactly none.
            covered = coverage[b, row][coverage[b, row] > 0].clamp(max=1.0)
            score += options.coverage_penalty * float(covered.log().sum())
        found.append(_Result(score, values[b][m], n_pieces, row))
        found.sort(key=lambda result: -result.score)
        del found[options.n_best :]


def _can_improve(
    results: list[list[_Result]],
    sources: Tensor,
    log_p: Tensor,
    max_length: Tensor,
    options: SearchOptions,
) -> Tensor:
    """bool (B,): True where an unfinished hypothesis (B, K) may still become one of the best."""
    n_exact = options.n_exact or options.n_best
    best = log_p.amax(dim=1).tolist()
    can_improve = []
    for number, value, limit in zip(sources.tolist(), best, max_length.tolist(), strict=True):
        found = results[number]
        # It only loses probability, and gains most by the length penalty at the maximum length.
        bound = value / length_penalty(limit, options.length_penalty)
        enough = len(found) >= n_exact and found[n_exact - 1].score >= bound
        can_improve.append(value > -torch.inf and not enough)
    return torch.tensor(can_improve, device=max_length.device)


def _hypotheses(results: list[list[_Result]], steps: list[_Step]) -> list[list[Hypothesis]]:
    """The results with their pieces and attention: all of them are traced back together."""
    flat = [result for found in results for result in found]
    if not flat:
        return [[] for _ in results]
    sources = np.repeat(np.arange(len(results)), [len(found) for found in results])
    lengths = np.array([result.n_pieces for result in flat])
    rows = np.array([result.row for result in flat])
    pieces = np.zeros((len(flat), len(steps)), dtype="int64")
    # The row that led to each piece among the hypotheses of all sources before the step.
    origins = np.zeros_like(pieces)
    all_sources, all_parents, all_pieces = (
        torch.cat([tensor.flatten() for tensor in tensors]).cpu().numpy()
        for tensors in zip(*(step[:3] for step in steps), strict=True)
    )
    first, cell = len(all_sources), len(all_pieces)
    index = np.zeros(len(results), dtype="int64")
    for t in range(len(steps) - 1, -1, -1):
        n_sources, n_rows = steps[t].parents.shape
        first, cell = first - n_sources, cell - n_sources * n_rows
        index[all_sources[first : first + n_sources]] = np.arange(n_sources)
        longer = np.flatnonzero(lengths > t)
        at = index[sources[longer]]
        cells = cell + at * n_rows + rows[longer]
        pieces[longer, t], rows[longer] = all_pieces[cells], all_parents[cells]
        origins[longer, t] = at * steps[t].n_rows + rows[longer]
    attention = _attention(steps, origins, lengths)
    hypotheses = [
        Hypothesis(torch.from_numpy(ids[:n]), result.log_p, result.score, weights)
        for ids, n, result, weights in zip(pieces, lengths, flat, attention, strict=True)
    ]
    ends = np.cumsum([len(found) for found in results]).tolist()
    return [hypotheses[end - len(found) : end] for end, found in zip(ends, results, strict=True)]


def _attention(
    steps: list[_Step], origins: np.ndarray, lengths: np.ndarray
) -> Sequence[Optional[Tensor]]:
    """The attention of each result, whose pieces come from these rows (H, T) of the steps."""
    of_steps = [step.attention.flatten(0, 1) for step in steps if step.attention is not None]
    if not of_steps:
        return [None] * len(lengths)
    starts = np.cumsum([0, *map(len, of_steps[:-1])])
    is_piece = np.arange(origins.shape[1]) < lengths[:, None]
    rows = torch.from_numpy((origins + starts)[is_piece]).to(of_steps[0].device)
    weights = torch.cat(of_steps).index_select(0, rows).float().cpu()
    return weights.split(lengths.tolist())
