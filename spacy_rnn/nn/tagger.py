"""The network that labels tokens, each by itself (softmax) or with its neighbors (CRF)."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

from . import losses
from .crf import CRF, crf_divergence, crf_loss, crf_soft_divergence
from .embedding import TokenBatch, TokenEmbedding
from .layout import FlatBatch
from .linear import OutputLayers
from .options import Decoder
from .ragged import offsets
from .rnn import Encoder
from .tag_scores import Constraints, TagScores


class Tagger(nn.Module):
    """Label each token, for one or several targets from one encoder.

    embedding (TokenEmbedding): Embeds the tokens.
    encoder (Encoder): Reads the vectors of the tokens.
    outputs (dict[str, int]): Number of labels of each target.
    decoder (str): "softmax", or "crf" to learn which labels follow each other.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        outputs: dict[str, int],
        decoder: Decoder = "softmax",
    ):
        super().__init__()
        self.embedding = embedding
        self.heads = OutputLayers(encoder.output_size, outputs)
        self.encoder = encoder
        learned = outputs if decoder == "crf" else {}
        self.crfs = nn.ModuleDict({target: CRF(n) for target, n in learned.items()})

    def forward(self, batch: TokenBatch) -> dict[str, TagScores]:
        """The scores of the labels of each target."""
        return self.read(self.embedding(batch))

    def read(self, batch: FlatBatch) -> dict[str, TagScores]:
        """The scores of the labels of each target from the vectors of tokens."""
        states, lengths = self.encoder.read_batch(batch)
        return self.tag_scores(self.heads(states), lengths)

    def tag_scores(self, scores: dict[str, Tensor], lengths: Tensor) -> dict[str, TagScores]:
        """Join scores with the transitions that are learned.

        scores (dict[str, Tensor]): Scores of the labels of each target, (N, labels).
        lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
        RETURNS (dict[str, TagScores]): The scores of each target.
        """
        crfs: dict[str, Any] = dict(self.crfs.items())
        return {name: TagScores(x, lengths, crfs.get(name)) for name, x in scores.items()}

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more labels; existing weights are preserved."""
        self.heads.resize(outputs)
        for target, crf in self.crfs.items():
            assert isinstance(crf, CRF)
            crf.resize(outputs[target])


def tagging_loss(
    tag_scores: dict[str, TagScores],
    gold: dict[str, Tensor],
    label_smoothing: float = 0.0,
    constraints: Optional[Constraints] = None,
    temperature: float = 1.0,
) -> Tensor:
    """Cross-entropy of tokens, or of sequences where there is a CRF, summed over the targets; with
    the divergence from a teacher where it answers.

    tag_scores (dict[str, TagScores]): The scores of each target.
    gold (dict[str, Tensor]): For each target, NAME (N,), the labels. Where its classes have
        weights, NAME_weights (C,); weights and smoothing need the cross-entropy of tokens. Where a
        teacher answers, NAME_soft (N, C), its probabilities, and NAME_share (N,), the share of its
        divergence in the loss of each token, which with a CRF is one number for each sequence.
    label_smoothing (float): The share of the probability spread over all labels.
    constraints (Optional[Constraints]): The labels to which a CRF gives a probability.
    temperature (float): Softens the answers; see `spacy_rnn.nn.losses.soft_divergence`.
    RETURNS (Tensor): The loss.
    """
    of_targets = []
    for name, scores in tag_scores.items():
        labels, share = gold[name], gold.get(name + "_share")
        if scores.crf is not None and share is not None:
            first = torch.from_numpy(offsets(scores.lengths.numpy())).to(share.device)
            share = share.index_select(0, first)
        weights = None if share is None else 1.0 - share
        if weights is None or weights.any():
            classes = gold.get(name + "_weights")
            of_targets.append(
                losses.cross_entropy(scores.scores, labels, label_smoothing, classes, weights)
                if scores.crf is None
                else crf_loss(scores, labels, constraints, weights)
            )
        if share is not None:
            soft = gold[name + "_soft"]
            of_targets.append(
                losses.soft_divergence(scores.scores, soft, share, temperature)
                if scores.crf is None
                else crf_soft_divergence(scores, soft, share, temperature, constraints)
            )
    return torch.stack(of_targets).sum()


def tagging_divergence(
    tag_scores: dict[str, TagScores],
    gold: dict[str, Tensor],
    teacher: dict[str, TagScores],
    constraints: Optional[Constraints] = None,
) -> Tensor:
    """The Kullback-Leibler divergence from a teacher's distribution over the labels of tokens, or
    of sequences where there is a CRF, summed over the targets.

    tag_scores (dict[str, TagScores]), teacher (dict[str, TagScores]): The scores of each target.
    gold (dict[str, Tensor]): Not read; losses have it.
    constraints (Optional[Constraints]): As of `tagging_loss`.
    RETURNS (Tensor): The divergence.
    """
    of_targets = [
        losses.divergence(scores.scores, teacher[name].scores)
        if scores.crf is None
        else crf_divergence(scores, teacher[name], constraints)
        for name, scores in tag_scores.items()
    ]
    return torch.stack(of_targets).sum()
