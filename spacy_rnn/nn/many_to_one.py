"""Many to one: a text becomes one vector, from which its label or value is read."""

from __future__ import annotations

from typing import Optional

from torch import Tensor

from .embedding import TokenEmbedding
from .pooling import PooledEncoder
from .token_network import Batch, Network


class ManyToOne(Network):
    """Outputs for each text.

    tokens: reads the tokens of a text or, with `sentences`, of a sentence.
    sentences: reads the vectors of a text's sentences (Yang et al. 2016, "Hierarchical attention
        networks", section 2.2); None where a text is one sequence of tokens.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        tokens: PooledEncoder,
        sentences: Optional[PooledEncoder],
        outputs: dict[str, int],
    ):
        super().__init__(embedding, (sentences or tokens).output_size, outputs)
        self.tokens = tokens
        self.sentences = sentences

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Outputs (B, outputs) of each target."""
        vectors, tokens = self.embed(batch)
        return self.read(vectors, batch.lengths, batch.counts, tokens)

    def read(
        self,
        vectors: Tensor,
        lengths: Tensor,
        counts: Optional[Tensor],
        tokens: Optional[Tensor] = None,
    ) -> dict[str, Tensor]:
        """The same from what the encoder reads; see `Encoder.forward`.

        counts: see `Batch`.
        """
        of_texts = self.tokens(vectors, lengths, tokens)
        if self.sentences is not None:
            of_texts = self.sentences(of_texts, counts)
        return self.outputs(of_texts)
