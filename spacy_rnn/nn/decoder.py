"""The decoder of an encoder-decoder network, which predicts the next piece of a target."""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from .attention import ATTENTIONS, DecoderAttention, check_attention
from .dropout import LockedDropout, shared_masks
from .linear import Linear, xavier_linear
from .rnn import Encoder


class EncodedSource(NamedTuple):
    """An encoded batch of sources, read at every step.

    memory (Tensor): The states of the tokens (B, S, M), 0 for padding.
    mask (Tensor): True for tokens, bool (B, S).
    keys (Tensor): The vectors that attention compares with, (B, S, Q); None without attention.
    """

    memory: Tensor
    mask: Tensor
    keys: Optional[Tensor]

    def select(self, rows: Tensor) -> EncodedSource:
        """Return other rows (R,) of the batch, any number of times."""
        keys = None if self.keys is None else self.keys.index_select(0, rows)
        return EncodedSource(
            self.memory.index_select(0, rows), self.mask.index_select(0, rows), keys
        )


class DecoderState(NamedTuple):
    """The state of a decoder in a batch of targets.

    recurrent (Tensor): The states of its layers (S, depth, B, H); see `Encoder.forward_stateful`.
    fed (Tensor): The last attentional state (B, H), which the next step reads with input feeding.
    """

    recurrent: Tensor
    fed: Optional[Tensor]

    def select(self, rows: Tensor) -> DecoderState:
        """Return other rows (R,) of the batch, any number of times."""
        fed = None if self.fed is None else self.fed.index_select(0, rows)
        return DecoderState(self.recurrent.index_select(2, rows), fed)


class Decoder(nn.Module):
    """A recurrent decoder with attention on the source (Luong et al. 2015, sections 3 to 3.3), or
    without, the fixed-vector model (Sutskever et al. 2014; Cho et al. 2014).

    Its initial state comes from the encoder's last states through a linear layer (the bridge).

    layers (Encoder): Reads the vectors of pieces in one direction; with input feeding a vector of
        the width of its states is appended to each.
    memory_size (int): Width of the source's states.
    attention (Optional[str]): Its name in `spacy_rnn.nn.attention.ATTENTIONS`; None for no
        attention.
    input_feeding (bool): Each step reads the attentional state of the step before. Steps must then
        be taken one by one; without, a whole target runs through the kernels at once.
    """

    def __init__(
        self,
        layers: Encoder,
        memory_size: int,
        *,
        attention: Optional[str],
        input_feeding: bool,
    ):
        super().__init__()
        if input_feeding and attention is None:
            raise ValueError(
                "'input_feeding' feeds the result of attention to the next step: set 'attention' "
                'to "general", "dot" or "bahdanau", or \'input_feeding\' to false.'
            )
        self.input_feeding = input_feeding
        #: True if steps are taken one by one
        self.stepwise = input_feeding
        self.hidden_size = hidden_size = layers.hidden_size
        self.layers = layers
        n_states, depth, _, _ = layers.state_size(0)
        self.bridge = xavier_linear(memory_size, n_states * depth * hidden_size)
        self.attention: Optional[DecoderAttention] = None
        if attention is not None:
            check_attention(attention)
            self.attention = ATTENTIONS[attention](hidden_size, memory_size)
            self.combine = Linear(memory_size + hidden_size, hidden_size, bias=False)
            nn.init.xavier_uniform_(self.combine.weight)
        self.dropout = LockedDropout()

    def prepare_source(self, memory: Tensor, mask: Tensor) -> EncodedSource:
        """Compute once what all steps read of the source; see `EncodedSource`."""
        keys = None if self.attention is None else self.attention.keys(memory)
        return EncodedSource(memory, mask, keys)

    def initial_state(self, summary: Tensor) -> DecoderState:
        """The state before the first piece, from the last states of the encoder (B, M)."""
        n_states, depth, n_rows, size = self.layers.state_size(len(summary))
        recurrent = torch.tanh(self.bridge(summary)).view(n_rows, n_states, depth, size)
        fed = summary.new_zeros(n_rows, size) if self.input_feeding else None
        return DecoderState(recurrent.permute(1, 2, 0, 3), fed)

    def forward(
        self, vectors: Tensor, source: EncodedSource, state: DecoderState
    ) -> tuple[Tensor, Optional[Tensor], DecoderState]:
        """Read pieces.

        vectors (Tensor): The vectors of the pieces (B, T, E).
        source (EncodedSource): The encoded sources. Several rows may share one, as the hypotheses
            of a beam do: then B is a multiple of the number of sources.
        state (DecoderState): The state before the first of the pieces.
        RETURNS (tuple): For each piece, the state that predicts the next one (B, T, H) and the
            attention on the source (B, T, S) or None; and the state after the last piece.
        """
        if not self.stepwise or vectors.shape[1] == 1:
            return self._decode(vectors, source, state)
        outputs, attention = [], []
        with shared_masks(self):
            for vector in vectors.split(1, dim=1):
                output, weights, state = self._decode(vector, source, state)
                outputs.append(output)
                if weights is not None:
                    attention.append(weights)
        joined = torch.cat(attention, dim=1) if attention else None
        return torch.cat(outputs, dim=1), joined, state

    def _decode(
        self, vectors: Tensor, source: EncodedSource, state: DecoderState
    ) -> tuple[Tensor, Optional[Tensor], DecoderState]:
        n_rows, n_steps, _ = vectors.shape
        if state.fed is not None:
            vectors = torch.cat([vectors, state.fed.unsqueeze(1)], dim=2)
        hidden, recurrent = self.layers.step_uniform(vectors.transpose(0, 1), state.recurrent)
        hidden = hidden.transpose(0, 1)
        if self.attention is None:
            return hidden, None, DecoderState(recurrent, None)
        assert source.keys is not None
        # Rows that share a source, the hypotheses of a beam, are to attention like steps.
        query = hidden.reshape(len(source.mask), -1, self.hidden_size)
        context, weights = self.attention(query, source.keys, source.memory, source.mask)
        context = context.reshape(n_rows, n_steps, -1)
        hidden = torch.tanh(self.combine(torch.cat([context, hidden], dim=2)))
        fed = hidden[:, -1] if self.input_feeding else None
        mask = self.dropout.mask(n_rows, self.hidden_size, hidden)
        output = hidden if mask is None else hidden * mask.unsqueeze(1)
        return output, weights, DecoderState(recurrent, fed)
