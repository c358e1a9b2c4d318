"""The network that reads a text into one vector, from which its label or value is predicted."""

from __future__ import annotations

from typing import Optional

from torch import Tensor, nn

from .embedding import TokenBatch, TokenEmbedding
from .layout import FlatBatch
from .linear import OutputLayers
from .pooling import PooledEncoder, Summaries


class ManyToOne(nn.Module):
    """Predict outputs for each text.

    embedding (TokenEmbedding): Embeds the tokens.
    tokens (PooledEncoder): Reads the tokens of a text or, with `sentences`, of a sentence.
    sentences (Optional[PooledEncoder]): Reads the vectors of a text's sentences (Yang et al. 2016,
        "Hierarchical attention networks", section 2.2); None where a text is one sequence.
    outputs (dict[str, int]): Number of outputs of each target.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        tokens: PooledEncoder,
        sentences: Optional[PooledEncoder],
        outputs: dict[str, int],
    ):
        super().__init__()
        self.embedding = embedding
        self.heads = OutputLayers((sentences or tokens).output_size, outputs)
        self.tokens = tokens
        self.sentences = sentences

    def forward(self, batch: TokenBatch) -> dict[str, Tensor]:
        """The outputs of each target, (B, outputs)."""
        return self.read(self.embedding(batch), batch.counts)

    def read(self, batch: FlatBatch, counts: Optional[Tensor]) -> dict[str, Tensor]:
        """The outputs of each target from the vectors of tokens.

        batch (FlatBatch): The vectors of the tokens of each sequence.
        counts (Optional[Tensor]): Sequences of each text; see `TokenBatch`.
        RETURNS (dict[str, Tensor]): The outputs, (B, outputs).
        """
        return self.outputs(self.tokens.summarize(batch), counts)

    def summarize(self, batch: TokenBatch) -> Summaries:
        """Summarize each sequence of tokens, or each window of one."""
        return self.tokens.summarize(self.embedding(batch))

    def outputs(self, summaries: Summaries, counts: Optional[Tensor]) -> dict[str, Tensor]:
        """The outputs of each target from the summaries of the sequences of tokens."""
        vectors = self.tokens.pooling.finish(summaries)
        if self.sentences is not None:
            assert counts is not None
            vectors = self.sentences(FlatBatch(vectors, counts))
        return self.heads(vectors)

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more outputs; existing weights are preserved."""
        self.heads.resize(outputs)
