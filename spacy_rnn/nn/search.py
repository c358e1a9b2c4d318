"""Search for the best targets of a batch of sources: greedy, beam and sampling in one loop.

Every source has a row for each of its hypotheses: one at first, then `beam`. At each step all rows
of all sources read a piece together; hypotheses that end become results, and sources that cannot
get better leave the batch. A step keeps the row that each hypothesis goes on from, not the pieces
before it, so that its cost does not grow with the length of the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Protocol, Sequence

import numpy as np
import torch
from torch import Tensor

#: numbers in a block of `_greatest`
_BLOCK = 64


class Model(Protocol):
    """What is searched: a decoder with its sources."""

    def step(self, pieces: Tensor, state: Any) -> tuple[Tensor, Optional[Tensor], Any]:
        """Read one piece a row, (B, K): returns scores of the next piece, of which a softmax makes
        probabilities (B, K, V), to be overwritten, the attention on the source (B, K, S) or None,
        and the state after it, of B * K rows, which has a method `select(rows)`."""
        ...

    def keep(self, sources: Tensor) -> None:
        """Go on with these sources of the batch, int64 (B',), alone."""
        ...


@dataclass(frozen=True)
class SearchOptions:
    """How targets are searched.

    beam: hypotheses kept a source; 1 is greedy. Of samples, how many are drawn.
    n_best: results a source, at most `beam`.
    certain: how many of them must be the best there are before the search of a source stops; None
        for all. The others are the best of those that are found by then.
    attention: whether results have their attention.
    length_penalty: alpha of Wu et al. 2016, equation 14; 0 for none.
    coverage_penalty: beta of the same equation: less for source tokens that got little attention.
    block_ngrams: no n-gram of this size twice; 0 allows all.
    temperature, top_k, top_p: of samples: flattens the distribution; draws among the k most
        probable pieces, 0 for all; among the most probable ones that make up p (Holtzman et al.
        2020, section 3.1).
    """

    beam: int = 5
    n_best: int = 1
    certain: Optional[int] = None
    attention: bool = False
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    block_ngrams: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


class Hypothesis(NamedTuple):
    """A target.

    pieces: without the end, int64 (T,).
    log_probability: of the pieces and the end, under the model.
    score: what hypotheses are ranked by: the same with its penalties.
    attention: on the source, a row a piece (T, S); None where it is not asked for, or the model has
        none.
    """

    pieces: Tensor
    log_probability: float
    score: float
    attention: Optional[Tensor]


class _Step(NamedTuple):
    """What the search keeps of a step.

    places: the number of each source in the batch (B,).
    rows: for each hypothesis after the step the one before it that it goes on from (B, K).
    pieces: the piece that it goes on with (B, K).
    n_before: hypotheses of a source before the step, K'.
    attention: of those (B, K', S), where it is asked for.
    """

    places: Tensor
    rows: Tensor
    pieces: Tensor
    n_before: int
    attention: Optional[Tensor]


class _Result(NamedTuple):
    """A hypothesis that ended: `n_pieces` steps and the end, which its row `row` came to."""

    score: float
    log_p: float
    n_pieces: int
    row: int


@torch.inference_mode()
def search(
    model: Model,
    state: Any,
    lengths: tuple[Tensor, Tensor],
    options: SearchOptions,
    *,
    begin: Tensor,
    end: int,
    never: list[int],
    draws: Optional[Tensor] = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each source, best first.

    state: before the first piece, one row a source.
    lengths: the least and the most pieces of the target of each source, int64 (B,); at the most,
        nothing but the end may follow.
    begin: the piece that stands before the first one of each source, int64 (B,).
    end: the piece that stands after the last one.
    never: pieces that are no part of a target.
    draws: numbers from [0, 1), (B, beam, steps), one more step than the longest target has pieces:
        pieces are drawn by them instead of the most probable ones being taken. As they belong to a
        source, its samples do not depend on the batch.
    """
    least, most = lengths
    least = torch.minimum(least, most)
    device, n_sources, beam = most.device, len(most), options.beam
    results: list[list[_Result]] = [[] for _ in range(n_sources)]
    places = torch.arange(n_sources, device=device)
    ruled_out = torch.tensor(never, dtype=torch.int64, device=device)
    # Before the first piece all hypotheses of a source are one, but samples are drawn one by one.
    n_rows = 1 if draws is None else beam
    state = state.select(places.repeat_interleave(n_rows))
    log_p = torch.zeros((n_sources, n_rows), device=device)
    last = begin.unsqueeze(1).expand(n_sources, n_rows)
    # Of the hypotheses so far, where they matter: their pieces (B, K, T), and how much attention
    # each part of the source got (B, K, S).
    before = last.new_zeros((n_sources, n_rows, 0)) if options.block_ngrams else None
    covered: Optional[Tensor] = None
    steps: list[_Step] = []
    while len(places):
        n_rows, n_pieces = last.shape[1], len(steps)
        scores, attention, state = model.step(last, state)
        # Of all pieces: what is ruled out takes no probability from the others.
        scores = scores.float()
        # In place, for they are more than a processor's cache holds.
        torch.log_softmax(scores, dim=2, out=scores)
        if before is not None:
            _block(scores, before, options.block_ngrams)
        _rule_out(scores, n_pieces, least, most, end, ruled_out)
        if draws is None:
            # Twice as many as the beam, for half of them may be ends.
            log_p, rows, pieces = _most_probable(scores, log_p, 2 * beam)
        else:
            log_p, rows, pieces = _drawn(scores, log_p, options, draws[:, :, n_pieces])
        if attention is not None and options.coverage_penalty:
            covered = attention if covered is None else covered + attention
        ends = pieces == end
        finished = ends & torch.isfinite(log_p)
        # An end counts where it would be kept in the beam, so that a beam of 1 is greedy.
        finished[:, beam:] = False
        _collect(results, places, finished, rows, log_p, n_pieces, covered, options)
        log_p = log_p.masked_fill(ends, -torch.inf)
        log_p, best = log_p.topk(min(beam, log_p.shape[1]), dim=1)
        rows, last = rows.gather(1, best), pieces.gather(1, best)
        kept_attention = attention if options.attention else None
        steps.append(_Step(places, rows, last, n_rows, kept_attention))
        if draws is None:
            going_on = _going_on(results, places, log_p, most, options)
        else:
            going_on = torch.isfinite(log_p).any(dim=1)
        kept = going_on.nonzero()
        rows = rows[going_on]
        state = state.select((kept * n_rows + rows).flatten())
        if covered is not None:
            covered = covered[kept, rows]
        if len(kept) < len(places):
            kept = kept.squeeze(1)
            model.keep(kept)
            places, least, most, log_p = places[kept], least[kept], most[kept], log_p[kept]
            last = last[kept]
            draws = None if draws is None else draws[kept]
        if before is not None:
            before = before[kept.view(-1, 1), rows]
            before = torch.cat([before, last.unsqueeze(2)], dim=2)
    return _hypotheses(results, steps)


def _block(scores: Tensor, pieces: Tensor, n: int) -> None:
    """Make scores (B, K, V) -inf for pieces that would end an n-gram a second time, after those
    before (B, K, T)."""
    n_pieces = pieces.shape[2]
    if n > n_pieces:
        return
    # shape: (B, K, windows, n)
    ngrams = pieces.unfold(2, n, 1)
    suffix = pieces[:, :, n_pieces - n + 1 :].unsqueeze(2)
    b, k, w = (ngrams[..., :-1] == suffix).all(dim=3).nonzero(as_tuple=True)
    scores[b, k, ngrams[b, k, w, -1]] = -torch.inf


def _rule_out(
    scores: Tensor, n_pieces: int, least: Tensor, most: Tensor, end: int, never: Tensor
) -> None:
    """Make scores (B, K, V) -inf for pieces that may not come after so many."""
    ends = scores[..., end].masked_fill((n_pieces < least).unsqueeze(1), -torch.inf)
    scores.index_fill_(2, never, -torch.inf)
    # By index: a mask would go through all scores at each step.
    scores.index_fill_(0, (n_pieces >= most).nonzero().squeeze(1), -torch.inf)
    scores[..., end] = ends


def _most_probable(scores: Tensor, log_p: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The n best ways to go on, best first: log-probabilities (B, n), the row that each goes on
    from and its piece. Overwrites the scores."""
    n_pieces = scores.shape[2]
    total = scores.add_(log_p.unsqueeze(2)).flatten(1)
    total, place = _greatest(total, min(n, total.shape[1]))
    return total, place // n_pieces, place % n_pieces


def _greatest(x: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """`x.topk(n, dim=1)` of (B, N), for many numbers: the n greatest lie in the n blocks that have
    the greatest maxima."""
    n_blocks = x.shape[1] // _BLOCK
    blocks = x[:, : n_blocks * _BLOCK].unflatten(1, (n_blocks, _BLOCK))
    best = blocks.amax(dim=2).topk(min(n, n_blocks), dim=1).indices
    places = torch.arange(x.shape[1], device=x.device)
    within = (best.unsqueeze(2) * _BLOCK + places[:_BLOCK]).flatten(1)
    # What is left over at the end, too.
    within = torch.cat([within, places[n_blocks * _BLOCK :].expand(len(x), -1)], dim=1)
    values, best = x.gather(1, within).topk(n, dim=1)
    return values, within.gather(1, best)


def _drawn(
    scores: Tensor, log_p: Tensor, options: SearchOptions, draws: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same, one way a row, by a number from [0, 1) each, draws (B, K)."""
    n_sources, n_rows, n_pieces = scores.shape
    # In float64 the sum over a large vocabulary loses no piece.
    below = _sharpened(scores, options).double().cumsum(dim=2)
    # A piece without probability adds nothing to the sum: the first that exceeds the draw has some.
    place = draws.double().unsqueeze(2) * below[..., -1:]
    pieces = torch.searchsorted(below, place, right=True).clamp(max=n_pieces - 1)
    total = log_p + scores.gather(2, pieces).squeeze(2)
    rows = torch.arange(n_rows, device=scores.device).expand(n_sources, n_rows)
    return total, rows, pieces.squeeze(2)


def _sharpened(scores: Tensor, options: SearchOptions) -> Tensor:
    """The distribution to draw from, (B, K, V)."""
    scores = scores / options.temperature
    if options.top_k:
        least = scores.topk(min(options.top_k, scores.shape[2]), dim=2).values[..., -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    p = scores.softmax(dim=2)
    if options.top_p < 1.0:
        ordered, order = p.sort(dim=2, descending=True)
        # All that come before it make up less than p: the first one always stays.
        kept = ordered.cumsum(dim=2) - ordered < options.top_p
        p = torch.zeros_like(p).scatter(2, order, ordered * kept)
    return p


def length_penalty(n_pieces: int, alpha: float) -> float:
    """The number that the log-probability of a target of so many pieces is divided by; its end
    counts as a piece."""
    return ((5 + n_pieces + 1) / 6) ** alpha


def _collect(
    results: list[list[_Result]],
    places: Tensor,
    finished: Tensor,
    rows: Tensor,
    log_p: Tensor,
    n_pieces: int,
    covered: Optional[Tensor],
    options: SearchOptions,
) -> None:
    """Add the hypotheses that are finished (B, M) to the results, the best of which stay."""
    penalty = length_penalty(n_pieces, options.length_penalty)
    numbers, origins, values = places.tolist(), rows.tolist(), log_p.tolist()
    for b, m in finished.nonzero().tolist():
        row, found = origins[b][m], results[numbers[b]]
        score = values[b][m] / penalty
        if covered is not None:
            # Source tokens that are padding get exactly none.
            got = covered[b, row][covered[b, row] > 0].clamp(max=1.0)
            score += options.coverage_penalty * float(got.log().sum())
        found.append(_Result(score, values[b][m], n_pieces, row))
        found.sort(key=lambda result: -result.score)
        del found[options.n_best :]


def _going_on(
    results: list[list[_Result]],
    places: Tensor,
    log_p: Tensor,
    most: Tensor,
    options: SearchOptions,
) -> Tensor:
    """bool (B,): whether a hypothesis that is alive (B, K) may still be among the best."""
    certain = options.certain or options.n_best
    best = log_p.amax(dim=1).tolist()
    going_on = []
    for place, value, limit in zip(places.tolist(), best, most.tolist(), strict=True):
        found = results[place]
        # It only loses probability, and gains most by the length penalty at the greatest length.
        hope = value / length_penalty(limit, options.length_penalty)
        enough = len(found) >= certain and found[certain - 1].score >= hope
        going_on.append(value > -torch.inf and not enough)
    return torch.tensor(going_on, device=most.device)


def _hypotheses(results: list[list[_Result]], steps: list[_Step]) -> list[list[Hypothesis]]:
    """The results with their pieces and attention: all of them are followed back together."""
    together = [result for found in results for result in found]
    if not together:
        return [[] for _ in results]
    sources = np.repeat(np.arange(len(results)), [len(found) for found in results])
    lengths = np.array([result.n_pieces for result in together])
    rows = np.array([result.row for result in together])
    pieces = np.zeros((len(together), len(steps)), dtype="int64")
    # The place of what led to each piece among the hypotheses of all sources before the step.
    origins = np.zeros_like(pieces)
    places, parents, written = (
        torch.cat([tensor.flatten() for tensor in tensors]).cpu().numpy()
        for tensors in zip(*(step[:3] for step in steps), strict=True)
    )
    first, cell = len(places), len(written)
    place = np.zeros(len(results), dtype="int64")
    for t in range(len(steps) - 1, -1, -1):
        n_sources, n_rows = steps[t].rows.shape
        first, cell = first - n_sources, cell - n_sources * n_rows
        place[places[first : first + n_sources]] = np.arange(n_sources)
        longer = np.flatnonzero(lengths > t)
        at = place[sources[longer]]
        cells = cell + at * n_rows + rows[longer]
        pieces[longer, t], rows[longer] = written[cells], parents[cells]
        origins[longer, t] = at * steps[t].n_before + rows[longer]
    attention = _attention(steps, origins, lengths)
    hypotheses = [
        Hypothesis(torch.from_numpy(ids[:n]), result.log_p, result.score, weights)
        for ids, n, result, weights in zip(pieces, lengths, together, attention, strict=True)
    ]
    ends = np.cumsum([len(found) for found in results]).tolist()
    return [hypotheses[end - len(found) : end] for end, found in zip(ends, results, strict=True)]


def _attention(
    steps: list[_Step], origins: np.ndarray, lengths: np.ndarray
) -> Sequence[Optional[Tensor]]:
    """The attention of each result, whose pieces stand at these places (H, T) of the steps."""
    of_steps = [step.attention.flatten(0, 1) for step in steps if step.attention is not None]
    if not of_steps:
        return [None] * len(lengths)
    starts = np.cumsum([0, *map(len, of_steps[:-1])])
    is_piece = np.arange(origins.shape[1]) < lengths[:, None]
    rows = torch.from_numpy((origins + starts)[is_piece]).to(of_steps[0].device)
    weights = torch.cat(of_steps).index_select(0, rows).float().cpu()
    return weights.split(lengths.tolist())
