"""Conditional random fields: the tags of a sequence scored together."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from .linear_chain import Potentials, log_partition, path_scores
from .losses import MISSING, not_negative, weighted_sum
from .tag_scores import Constraints, TagScores, allowed

#: the logarithm of a probability that is as good as 0
_LOG_IMPOSSIBLE = -30.0


class CRF(nn.Module):
    """The transitions of a linear-chain conditional random field (Lample et al. 2016, section 2.2),
    with scores for the first and the last tag.

    n_tags (int): The number of tags.
    """

    def __init__(self, n_tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(n_tags))
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.end = nn.Parameter(torch.zeros(n_tags))

    def resize(self, n_tags: int) -> None:
        """Make room for more tags; existing weights are preserved."""
        known = len(self.start)
        for name, old in list(self.named_parameters()):
            new = old.new_zeros([n_tags] * old.dim())
            new[(slice(known),) * old.dim()] = old.data
            setattr(self, name, nn.Parameter(new))


def crf_loss(
    scores: TagScores,
    tags: Tensor,
    constraints: Optional[Constraints] = None,
    weights: Optional[Tensor] = None,
) -> Tensor:
    """The negative log-probability of tags, summed over sequences. Where tags are missing, the
    probability is summed over all that are allowed there (Tsuboi et al. 2008, section 3).

    scores (TagScores): The scores.
    tags (Tensor): The tags, int64 (N,), `MISSING` where they are not known.
    constraints (Optional[Constraints]): The tags that have a probability.
    weights (Optional[Tensor]): A factor on the loss of each sequence, (B,).
    RETURNS (Tensor): The loss.
    """
    potentials, emissions, lengths = scores.chain(constraints)
    log_z = log_partition(potentials, emissions, lengths)
    missing = tags == MISSING
    if not missing.any():
        of_sequences = log_z - path_scores(potentials, emissions, lengths, tags)
        return weighted_sum(of_sequences, weights).float()
    known = tags.masked_fill(missing, 0)
    possible = torch.zeros_like(emissions, dtype=torch.bool).scatter(1, known.unsqueeze(1), True)
    possible |= missing.unsqueeze(1)
    if constraints is not None:
        # An annotated span ends where it is said to end.
        after_known = (missing[1:] & ~missing[:-1]).unsqueeze(1)
        possible[1:] &= ~(after_known & constraints.continues[known[:-1]])
        starts = (lengths.cumsum(0) - lengths)[lengths > 0].to(tags.device)
        at_start = missing.index_select(0, starts).unsqueeze(1)
        possible[starts] |= at_start
    masked = emissions.masked_fill(~possible, -torch.inf)
    return weighted_sum(log_z - log_partition(potentials, masked, lengths), weights).float()


def crf_divergence(
    scores: TagScores,
    teacher: TagScores,
    constraints: Optional[Constraints] = None,
    weights: Optional[Tensor] = None,
) -> Tensor:
    """The Kullback-Leibler divergence of the distribution over all tags of a sequence from that of
    a teacher, summed over sequences; of more tags than the teacher has, only over those that it
    has. Both distributions are of linear chains, so that it needs no more than the expected counts
    of the teacher's potentials, which are the gradient of its log Z.

    scores (TagScores), teacher (TagScores): The scores of both.
    constraints (Optional[Constraints]): The tags that have a probability.
    weights (Optional[Tensor]): A factor on the divergence of each sequence, (B,).
    RETURNS (Tensor): The divergence.
    """
    n = teacher.scores.shape[1]
    if constraints is not None:
        constraints = Constraints(*(_first(mask, n) for mask in constraints))
    learned = [
        *(_first(potential, n) for potential in scores.potentials()),
        scores.emissions.float()[:, :n],
    ]
    taught = [
        potential.detach().clone().requires_grad_()
        for potential in (*teacher.potentials(), teacher.emissions.float())
    ]
    log_p, log_q = (
        weighted_sum(
            log_partition(allowed(Potentials(*pair), constraints), emissions, scores.lengths),
            weights,
        )
        for *pair, emissions in (learned, taught)
    )
    counts = torch.autograd.grad(log_q, taught)
    # The scores that the teacher expects, by its own potentials less by those that are learned.
    expected = sum(
        (count * (own.detach() - other)).sum()
        for count, own, other in zip(counts, taught, learned, strict=True)
    )
    return not_negative((log_p - log_q.detach() + expected).float())


def crf_soft_divergence(
    scores: TagScores,
    marginals: Tensor,
    share: Tensor,
    temperature: float = 1.0,
    constraints: Optional[Constraints] = None,
) -> Tensor:
    """`crf_divergence` from a teacher that gives the probability of each tag at each token (the
    posterior distillation of Wang et al. 2020, section 4.2, for a whole sequence). Its tags are
    taken to be independent but for the constraints: tags that the student cannot predict together
    have no probability. Softened, and weighted, as by `spacy_rnn.nn.losses.soft_divergence`.

    scores (TagScores): The scores of the student.
    marginals (Tensor): The teacher's probabilities, (N, C).
    share (Tensor): A factor on the divergence of each sequence, (B,).
    temperature (float): Divides the scores of the student, and the teacher's log-probabilities.
    constraints (Optional[Constraints]): The tags that have a probability.
    RETURNS (Tensor): The divergence. From marginals of 0 and 1 that are allowed, and at the
        temperature 1, it equals `crf_loss`.
    """
    emissions = marginals.float().log().clamp(min=temperature * _LOG_IMPOSSIBLE)
    teacher = TagScores(emissions, scores.lengths, temperature=temperature)
    student = scores._replace(temperature=temperature)
    return temperature**2 * crf_divergence(student, teacher, constraints, share)


def _first(scores: Tensor, n: int) -> Tensor:
    """The scores of the first n tags, along all dimensions."""
    return scores[(slice(n),) * scores.dim()]
