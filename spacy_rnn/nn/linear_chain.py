"""Exact inference over chains of tags.

A linear chain gives the tags y of a sequence of n tokens the score

    start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_t+1] + end[y_n]

and, over all sequences of tags, the probability exp(score) / Z (Lafferty et al. 2001, section 3). A
score of -inf rules out. Sequences are flat, as everywhere: emissions (N, C) beside lengths (B,) on
the CPU; an empty sequence has one reading, of score 0.

All recursions run over time for all sequences at once. Tokens are packed for them, time step by
time step, the longest sequence first, so that those that have not ended are the first of each step;
and they come last, (C, N), where kernels read them side by side. A step writes its results into one
tensor of all tokens, as a million small ones would take far more memory. Recursions are in log
space and float32, regardless of the model's precision, and scores are kept near 0 from step to
step, so that a document of a million tokens is read as exactly as a sentence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .layout import BatchLayout, Packed
from .ragged import offsets, ranges

#: steps of the Viterbi recursion after which scores are brought back to 0
RESCALE = 32
#: the number of pairs of tags whose probabilities are computed at once
PAIRS = 1 << 22


class Potentials(NamedTuple):
    """Scores of tags at the borders of a sequence, (C,), and next to each other, (C from, C to)."""

    start: Tensor
    transitions: Tensor
    end: Tensor


class PackedSteps:
    """Flat sequences packed, as above, without the empty ones.

    lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
    device (torch.device): Device of the indices.

    n (int): The number of steps; without any, there is nothing else.
    rows (Tensor): The sequences that are not empty, int64 (B,), longest first.
    active (list[int]): The number of sequences at each step.
    """

    def __init__(self, lengths: Tensor, device: torch.device):
        sizes = lengths.numpy()
        self.n = int(sizes.max(initial=0))
        if not self.n:
            return
        batch = BatchLayout.packed(sizes, device)
        (order,), (layout,) = batch.groups, batch.layouts
        assert isinstance(layout, Packed)
        self._layout = layout
        self._positions = batch.positions
        self.rows = torch.from_numpy(order).to(device)
        self.active = layout.batch_sizes.tolist()
        self._starts = offsets(layout.batch_sizes.numpy()).tolist()
        last = torch.from_numpy(np.cumsum(sizes)[order] - 1).to(device)
        self._last = batch.positions.index_select(0, last)

    def gather(self, x: Tensor) -> Tensor:
        """Flat (N, C) -> packed (C, N), float32."""
        return self._layout.gather(x.float()).T.contiguous()

    def at(self, x: Tensor, step: int, n: int) -> Tensor:
        """Packed (..., N) -> the first n sequences at a step (..., n), in the same memory."""
        return x.narrow(-1, self._starts[step], n)

    def flat(self, x: Tensor) -> Tensor:
        """Packed (..., N) -> flat (N, ...)."""
        return x.movedim(-1, 0).index_select(0, self._positions)

    def reverse(self, x: Tensor) -> Tensor:
        """(C, N) -> (C, N), each sequence reversed."""
        return self._layout.reverse(x.T).T

    def at_last(self, x: Tensor) -> Tensor:
        """Packed (..., N) -> the last token of each sequence (..., B)."""
        return x.index_select(-1, self._last)

    def total(self, x: Tensor) -> Tensor:
        """Packed (N,) -> the sum over each sequence (B,)."""
        return self._layout.total(x)


class ForwardBackward(NamedTuple):
    """Sums over all tags of the tokens on one side, for each tag of a token.

    x (Tensor): The emissions, packed, (C, N).
    before (Tensor): Log of the sum over the tokens before it, with the transition to the tag, less
        the scale of the token and of those before, (C, N).
    after (Tensor): The same for the tokens after it, less another constant of the token, (C, N).
    scale (Tensor): The scale of each token, (N,).
    log_z (Tensor): Log of the sum over all tags of a sequence, (B,), in the order of the steps.
    """

    x: Tensor
    before: Tensor
    after: Tensor
    scale: Tensor
    log_z: Tensor

    def marginals(self) -> Tensor:
        """Probability of each tag at each token, (C, N)."""
        return (self.before + self.x + self.after).softmax(dim=0)


def forward_backward(
    potentials: Potentials, emissions: Tensor, steps: PackedSteps
) -> ForwardBackward:
    """The forward-backward algorithm (Rabiner 1989, sections III A and B, scaled as in V A), both
    directions at once: the backward one is the forward one over sequences reversed."""
    start, transitions, end = potentials
    # shape: (C, N)
    x = steps.gather(emissions)
    # shape: (C, 2, N)
    both = torch.stack([x, steps.reverse(x)], dim=1)
    # shape: (C from, C to, 2, 1)
    scores = torch.stack([transitions, transitions.T], dim=2).unsqueeze(3)
    sums, constants = torch.empty_like(both), x.new_zeros(x.shape[1])
    steps.at(sums, 0, steps.active[0])[:] = torch.stack([start, end], dim=1).unsqueeze(2)
    for t, n in enumerate(steps.active[1:], start=1):
        # shape: (C, 2, n), (2, n)
        reached = steps.at(sums, t - 1, n) + steps.at(both, t - 1, n)
        top = _top(reached)
        steps.at(sums, t, n)[:] = torch.logsumexp((reached - top).unsqueeze(1) + scores, dim=0)
        steps.at(constants, t, n)[:] = top[0]
    before, after = sums.unbind(1)
    after = steps.reverse(after)
    log_z = steps.total(_wide(constants))
    log_z = log_z + torch.logsumexp(steps.at_last(before + x) + end.unsqueeze(1), dim=0)
    return ForwardBackward(x, before, after, constants, log_z)


def _wide(x: Tensor) -> Tensor:
    """Summands of a total over a long sequence, in float64 where the device has it."""
    return x if x.device.type == "mps" else x.double()


def _top(scores: Tensor) -> Tensor:
    """The largest score (C, ...) -> (...); a finite number even where all are -inf."""
    return scores.amax(dim=0).clamp(min=torch.finfo(scores.dtype).min)


class _LogPartition(torch.autograd.Function):
    """log Z of each sequence; its gradient is the expected count of each potential, which needs no
    graph of the recursion."""

    @staticmethod
    def forward(
        ctx: Any,
        start: Tensor,
        transitions: Tensor,
        end: Tensor,
        emissions: Tensor,
        steps: PackedSteps,
    ) -> Tensor:
        sums = forward_backward(Potentials(start, transitions, end), emissions, steps)
        ctx.save_for_backward(transitions, *sums)
        ctx.steps = steps
        return sums.log_z

    @staticmethod
    def backward(ctx: Any, d_log_z: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        steps: PackedSteps = ctx.steps
        transitions, *saved = ctx.saved_tensors
        sums = ForwardBackward(*saved)
        d_log_z = d_log_z.to(transitions.dtype)
        # shape: (C, N)
        marginals = sums.marginals() * torch.cat([d_log_z[:n] for n in steps.active])
        left, right = sums.before + sums.x, sums.x + sums.after
        # What makes the probabilities of all pairs of a token and the one before add up to 1.
        right = right - (torch.logsumexp(sums.before + right, dim=0) + sums.scale)
        d_transitions = torch.zeros_like(transitions)
        for t, n in enumerate(steps.active[1:], start=1):
            # shape: (C, 1, n), (1, C, n) -> (C, C, n)
            pairs = steps.at(left, t - 1, n).unsqueeze(1) + steps.at(right, t, n)
            pairs = (pairs + transitions.unsqueeze(2)).exp()
            d_transitions += pairs @ d_log_z[:n]
        d_start = steps.at(marginals, 0, steps.active[0]).sum(1)
        d_end = steps.at_last(marginals).sum(1)
        return d_start, d_transitions, d_end, steps.flat(marginals), None


def log_partition(potentials: Potentials, emissions: Tensor, lengths: Tensor) -> Tensor:
    """log Z of each sequence, (B,), differentiable."""
    steps = PackedSteps(lengths, emissions.device)
    if not steps.n:
        return emissions.new_zeros(len(lengths))
    log_z = _LogPartition.apply(*potentials, emissions, steps)
    return log_z.new_zeros(len(lengths)).index_copy(0, steps.rows, log_z)


def path_scores(potentials: Potentials, emissions: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
    """The score of each sequence's tags (N,), (B,), differentiable."""
    start, transitions, end = potentials
    sizes = lengths.numpy()
    first = offsets(sizes)[sizes > 0]
    starts = torch.from_numpy(first).to(tags.device)
    ends = torch.from_numpy(first + sizes[sizes > 0] - 1).to(tags.device)
    rows = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)).to(tags.device)
    scores = emissions.float().gather(1, tags.unsqueeze(1)).squeeze(1)
    scores = scores + _transition_scores(transitions, tags, starts)
    scores = scores.index_add(0, starts, start.index_select(0, tags.index_select(0, starts)))
    scores = scores.index_add(0, ends, end.index_select(0, tags.index_select(0, ends)))
    scores = _wide(scores)
    return scores.new_zeros(len(sizes)).index_add(0, rows, scores)


