"""Many to many: a label for each token, chosen alone (softmax) or with its neighbors (CRF)."""

from __future__ import annotations

from typing import Literal, Optional

import torch
from torch import Tensor, nn

from . import losses
from .crf import CRF, Chain, Constraints, crf_divergence, crf_loss
from .embedding import TokenEmbedding
from .layout import offsets
from .linear_chain import log_partition, marginals, viterbi
from .rnn import Encoder
from .token_network import Batch, Network

Decoder = Literal["softmax", "crf"]


class Tagger(Network):
    """Label each token, for one or several targets from one encoder.

    outputs: number of labels of each target.
    decoder: "crf" learns which labels follow each other.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        outputs: dict[str, int],
        decoder: Decoder = "softmax",
    ):
        super().__init__(embedding, encoder.output_size, outputs)
        self.encoder = encoder
        learned = outputs if decoder == "crf" else {}
        self.crfs = nn.ModuleDict({target: CRF(n) for target, n in learned.items()})

    def forward(self, batch: Batch) -> dict[str, Chain]:
        """The scores of the labels of each target."""
        vectors, tokens = self.embed(batch)
        return self.read(vectors, batch.lengths, tokens)

    def read(
        self, vectors: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None
    ) -> dict[str, Chain]:
        """The same from what the encoder reads; see `Encoder.forward`."""
        return self.chains(self.outputs(self.encoder(vectors, lengths, tokens)), lengths)

    def chains(self, scores: dict[str, Tensor], lengths: Tensor) -> dict[str, Chain]:
        """Scores (N, labels) of each target as chains, for sequences of these lengths (B,)."""
        crfs: dict = dict(self.crfs.items())
        return {name: Chain(x, lengths, crfs.get(name)) for name, x in scores.items()}

    def resize(self, outputs: dict[str, int]) -> None:
        super().resize(outputs)
        for target, crf in self.crfs.items():
            assert isinstance(crf, CRF)
            crf.resize(outputs[target])


def tagging_loss(
    chains: dict[str, Chain],
    gold: dict[str, Tensor],
    label_smoothing: float = 0.0,
    constraints: Optional[Constraints] = None,
) -> Tensor:
    """Cross-entropy of tokens, or of sequences where there is a CRF, summed over the targets.

    gold: under the name of each target its labels (N,), and where its classes have weights, those
        as NAME_weights (C,). Weights and smoothing are of the cross-entropy of tokens alone.
    constraints: which labels a CRF gives no probability.
    """
    of_targets = [
        losses.cross_entropy(chain.scores, gold[name], label_smoothing, gold.get(name + "_weights"))
        if chain.crf is None
        else crf_loss(chain, gold[name], constraints)
        for name, chain in chains.items()
    ]
    return torch.stack(of_targets).sum()


def tagging_divergence(
    chains: dict[str, Chain],
    gold: dict[str, Tensor],
    teacher: dict[str, Chain],
    constraints: Optional[Constraints] = None,
) -> Tensor:
    """The Kullback-Leibler divergence from a teacher's distribution over the labels of tokens, or
    of sequences where there is a CRF, summed over the targets.

    constraints: as of `tagging_loss`.
    """
    of_targets = [
        losses.divergence(chain.scores, teacher[name].scores)
        if chain.crf is None
        else crf_divergence(chain, teacher[name], constraints)
        for name, chain in chains.items()
    ]
    return torch.stack(of_targets).sum()


def decode(chains: dict[str, Chain]) -> dict[str, Tensor]:
    """The best labels of each target: ``NAME`` (N,)."""
    return {name: best(chain) for name, chain in chains.items()}


def decode_with_probabilities(chains: dict[str, Chain]) -> dict[str, Tensor]:
    """The best labels, ``NAME`` (N,), and the probability of each label, ``NAME_probabilities``
    (N, labels)."""
    decoded = decode(chains)
    for name, chain in chains.items():
        decoded[name + "_probabilities"] = probabilities(chain)
    return decoded


def best(scores: Chain, constraints: Optional[Constraints] = None) -> Tensor:
    """The best labels (N,): of each token where nothing binds it to others, else of the chain."""
    if scores.crf is None and constraints is None:
        return scores.scores.argmax(dim=1)
    return viterbi(scores.potentials(constraints), scores.emissions, scores.lengths)


def probabilities(scores: Chain, constraints: Optional[Constraints] = None) -> Tensor:
    """The probability of each label (N, labels), over all labels of the other tokens."""
    if scores.crf is None and constraints is None:
        return scores.emissions.float().softmax(dim=1)
    return marginals(scores.potentials(constraints), scores.emissions, scores.lengths)


def log_odds(
    scores: Chain, token: int, label: int, constraints: Optional[Constraints] = None
) -> Tensor:
    """The log-odds of a label at a token of each sequence, (B,), over all labels of the other
    tokens; differentiable.

    token: its place in its sequence, which all of them must have.
    """
    emissions = scores.emissions.float()
    places = torch.from_numpy(offsets(scores.lengths.numpy()) + token).to(emissions.device)
    if scores.crf is None and constraints is None:
        return losses.log_odds(emissions.index_select(0, places), label)
    n_tokens, n_labels = emissions.shape
    is_token = torch.isin(torch.arange(n_tokens, device=places.device), places).unsqueeze(1)
    is_label = torch.arange(n_labels, device=places.device) == label
    potentials = scores.potentials(constraints)
    with_label, with_others = (
        log_partition(potentials, emissions.masked_fill(mask, -torch.inf), scores.lengths)
        for mask in (is_token & ~is_label, is_token & is_label)
    )
    return (with_label - with_others).float()
