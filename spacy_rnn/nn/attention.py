"""Attention of a decoder on the tokens of the source."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .entry_points import add_entry_points
from .linear import Linear


class DecoderAttention(nn.Module):
    """Base of the attentions: weighted means of source states (the memory), by how well each fits
    the decoder's state.

    A subclass implements `keys` and `scores`, and takes `query_size` and `memory_size`.

    query_size (int): Width of a decoder state q.
    memory_size (int): Width of a source state m.
    """

    def keys(self, memory: Tensor) -> Tensor:
        """Compute the part of the scores that depends on the source only, once per source:
        (B, S, M) -> (B, S, K)."""
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score each source state for each decoder state.

        query (Tensor): The decoder's states (B, T, Q).
        keys (Tensor): The result of `keys`, (B, S, K).
        RETURNS (Tensor): The scores before the softmax, (B, T, S).
        """
        raise NotImplementedError

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attend to the source.

        query (Tensor): The decoder's states (B, T, Q), of one step or several.
        keys (Tensor): The result of `keys` for the memory, (B, S, K).
        memory (Tensor): The source's states (B, S, M).
        mask (Tensor): True for tokens, bool (B, S).
        RETURNS (tuple): The contexts (B, T, M) and the weights (B, T, S), which sum to 1; both are
            0 for a source without tokens.
        """
        scores = self.scores(query, keys)
        is_padding = ~mask.unsqueeze(1)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # Not -inf: a row of nothing else has no softmax, and no gradient.
        scores = scores.masked_fill(is_padding, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2).masked_fill(is_padding, 0.0).to(memory.dtype)
        return weights @ memory, weights


class DotAttention(DecoderAttention):
    """q . m (Luong et al. 2015, section 3.1).

    query_size (int), memory_size (int): See `DecoderAttention`; equal.
    """

    def __init__(self, query_size: int, memory_size: int):
        super().__init__()
        if query_size != memory_size:
            raise ValueError(
                f"Attention 'dot' needs decoder states as wide as source states, got {query_size} "
                f"and {memory_size}: use 'general', or a decoder of hidden_size {memory_size}."
            )

    def keys(self, memory: Tensor) -> Tensor:
        return memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class GeneralAttention(DecoderAttention):
    """q . W m (Luong et al. 2015, section 3.1).

    query_size (int), memory_size (int): See `DecoderAttention`.
    """

    def __init__(self, query_size: int, memory_size: int):
        super().__init__()
        self.memory = Linear(memory_size, query_size, bias=False)
        nn.init.xavier_uniform_(self.memory.weight)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.memory(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class BahdanauAttention(GeneralAttention):
    """v . tanh(W q + U m) (Bahdanau et al. 2015, A.1.2).

    query_size (int), memory_size (int): See `DecoderAttention`.
    """

    def __init__(self, query_size: int, memory_size: int):
        super().__init__(query_size, memory_size)
        self.query = Linear(query_size, query_size)
        self.score = nn.Linear(query_size, 1, bias=False)
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.zeros_(self.query.bias)
        nn.init.xavier_uniform_(self.score.weight)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        # shape: (B, T, 1, Q) + (B, 1, S, Q) -> (B, T, S, Q)
        pairs = self.query(query).unsqueeze(2) + keys.unsqueeze(1)
        scores: Tensor = self.score(torch.tanh(pairs)).squeeze(3)
        return scores


#: every attention that the setting `attention` of a decoder can name
ATTENTIONS: dict[str, type[DecoderAttention]] = {
    "bahdanau": BahdanauAttention,
    "dot": DotAttention,
    "general": GeneralAttention,
}


def check_attention(name: str) -> None:
    """Check the name of an attention. Those of other packages are their entry points of the group
    "spacy_rnn_attentions".

    RAISES (ValueError): If there is no such attention.
    """
    if name not in ATTENTIONS:
        add_entry_points(ATTENTIONS, "spacy_rnn_attentions")
    if name not in ATTENTIONS:
        raise ValueError(
            f"'attention' must be null or one of {', '.join(ATTENTIONS)}, got {name!r}."
        )