def _transition_scores(transitions: Tensor, tags: Tensor, starts: Tensor) -> Tensor:
    """The score of the transition to each tag (N,), 0 at the starts of sequences."""
    pairs = tags.roll(1) * len(transitions) + tags
    return transitions.flatten().index_select(0, pairs).index_fill(0, starts, 0.0)


def marginals(potentials: Potentials, emissions: Tensor, lengths: Tensor) -> Tensor:
    """Probability of each tag at each token over all readings, (N, C)."""
    steps = PackedSteps(lengths, emissions.device)
    if not steps.n:
        return emissions.float()
    return steps.flat(forward_backward(potentials, emissions, steps).marginals())


def entropies(potentials: Potentials, emissions: Tensor, lengths: Tensor) -> Tensor:
    """The entropy of the distribution over all readings of each sequence, in nats, (B,). By the
    chain rule, it is that of the first tag and those of each other tag given the one before it.

    potentials (Potentials), emissions (Tensor), lengths (Tensor): The chains.
    RETURNS (Tensor): The entropies.
    """
    steps = PackedSteps(lengths, emissions.device)
    if not steps.n:
        return emissions.new_zeros(len(lengths))
    sums = forward_backward(potentials, emissions, steps)
    p, ahead = steps.flat(sums.marginals()), steps.flat(sums.x + sums.after).roll(-1, dims=0)
    of_tokens = torch.empty_like(p[:, 0])
    n_tags = p.shape[1]
    for part in torch.arange(len(p), device=p.device).split(max(1, PAIRS // n_tags**2)):
        # Of the next token's tag, given each tag. shape: (n, C from, C to) -> (n, C)
        onward = (potentials.transitions + ahead[part].unsqueeze(1)).softmax(dim=2)
        of_tags = torch.special.entr(onward).sum(2)
        of_tokens[part] = torch.where(p[part] > 0, p[part] * of_tags, 0.0).sum(1)
    sizes = lengths.to(p.device)
    ends = sizes.cumsum(0)
    has_tokens = sizes > 0
    of_tokens[ends[has_tokens] - 1] = 0.0
    first = (ends - sizes)[has_tokens]
    of_tokens = _wide(of_tokens.index_add(0, first, torch.special.entr(p[first]).sum(1)))
    rows = torch.repeat_interleave(torch.arange(len(sizes), device=p.device), sizes)
    return of_tokens.new_zeros(len(sizes)).index_add(0, rows, of_tokens)


def viterbi(potentials: Potentials, emissions: Tensor, lengths: Tensor) -> Tensor:
    """The best tags of each sequence, int64 (N,) (Viterbi 1967)."""
    start, transitions, end = potentials
    steps = PackedSteps(lengths, emissions.device)
    if not steps.n:
        return torch.zeros(0, dtype=torch.int64, device=emissions.device)
    # The score of the best way to each tag; the way itself is found again on the way back, for
    # the one tag that counts. shape: (C, N)
    best = steps.gather(emissions)
    reached = steps.at(best, 0, steps.active[0]).add_(start.unsqueeze(1))
    scores = transitions.unsqueeze(2)
    for t, n in enumerate(steps.active[1:], start=1):
        # shape: (C from, C to, n) -> (C, n)
        ways = reached[:, :n].unsqueeze(1) + scores
        reached = steps.at(best, t, n).add_(ways.amax(dim=0))
        if t % RESCALE == 0:
            reached.sub_(_top(reached))
    tags = torch.empty(best.shape[1], dtype=torch.int64, device=best.device)
    ahead, n_continuing = tags[:0], 0
    # Not a list of pairs: for a long sequence it would be larger than all tensors.
    for t in reversed(range(len(steps.active))):
        n = steps.active[t]
        found, chosen = steps.at(best, t, n), steps.at(tags, t, n)
        if n_continuing:
            onward = transitions.index_select(1, ahead)
            torch.argmax(found[:, :n_continuing] + onward, 0, out=chosen[:n_continuing])
        if n_continuing < n:
            ended = found[:, n_continuing:] + end.unsqueeze(1)
            torch.argmax(ended, 0, out=chosen[n_continuing:])
        ahead, n_continuing = chosen, n
    return steps.flat(tags)


def n_best(
    potentials: Potentials, emissions: Tensor, lengths: Tensor, n: int
) -> tuple[Tensor, Tensor]:
    """The n best readings of each sequence, best first: tags, int64 (N, n), and scores (B, n),
    -inf where a sequence has fewer readings."""
    start, transitions, end = potentials
    n_tags = len(start)
    steps = PackedSteps(lengths, emissions.device)
    scores = _wide(torch.full((len(lengths), n), -torch.inf, device=emissions.device))
    scores[:, 0] = 0.0
    if not steps.n:
        return torch.zeros((0, n), dtype=torch.int64, device=emissions.device), scores
    x = steps.gather(emissions)
    # The n best ways to each tag, and where each came from, as k * C + tag. shape: (n, C, N)
    best = x.new_full((n, *x.shape), -torch.inf)
    came_from = torch.empty(best.shape, dtype=torch.int64, device=x.device)
    scale = x.new_zeros(x.shape[1])
    first = steps.active[0]
    steps.at(best[0], 0, first)[:] = start.unsqueeze(1) + steps.at(x, 0, first)
    for t, m in enumerate(steps.active[1:], start=1):
        # shape: (n, C from, C to, m) -> (n * C, C, m) -> (n, C, m)
        ways = steps.at(best, t - 1, m).unsqueeze(2) + transitions.unsqueeze(2)
        found, steps.at(came_from, t, m)[:] = ways.flatten(0, 1).topk(n, dim=0)
        reached = found + steps.at(x, t, m)
        top = _top(reached.flatten(0, 1))
        steps.at(best, t, m)[:] = reached - top
        steps.at(scale, t, m)[:] = top
    # shape: (n, C, B) -> (n * C, B) -> (n, B)
    ends = (steps.at_last(best) + end.unsqueeze(1)).flatten(0, 1)
    found, last = ends.topk(n, dim=0)
    scores[steps.rows] = (found + steps.total(_wide(scale))).T
    places = torch.empty((n, x.shape[1]), dtype=torch.int64, device=x.device)
    n_continuing = 0
    for t in reversed(range(len(steps.active))):
        m = steps.active[t]
        chosen = steps.at(places, t, m)
        if n_continuing:
            back = steps.at(came_from, t + 1, n_continuing).flatten(0, 1)
            chosen[:, :n_continuing] = back.gather(0, steps.at(places, t + 1, n_continuing))
        chosen[:, n_continuing:] = last[:, n_continuing:m]
        n_continuing = m
    return steps.flat(places % n_tags), scores


def span_probabilities(
    potentials: Potentials,
    emissions: Tensor,
    lengths: Tensor,
    tags: Tensor,
    starts: Tensor,
    ends: Tensor,
    continues: Tensor,
) -> Tensor:
    """The probability of spans: that the tokens [start, end) have just the given tags, and the tag
    after them does not continue the last one; a sum over all readings of the rest (Culotta and
    McCallum 2004, section 3, constrained forward-backward).

    potentials (Potentials), emissions (Tensor), lengths (Tensor): The chains.
    tags (Tensor): Tags of all tokens, int64 (N,).
    starts (Tensor), ends (Tensor): Places among all tokens, int64 (E,); no span is empty or crosses
        the border of a sequence.
    continues (Tensor): Pairs of tags of which the second continues the span of the first, bool
        (C, C).
    RETURNS (Tensor): The probabilities, (E,).
    """
    steps = PackedSteps(lengths, emissions.device)
    if not steps.n:
        return emissions.new_zeros(0, dtype=torch.float32)
    sums = forward_backward(potentials, emissions, steps)
    first = tags.index_select(0, starts)
    p_first = steps.flat(sums.marginals()).index_select(0, starts).gather(1, first.unsqueeze(1))
    # The probability of each tag of the next token, given a token's tag. shape: (N, C)
    ahead = steps.flat(sums.x + sums.after).roll(-1, dims=0)
    onward = (potentials.transitions.index_select(0, tags) + ahead).log_softmax(dim=1)
    # Of the span's own tags. shape: (N,) -> (E,)
    own = onward.gather(1, tags.roll(-1).unsqueeze(1)).squeeze(1)
    sizes = (ends - starts).cpu().numpy()
    inner = torch.from_numpy(ranges(starts.cpu().numpy(), sizes - 1)).to(tags.device)
    which = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes - 1)).to(tags.device)
    inside = own.new_zeros(len(sizes)).index_add(0, which, own.index_select(0, inner))
    # Of any tag that continues it, after the last one; nothing does at the end of a sequence.
    last = ends - 1
    on = onward.index_select(0, last).exp()
    continued = (on * continues.index_select(0, tags.index_select(0, last))).sum(1)
    sequence_ends = lengths.cumsum(0).to(tags.device)
    continued = continued.masked_fill(torch.isin(ends, sequence_ends), 0.0)
    return p_first.squeeze(1) * inside.exp() * (1.0 - continued)
