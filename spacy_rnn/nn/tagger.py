"""Many to many: a label for each token."""

from __future__ import annotations

from torch import Tensor

from .embedding import TokenEmbedding
from .network import Batch, Network
from .rnn import Encoder


class Tagger(Network):
    """Label each token, for one or several targets from one encoder.

    outputs: number of labels of each target.
    """

    def __init__(self, embedding: TokenEmbedding, encoder: Encoder, outputs: dict[str, int]):
        super().__init__(embedding, encoder.output_size, outputs)
        self.encoder = encoder

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits (N, labels) of each target."""
        return self.outputs(
            self.encoder(self.embedding(batch.words), batch.lengths, batch.tokens)
        )


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
