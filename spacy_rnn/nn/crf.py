"""Conditional random fields: the tags of a sequence scored together."""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from .linear_chain import Potentials, log_partition, path_scores
from .losses import MISSING, not_negative


class Constraints(NamedTuple):
    """What a scheme of tags allows, bool: tags at the borders of a sequence, (C,), and next to each
    other, (C from, C to); `continues`, (C, C), where the second tag belongs to the span of the
    first."""

    start: Tensor
    transitions: Tensor
    end: Tensor
    continues: Tensor


class CRF(nn.Module):
    """The transitions of a linear-chain conditional random field (Lample et al. 2016, section 2.2),
    with scores for the first and the last tag."""

    def __init__(self, n_tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(n_tags))
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.end = nn.Parameter(torch.zeros(n_tags))

    def resize(self, n_tags: int) -> None:
        """Make room for more tags; what was learned of the others stays as it is."""
        known = len(self.start)
        for name, old in list(self.named_parameters()):
            new = old.new_zeros([n_tags] * old.dim())
            new[(slice(known),) * old.dim()] = old.data
            setattr(self, name, nn.Parameter(new))


class Chain(NamedTuple):
    """What a tagger puts out for a target: scores of tags (N, C) for sequences of these lengths
    (B,), and the transitions between them, if it has learned any.

    temperature: all scores are divided by it, which makes probabilities more even or less and
        leaves their order as it is (Guo et al. 2017, section 4.2).
    """

    scores: Tensor
    lengths: Tensor
    crf: Optional[CRF] = None
    temperature: float = 1.0

    @property
    def emissions(self) -> Tensor:
        """The scores of single tags."""
        return self.scores if self.temperature == 1.0 else self.scores / self.temperature

    def potentials(self, constraints: Optional[Constraints] = None) -> Potentials:
        """The scores beside those of single tags, -inf where the constraints forbid."""
        if self.crf is None:
            n_tags = self.scores.shape[1]
            zeros = self.scores.new_zeros(n_tags + 1, n_tags, dtype=torch.float32)
            potentials = Potentials(zeros[0], zeros[1:], zeros[0])
        else:
            potentials = Potentials(self.crf.start, self.crf.transitions, self.crf.end)
        if self.temperature != 1.0:
            potentials = Potentials(*(scores / self.temperature for scores in potentials))
        return _allowed(potentials, constraints)


def _allowed(potentials: Potentials, constraints: Optional[Constraints]) -> Potentials:
    """-inf where the constraints forbid."""
    if constraints is None:
        return potentials
    allowed = zip(potentials, constraints[:3], strict=True)
    return Potentials(*(scores.masked_fill(~mask, -torch.inf) for scores, mask in allowed))


def crf_loss(chain: Chain, tags: Tensor, constraints: Optional[Constraints] = None) -> Tensor:
    """-log p(tags), summed over sequences. Where tags are `MISSING`, p is summed over all that are
    allowed there (Tsuboi et al. 2008, section 3).

    tags: int64 (N,).
    """
    potentials, emissions = chain.potentials(constraints), chain.emissions
    log_z = log_partition(potentials, emissions, chain.lengths).sum()
    missing = tags == MISSING
    if not missing.any():
        return (log_z - path_scores(potentials, emissions, chain.lengths, tags).sum()).float()
    known = tags.masked_fill(missing, 0)
    allowed = torch.zeros_like(emissions, dtype=torch.bool).scatter(1, known.unsqueeze(1), True)
    allowed |= missing.unsqueeze(1)
    if constraints is not None:
        # An annotated span ends where it is said to end.
        after_known = (missing[1:] & ~missing[:-1]).unsqueeze(1)
        allowed[1:] &= ~(after_known & constraints.continues[known[:-1]])
        starts = (chain.lengths.cumsum(0) - chain.lengths)[chain.lengths > 0].to(tags.device)
        at_start = missing.index_select(0, starts).unsqueeze(1)
        allowed[starts] |= at_start
    scores = emissions.masked_fill(~allowed, -torch.inf)
    return (log_z - log_partition(potentials, scores, chain.lengths).sum()).float()


def crf_divergence(
    chain: Chain, teacher: Chain, constraints: Optional[Constraints] = None
) -> Tensor:
    """The Kullback-Leibler divergence of the distribution over all tags of a sequence from that of
    a teacher, summed over sequences; of more tags than the teacher has, only over those that it
    has. Both distributions are of linear chains, so that it needs no more than the expected counts
    of the teacher's potentials, which are the gradient of its log Z.
    """
    n = teacher.scores.shape[1]
    if constraints is not None:
        constraints = Constraints(*(_first(mask, n) for mask in constraints))
    learned = [
        *(_first(scores, n) for scores in chain.potentials()),
        chain.emissions.float()[:, :n],
    ]
    taught = [
        scores.detach().clone().requires_grad_()
        for scores in (*teacher.potentials(), teacher.emissions.float())
    ]
    log_p, log_q = (
        log_partition(_allowed(Potentials(*scores), constraints), emissions, chain.lengths).sum()
        for *scores, emissions in (learned, taught)
    )
    counts = torch.autograd.grad(log_q, taught)
    # The scores that the teacher expects, by its own potentials less by those that are learned.
    expected = sum(
        (count * (own.detach() - scores)).sum()
        for count, own, scores in zip(counts, taught, learned, strict=True)
    )
    return not_negative((log_p - log_q.detach() + expected).float())


def _first(scores: Tensor, n: int) -> Tensor:
    """Those of the first n tags, along all dimensions."""
    return scores[(slice(n),) * scores.dim()]
