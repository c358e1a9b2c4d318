"""Scores of tags, and what follows from them: the best tags, their probabilities and log-odds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor

from . import losses
from .linear_chain import (
    Potentials,
    entropies,
    log_partition,
    marginals,
    n_best,
    span_probabilities,
    viterbi,
)
from .ragged import offsets

if TYPE_CHECKING:
    from .crf import CRF


class Constraints(NamedTuple):
    """The tags that a scheme allows, bool.

    start (Tensor), end (Tensor): At the borders of a sequence, (C,).
    transitions (Tensor): Next to each other, (C from, C to).
    continues (Tensor): Next to each other in one span, (C from, C to).
    """

    start: Tensor
    transitions: Tensor
    end: Tensor
    continues: Tensor


class TagScores(NamedTuple):
    """The tagger's output for a target.

    scores (Tensor): Score of each tag of each token, (N, C).
    lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
    crf (Optional[CRF]): The learned scores of transitions, if there are any.
    temperature (float): Divides all scores, which changes probabilities but not their order (Guo et
        al. 2017, section 4.2).
    """

    scores: Tensor
    lengths: Tensor
    crf: Optional[CRF] = None
    temperature: float = 1.0

    @property
    def emissions(self) -> Tensor:
        """The scores of single tags, (N, C)."""
        return self.scores if self.temperature == 1.0 else self.scores / self.temperature

    def potentials(self, constraints: Optional[Constraints] = None) -> Potentials:
        """The scores of tags at the borders and next to each other, -inf where the constraints
        forbid."""
        if self.crf is None:
            n_tags = self.scores.shape[1]
            zeros = self.scores.new_zeros(n_tags + 1, n_tags, dtype=torch.float32)
            potentials = Potentials(zeros[0], zeros[1:], zeros[0])
        else:
            potentials = Potentials(self.crf.start, self.crf.transitions, self.crf.end)
        if self.temperature != 1.0:
            potentials = Potentials(*(scores / self.temperature for scores in potentials))
        return allowed(potentials, constraints)

    def chain(self, constraints: Optional[Constraints] = None) -> tuple[Potentials, Tensor, Tensor]:
        """The linear chain: potentials, emissions and lengths."""
        return self.potentials(constraints), self.emissions, self.lengths

    def biased(self, tag: int, bias: float) -> TagScores:
        """The scores with a bias added to those of a tag."""
        scores = self.scores.clone()
        scores[:, tag] += bias
        return self._replace(scores=scores)

    def best(self, constraints: Optional[Constraints] = None) -> Tensor:
        """The best tags (N,): of each token where nothing binds it to others, else of the chain."""
        if self.crf is None and constraints is None:
            return self.scores.argmax(dim=1)
        return viterbi(*self.chain(constraints))

    def probabilities(self, constraints: Optional[Constraints] = None) -> Tensor:
        """The probability of each tag (N, C), over all tags of the other tokens."""
        if self.crf is None and constraints is None:
            return self.emissions.float().softmax(dim=1)
        return marginals(*self.chain(constraints))

    def entropies(self, constraints: Constraints) -> Tensor:
        """The entropy of the distribution over all readings of each sequence, in nats, (B,)."""
        return entropies(*self.chain(constraints))

    def readings(self, n: int, constraints: Constraints) -> tuple[Tensor, Tensor]:
        """The n best readings of each sequence, best first: tags, int64 (N, n), and the logs of
        their probabilities, (B, n), -inf where there are fewer."""
        chain = self.chain(constraints)
        tags, scores = n_best(*chain, n)
        return tags, scores - log_partition(*chain).unsqueeze(1)

    def span_probabilities(
        self, tags: Tensor, starts: np.ndarray, ends: np.ndarray, constraints: Constraints
    ) -> Tensor:
        """The probability of spans; see `spacy_rnn.nn.linear_chain.span_probabilities`.

        tags (Tensor): Tags of all tokens, int64 (N,).
        starts (np.ndarray), ends (np.ndarray): Places among all tokens, int64 (E,).
        constraints (Constraints): The tags that have a probability.
        RETURNS (Tensor): The probabilities, (E,).
        """
        first, after = (torch.from_numpy(array).to(tags.device) for array in (starts, ends))
        chain = self.chain(constraints)
        return span_probabilities(*chain, tags, first, after, constraints.continues)

    def log_odds(self, token: int, tag: int, constraints: Optional[Constraints] = None) -> Tensor:
        """The log-odds of a tag at a token, over all tags of the other tokens; differentiable.

        token (int): Place of the token in its sequence, which all sequences must have.
        tag (int): The tag.
        constraints (Optional[Constraints]): The tags that have a probability.
        RETURNS (Tensor): The log-odds in each sequence, (B,).
        """
        potentials, emissions, lengths = self.chain(constraints)
        emissions = emissions.float()
        places = torch.from_numpy(offsets(lengths.numpy()) + token).to(emissions.device)
        if self.crf is None and constraints is None:
            return losses.log_odds(emissions.index_select(0, places), tag)
        n_tokens, n_tags = emissions.shape
        is_token = torch.isin(torch.arange(n_tokens, device=places.device), places).unsqueeze(1)
        is_tag = torch.arange(n_tags, device=places.device) == tag
        with_tag, with_others = (
            log_partition(potentials, emissions.masked_fill(mask, -torch.inf), lengths)
            for mask in (is_token & ~is_tag, is_token & is_tag)
        )
        return (with_tag - with_others).float()


def allowed(potentials: Potentials, constraints: Optional[Constraints]) -> Potentials:
    """Potentials with -inf where the constraints forbid."""
    if constraints is None:
        return potentials
    pairs = zip(potentials, constraints[:3], strict=True)
    return Potentials(*(scores.masked_fill(~mask, -torch.inf) for scores, mask in pairs))
