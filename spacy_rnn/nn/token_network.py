"""What all networks share: distinct words embedded once, and output layers that can grow."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import torch
from torch import Tensor, nn

from .embedding import Context, TokenEmbedding, Words
from .linear import Linear


class Batch(NamedTuple):
    """Flat sequences of tokens, each pointing at one of the batch's distinct words.

    words: named arrays with one row for each of the U distinct words.
    tokens: int64 (N,), the word of each token.
    lengths: int64 (S,) on the CPU, tokens in each sequence.
    counts: int64 (B,) on the CPU, sequences in each text, where a text is read by sentences.
    context: the sequences as characters, where the embedding reads them.
    vectors: (N, D), vectors that the tokens come with, where the embedding takes some.
    """

    words: Words
    tokens: Tensor
    lengths: Tensor
    counts: Optional[Tensor] = None
    context: Optional[Context] = None
    vectors: Optional[Tensor] = None


class Network(nn.Module):
    """Base of the networks: a token embedding, and one linear output layer a target.

    size: width of what the output layers read.
    outputs: number of outputs of each target.
    """

    def __init__(self, embedding: TokenEmbedding, size: int, outputs: dict[str, int]):
        super().__init__()
        self.embedding = embedding
        self.heads = nn.ModuleDict({target: _make_head(size, n) for target, n in outputs.items()})

    def embed(self, batch: Batch) -> tuple[Tensor, Optional[Tensor]]:
        """What an encoder reads; see `TokenEmbedding.in_context`."""
        of_words = self.embedding(batch.words)
        return self.embedding.in_context(of_words, batch.tokens, batch.context, batch.vectors)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs of each target: (N, size) -> (N, outputs)."""
        return {target: head(x) for target, head in self.heads.items()}

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more outputs; what was learned of the others stays as it is."""
        for target, n in outputs.items():
            old: Any = self.heads[target]
            if n > old.out_features:
                new = _make_head(old.in_features, n).to(old.weight.device)
                with torch.no_grad():
                    new.weight[: old.out_features] = old.weight
                    new.bias[: old.out_features] = old.bias
                self.heads[target] = new


def _make_head(input_size: int, output_size: int) -> Linear:
    head = Linear(input_size, output_size)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    return head
