"""Search for the best targets of a batch of sources: greedy, beam and sampling in one loop.

Every source has a row for each of its hypotheses: one at first, then `beam`. At each step all rows
of all sources read a piece together; hypotheses that end become results, and sources that cannot
get better leave the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Protocol

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
    length_penalty: alpha of Wu et al. 2016, equation 14; 0 for none.
    coverage_penalty: beta of the same equation: less for source tokens that got little attention.
    block_ngrams: no n-gram of this size twice; 0 allows all.
    temperature, top_k, top_p: of samples: flattens the distribution; draws among the k most
        probable pieces, 0 for all; among the most probable ones that make up p (Holtzman et al.
        2020, section 3.1).
    """

    beam: int = 5
    n_best: int = 1
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
    attention: on the source, a row a piece (T, S), or None.
    """

    pieces: Tensor
    log_probability: float
    score: float
    attention: Optional[Tensor]


class _Alive(NamedTuple):
    """The hypotheses of the sources in the batch. pieces (B, K, T), log-probabilities (B, K), -inf
    of rows that are none; attention (B, K, T, S)."""

    pieces: Tensor
    log_p: Tensor
    attention: Optional[Tensor]

    def select(self, sources: Tensor, rows: Tensor) -> _Alive:
        """Of sources (B', 1) the rows (B', K)."""
        attention = None if self.attention is None else self.attention[sources, rows]
        return _Alive(self.pieces[sources, rows], self.log_p[sources, rows], attention)


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
    results: list[list[Hypothesis]] = [[] for _ in range(n_sources)]
    places = torch.arange(n_sources, device=device)
    ruled_out = torch.tensor(never, dtype=torch.int64, device=device)
    # Before the first piece all hypotheses of a source are one, but samples are drawn one by one.
    n_rows = 1 if draws is None else beam
    state = state.select(places.repeat_interleave(n_rows))
    log_p = torch.zeros((n_sources, n_rows), device=device)
    alive = _Alive(log_p.new_zeros((n_sources, n_rows, 0), dtype=torch.int64), log_p, None)
    last = begin.unsqueeze(1).expand(n_sources, n_rows)
    while len(places):
        n_rows = last.shape[1]
        scores, attention, state = model.step(last, state)
        # Of all pieces: what is ruled out takes no probability from the others.
        scores = scores.float()
        # In place, for they are more than a processor's cache holds.
        torch.log_softmax(scores, dim=2, out=scores)
        _rule_out(scores, alive.pieces, least, most, options.block_ngrams, end, ruled_out)
        if draws is None:
            # Twice as many as the beam, for half of them may be ends.
            log_p, rows, pieces = _most_probable(scores, alive.log_p, 2 * beam)
        else:
            drawn = draws[:, :, alive.pieces.shape[2]]
            log_p, rows, pieces = _drawn(scores, alive.log_p, options, drawn)
        if attention is not None:
            before = alive.attention
            attention = attention.unsqueeze(2)
            joined = attention if before is None else torch.cat([before, attention], dim=2)
            alive = alive._replace(attention=joined)
        ends = pieces == end
        finished = ends & torch.isfinite(log_p)
        # An end counts where it would be kept in the beam, so that a beam of 1 is greedy.
        finished[:, beam:] = False
        _collect(results, places, alive, finished, rows, log_p, options)
        log_p = log_p.masked_fill(ends, -torch.inf)
        log_p, best = log_p.topk(min(beam, log_p.shape[1]), dim=1)
        rows, last = rows.gather(1, best), pieces.gather(1, best)
        alive = alive.select(torch.arange(len(places), device=device).unsqueeze(1), rows)
        alive = alive._replace(pieces=torch.cat([alive.pieces, last.unsqueeze(2)], 2), log_p=log_p)
        if draws is None:
            going_on = _going_on(results, places, alive, most, options)
        else:
            going_on = torch.isfinite(alive.log_p).any(dim=1)
        kept = going_on.nonzero()
        state = state.select((kept * n_rows + rows[going_on]).flatten())
        if len(kept) < len(places):
            alive = alive.select(kept, torch.arange(last.shape[1], device=device))
            kept = kept.squeeze(1)
            model.keep(kept)
            places, least, most, last = places[kept], least[kept], most[kept], last[kept]
            draws = None if draws is None else draws[kept]
    return results


def _rule_out(
    scores: Tensor,
    pieces: Tensor,
    least: Tensor,
    most: Tensor,
    block_ngrams: int,
    end: int,
    never: Tensor,
) -> None:
    """Make scores (B, K, V) -inf for pieces that may not come next."""
    n_pieces = pieces.shape[2]
    ends = scores[..., end].masked_fill((n_pieces < least).unsqueeze(1), -torch.inf)
    scores.index_fill_(2, never, -torch.inf)
    if 0 < block_ngrams <= n_pieces:
        # shape: (B, K, windows, n)
        ngrams = pieces.unfold(2, block_ngrams, 1)
        suffix = pieces[:, :, n_pieces - block_ngrams + 1 :].unsqueeze(2)
        again = (ngrams[..., :-1] == suffix).all(dim=3)
        b, k, w = again.nonzero(as_tuple=True)
        scores[b, k, ngrams[b, k, w, -1]] = -torch.inf
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


def _penalised(log_p: float, n_pieces: int, options: SearchOptions) -> float:
    """A log-probability by length; the end counts as a piece."""
    return log_p / ((5 + n_pieces + 1) / 6) ** options.length_penalty


def _collect(
    results: list[list[Hypothesis]],
    places: Tensor,
    alive: _Alive,
    finished: Tensor,
    rows: Tensor,
    log_p: Tensor,
    options: SearchOptions,
) -> None:
    """Add the hypotheses that are finished (B, M) to the results, the best of which stay."""
    numbers, origins, values = places.tolist(), rows.tolist(), log_p.tolist()
    for b, m in finished.nonzero().tolist():
        found = results[numbers[b]]
        found.append(_finish(alive, b, origins[b][m], values[b][m], options))
        found.sort(key=lambda h: -h.score)
        del found[options.n_best :]


def _finish(alive: _Alive, b: int, row: int, log_p: float, options: SearchOptions) -> Hypothesis:
    pieces = alive.pieces[b, row].cpu()
    score = _penalised(log_p, len(pieces), options)
    attention = None
    if alive.attention is not None:
        whole = alive.attention[b, row]
        # The last one led to the end.
        attention = whole[: len(pieces)].cpu()
        if options.coverage_penalty:
            covered = whole.sum(0)
            # Source tokens that are padding get exactly none.
            covered = covered[covered > 0].clamp(max=1.0)
            score += options.coverage_penalty * float(covered.log().sum())
    return Hypothesis(pieces, log_p, score, attention)


def _going_on(
    results: list[list[Hypothesis]],
    places: Tensor,
    alive: _Alive,
    most: Tensor,
    options: SearchOptions,
) -> Tensor:
    """bool (B,): whether a hypothesis that is alive may still be among the best."""
    best = alive.log_p.amax(dim=1).tolist()
    going_on = []
    for place, log_p, limit in zip(places.tolist(), best, most.tolist(), strict=True):
        found = results[place]
        enough = len(found) == options.n_best
        # It only loses probability, and gains most by the length penalty at the greatest length.
        hope = _penalised(log_p, limit, options)
        going_on.append(log_p > -torch.inf and not (enough and found[-1].score >= hope))
    return torch.tensor(going_on, device=most.device)
