"""Attention: which source tokens a decoder looks at."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .linear import Linear

Scoring = Literal["bahdanau", "dot", "general"]


class Attention(nn.Module):
    """Weighted means of source states (the memory), by how well each fits the decoder's state.

    scoring: of a source state m for a decoder state q,
        "bahdanau": v . tanh(W q + U m) (Bahdanau et al. 2015, A.1.2);
        "dot": q . m; "general": q . W m (Luong et al. 2015, section 3.1).
    query_size, memory_size: widths of q and m; equal for "dot".

    What depends on the source alone, `keys`, is computed once a sentence.
    """

    def __init__(self, scoring: Scoring, query_size: int, memory_size: int):
        super().__init__()
        if scoring == "dot" and query_size != memory_size:
            raise ValueError(
                f"Attention 'dot' needs decoder states as wide as source states, got {query_size} "
                f"and {memory_size}: use 'general', or a decoder of hidden_size {memory_size}."
            )
        self.scoring = scoring
        if scoring != "dot":
            self.memory = Linear(memory_size, query_size, bias=False)
            nn.init.xavier_uniform_(self.memory.weight)
        if scoring == "bahdanau":
            self.query = Linear(query_size, query_size)
            self.score = nn.Linear(query_size, 1, bias=False)
            nn.init.xavier_uniform_(self.query.weight)
            nn.init.zeros_(self.query.bias)
            nn.init.xavier_uniform_(self.score.weight)

    def keys(self, memory: Tensor) -> Tensor:
        """(B, S, M) -> (B, S, Q)."""
        return memory if self.scoring == "dot" else self.memory(memory)

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """query: (B, T, Q), of one step or of many. mask: bool (B, S), True where there is a token.

        Returns the contexts (B, T, M) and the weights (B, T, S), which sum to 1; of a source
        without tokens both are 0.
        """
        # shape: (B, T, S)
        if self.scoring == "bahdanau":
            pairs = self.query(query).unsqueeze(2) + keys.unsqueeze(1)
            scores = self.score(torch.tanh(pairs)).squeeze(3)
        else:
            scores = query @ keys.transpose(1, 2)
        ruled_out = ~mask.unsqueeze(1)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # Not -inf: a row of nothing else has no softmax, and no gradient.
        scores = scores.masked_fill(ruled_out, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2).masked_fill(ruled_out, 0.0).to(memory.dtype)
        return weights @ memory, weights
