"""Candidates of a search: the pieces that continue hypotheses, chosen from their scores."""

from __future__ import annotations

import torch
from torch import Tensor

#: numbers in a block of `blockwise_topk`
BLOCK = 64


def mask_repeated_ngrams(scores: Tensor, pieces: Tensor, n: int) -> None:
    """Set scores (B, K, V) to -inf for pieces that would end an n-gram a second time, after those
    before (B, K, T)."""
    n_pieces = pieces.shape[2]
    if n > n_pieces:
        return
    # shape: (B, K, windows, n)
    ngrams = pieces.unfold(2, n, 1)
    suffix = pieces[:, :, n_pieces - n + 1 :].unsqueeze(2)
    b, k, w = (ngrams[..., :-1] == suffix).all(dim=3).nonzero(as_tuple=True)
    scores[b, k, ngrams[b, k, w, -1]] = -torch.inf


def mask_forbidden(
    scores: Tensor,
    n_pieces: int,
    min_length: Tensor,
    max_length: Tensor,
    end: int,
    forbidden: Tensor,
) -> None:
    """Set scores (B, K, V) to -inf for pieces that may not follow so many pieces."""
    ends = scores[..., end].masked_fill((n_pieces < min_length).unsqueeze(1), -torch.inf)
    scores.index_fill_(2, forbidden, -torch.inf)
    # By index: a mask would go through all scores at each step.
    scores.index_fill_(0, (n_pieces >= max_length).nonzero().squeeze(1), -torch.inf)
    scores[..., end] = ends


def most_probable(scores: Tensor, log_p: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The n best continuations, best first: log-probabilities (B, n), the row that each continues
    and its piece. Overwrites the scores."""
    n_pieces = scores.shape[2]
    total = scores.add_(log_p.unsqueeze(2)).flatten(1)
    total, index = blockwise_topk(total, min(n, total.shape[1]))
    return total, index // n_pieces, index % n_pieces


def blockwise_topk(x: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """`x.topk(n, dim=1)` of (B, N), for many numbers: the n greatest lie in the n blocks that have
    the greatest maxima."""
    n_blocks = x.shape[1] // BLOCK
    blocks = x[:, : n_blocks * BLOCK].unflatten(1, (n_blocks, BLOCK))
    best = blocks.amax(dim=2).topk(min(n, n_blocks), dim=1).indices
    columns = torch.arange(x.shape[1], device=x.device)
    candidates = (best.unsqueeze(2) * BLOCK + columns[:BLOCK]).flatten(1)
    # The columns after the last whole block, too.
    candidates = torch.cat([candidates, columns[n_blocks * BLOCK :].expand(len(x), -1)], dim=1)
    values, best = x.gather(1, candidates).topk(n, dim=1)
    return values, candidates.gather(1, best)


def sampling_distribution(scores: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """The probabilities that pieces are sampled with, (B, K, V); see `SearchOptions`."""
    scores = scores / temperature
    if top_k:
        lowest = scores.topk(min(top_k, scores.shape[2]), dim=2).values[..., -1:]
        scores = scores.masked_fill(scores < lowest, -torch.inf)
    p = scores.softmax(dim=2)
    if top_p < 1.0:
        ordered, order = p.sort(dim=2, descending=True)
        # All that come before it make up less than p: the first one always stays.
        kept = ordered.cumsum(dim=2) - ordered < top_p
        p = torch.zeros_like(p).scatter(2, order, ordered * kept)
    return p


def sample(
    scores: Tensor, log_p: Tensor, p: Tensor, uniforms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same as `most_probable` for one continuation per row, sampled from the probabilities
    p (B, K, V) by a random number from [0, 1) each, uniforms (B, K)."""
    n_sources, n_rows, n_pieces = scores.shape
    # In float64 the sum over a large vocabulary loses no piece.
    cumulative = p.double().cumsum(dim=2)
    # A piece without probability adds nothing to the sum: the first that exceeds the number has
    # some.
    threshold = uniforms.double().unsqueeze(2) * cumulative[..., -1:]
    pieces = torch.searchsorted(cumulative, threshold, right=True).clamp(max=n_pieces - 1)
    total = log_p + scores.gather(2, pieces).squeeze(2)
    rows = torch.arange(n_rows, device=scores.device).expand(n_sources, n_rows)
    return total, rows, pieces.squeeze(2)
