"""The tagger: token embedding, encoder, and a linear layer for each thing that is predicted."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import torch
from torch import Tensor, nn

from .embedding import TokenEmbedding, Words
from .losses import cross_entropy
from .rnn import Encoder


class Batch(NamedTuple):
    """Flat sequences of tokens, each pointing at one of the batch's distinct words.

    words: named arrays with one row for each of the U distinct words.
    tokens: int64 (N,), the word of each token.
    lengths: int64 (B,) on the CPU, tokens in each sequence.
    """

    words: Words
    tokens: Tensor
    lengths: Tensor


class Tagger(nn.Module):
    """Label each token, for one or several targets from one encoder.

    outputs: number of labels of each target.
    """

    def __init__(self, embedding: TokenEmbedding, encoder: Encoder, outputs: dict[str, int]):
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.heads = nn.ModuleDict(
            {target: _make_head(encoder.output_size, n) for target, n in outputs.items()}
        )

    @property
    def direction(self) -> str:
        return self.encoder.direction

    def forward(
        self, batch: Batch, state: Optional[Tensor] = None, *, stateful: bool = False
    ) -> tuple[dict[str, Tensor], Optional[Tensor]]:
        """Logits (N, labels) of each target; with `stateful`, from `state` to the state after."""
        x = self.embedding(batch.words).index_select(0, batch.tokens)
        if stateful:
            x, state = self.encoder.step(x, batch.lengths, state)
        else:
            x = self.encoder(x, batch.lengths)
        return {target: head(x) for target, head in self.heads.items()}, state

    def loss(
        self,
        batch: Batch,
        targets: dict[str, Tensor],
        label_smoothing: float = 0.0,
        class_weights: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """Cross-entropy summed over tokens and targets (see `losses.cross_entropy`)."""
        logits, _ = self(batch)
        weights = class_weights or {}
        losses = [
            cross_entropy(logits[name], gold, label_smoothing, weights.get(name))
            for name, gold in targets.items()
        ]
        return torch.stack(losses).sum()

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more labels; what was learned of the others stays as it is."""
        for target, n in outputs.items():
            old: Any = self.heads[target]
            if n > old.out_features:
                new = _make_head(old.in_features, n).to(old.weight.device)
                with torch.no_grad():
                    new.weight[: old.out_features] = old.weight
                    new.bias[: old.out_features] = old.bias
                self.heads[target] = new


def _make_head(input_size: int, output_size: int) -> nn.Linear:
    head = nn.Linear(input_size, output_size)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def decode(logits: dict[str, Tensor]) -> dict[str, Tensor]:
    """The best label of each token and its probability: ``NAME`` (N,) and ``NAME_probability``."""
    decoded = {}
    for name, scores in logits.items():
        probability, label = scores.float().softmax(dim=-1).max(dim=-1)
        decoded[name] = label
        decoded[name + "_probability"] = probability
    return decoded


def probabilities(logits: dict[str, Tensor]) -> dict[str, Tensor]:
    """The probability of each label: ``NAME`` (N, labels)."""
    return {name: scores.float().softmax(dim=-1) for name, scores in logits.items()}
