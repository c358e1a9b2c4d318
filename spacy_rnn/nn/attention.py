"""Attention of a decoder on the tokens of the source."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .linear import Linear

Scoring = Literal["bahdanau", "dot", "general"]


class DecoderAttention(nn.Module):
    """Weighted means of source states (the memory), by how well each fits the decoder's state.

    scoring (str): The score of a source state m for a decoder state q:
        "bahdanau": v . tanh(W q + U m) (Bahdanau et al. 2015, A.1.2);
        "dot": q . m; "general": q . W m (Luong et al. 2015, section 3.1).
    query_size (int): Width of q.
    memory_size (int): Width of m; equal to `query_size` for "dot".
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
        """Compute the part of the scores that depends on the source only, once per source:
        (B, S, M) -> (B, S, Q)."""
        return memory if self.scoring == "dot" else self.memory(memory)

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attend to the source.

        query (Tensor): The decoder's states (B, T, Q), of one step or several.
        keys (Tensor): The result of `keys` for the memory, (B, S, Q).
        memory (Tensor): The source's states (B, S, M).
        mask (Tensor): True for tokens, bool (B, S).
        RETURNS (tuple): The contexts (B, T, M) and the weights (B, T, S), which sum to 1; both are
            0 for a source without tokens.
        """
        # shape: (B, T, S)
        if self.scoring == "bahdanau":
            pairs = self.query(query).unsqueeze(2) + keys.unsqueeze(1)
            scores = self.score(torch.tanh(pairs)).squeeze(3)
        else:
            scores = query @ keys.transpose(1, 2)
        is_padding = ~mask.unsqueeze(1)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # Not -inf: a row of nothing else has no softmax, and no gradient.
        scores = scores.masked_fill(is_padding, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2).masked_fill(is_padding, 0.0).to(memory.dtype)
        return weights @ memory, weights
