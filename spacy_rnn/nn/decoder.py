"""The decoder of an encoder-decoder network: the pieces of a target so far -> its next piece."""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from .attention import Attention, Scoring
from .dropout import LockedDropout, one_pass
from .linear import Linear
from .rnn import Cell, Encoder


class Source(NamedTuple):
    """An encoded batch of sources, read at every step.

    memory: states (B, S, M), 0 where there is no token.
    mask: bool (B, S), where there is one.
    keys: what attention compares with, (B, S, Q); None without attention.
    """

    memory: Tensor
    mask: Tensor
    keys: Optional[Tensor]

    def select(self, rows: Tensor) -> Source:
        """Other rows (R,) of the batch, any number of times."""
        keys = None if self.keys is None else self.keys.index_select(0, rows)
        return Source(self.memory.index_select(0, rows), self.mask.index_select(0, rows), keys)


class State(NamedTuple):
    """Where a decoder stands in a batch of targets.

    recurrent: states of its layers (S, depth, B, H); see `Encoder.step`.
    fed: the last attentional state (B, H), fed to the next step with input feeding.
    """

    recurrent: Tensor
    fed: Optional[Tensor]

    def select(self, rows: Tensor) -> State:
        """Other rows (R,) of the batch, any number of times."""
        fed = None if self.fed is None else self.fed.index_select(0, rows)
        return State(self.recurrent.index_select(2, rows), fed)


class Decoder(nn.Module):
    """A recurrent decoder with attention on the source (Luong et al. 2015, sections 3 to 3.3), or
    without, the fixed-vector model (Sutskever et al. 2014; Cho et al. 2014).

    embedding_size: width of the vectors of pieces.
    memory_size: width of the source's states.
    attention: how a source state is scored, None for no attention.
    input_feeding: each step reads the attentional state of the step before. Steps must then be
        taken one by one; without, a whole target runs through the kernels at once.
    cell, hidden_size, depth, recurrent_dropout, residual, layer_norm: see `Encoder`.

    It starts from both directions of the encoder, through a linear layer (the bridge).
    """

    def __init__(
        self,
        embedding_size: int,
        memory_size: int,
        *,
        attention: Optional[Scoring] = "general",
        input_feeding: bool = False,
        cell: Cell = "lstm",
        hidden_size: int = 256,
        depth: int = 1,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
    ):
        super().__init__()
        if input_feeding and attention is None:
            raise ValueError("Input feeding feeds what attention found: it needs an attention.")
        self.input_feeding = input_feeding
        self.hidden_size = hidden_size
        self.layers = Encoder(
            embedding_size + hidden_size * input_feeding,
            cell=cell,
            direction="forward",
            hidden_size=hidden_size,
            depth=depth,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            layer_norm=layer_norm,
        )
        n_states, _, _, _ = self.layers.state_size(0)
        self.bridge = Linear(memory_size, n_states * depth * hidden_size)
        nn.init.xavier_uniform_(self.bridge.weight)
        nn.init.zeros_(self.bridge.bias)
        self.attention: Optional[Attention] = None
        if attention is not None:
            self.attention = Attention(attention, hidden_size, memory_size)
            self.combine = Linear(memory_size + hidden_size, hidden_size, bias=False)
            nn.init.xavier_uniform_(self.combine.weight)
        self.dropout = LockedDropout()

    def source(self, memory: Tensor, mask: Tensor) -> Source:
        """What all steps need of the source; keys are computed here, once."""
        return Source(memory, mask, None if self.attention is None else self.attention.keys(memory))

    def start(self, summary: Tensor) -> State:
        """The state before the first piece, from the last states of the encoder (B, M)."""
        n_states, depth, n_rows, size = self.layers.state_size(len(summary))
        recurrent = torch.tanh(self.bridge(summary)).view(n_rows, n_states, depth, size)
        fed = summary.new_zeros(n_rows, size) if self.input_feeding else None
        return State(recurrent.permute(1, 2, 0, 3), fed)

    def forward(
        self, vectors: Tensor, source: Source, state: State
    ) -> tuple[Tensor, Optional[Tensor], State]:
        """Read the vectors of pieces (B, T, E): returns, for each of them, the state that predicts
        the next one (B, T, H), the attention on the source (B, T, S) and the state after the
        last."""
        if not self.input_feeding or vectors.shape[1] == 1:
            return self._read(vectors, source, state)
        steps = []
        with one_pass(self):
            for vector in vectors.split(1, dim=1):
                output, weights, state = self._read(vector, source, state)
                assert weights is not None
                steps.append((output, weights))
        together, attention = (torch.cat(parts, dim=1) for parts in zip(*steps, strict=True))
        return together, attention, state

    def _read(
        self, vectors: Tensor, source: Source, state: State
    ) -> tuple[Tensor, Optional[Tensor], State]:
        n_rows, n_steps, _ = vectors.shape
        if state.fed is not None:
            vectors = torch.cat([vectors, state.fed.unsqueeze(1)], dim=2)
        hidden, recurrent = self.layers.read(vectors.transpose(0, 1), state.recurrent)
        hidden = hidden.transpose(0, 1)
        if self.attention is None:
            return hidden, None, State(recurrent, None)
        assert source.keys is not None
        # Several rows may share a source, the hypotheses of a beam: they look at it like steps.
        query = hidden.reshape(len(source.mask), -1, self.hidden_size)
        context, weights = self.attention(query, source.keys, source.memory, source.mask)
        context = context.reshape(n_rows, n_steps, -1)
        hidden = torch.tanh(self.combine(torch.cat([context, hidden], dim=2)))
        fed = hidden[:, -1] if self.input_feeding else None
        mask = self.dropout.mask(n_rows, self.hidden_size, hidden)
        output = hidden if mask is None else hidden * mask.unsqueeze(1)
        return output, weights, State(recurrent, fed)
