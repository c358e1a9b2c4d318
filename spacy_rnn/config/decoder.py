"""The settings of a recurrent decoder."""

from dataclasses import dataclass
from typing import Optional

from .. import nn
from ..validation import at_least, rate
from .encoder import RNNEncoder, check_cell


@dataclass(frozen=True)
class RNNDecoder:
    """spacy_rnn.RNNDecoder.v1: a recurrent decoder (see `spacy_rnn.nn.decoder.Decoder`).

    cell (str): "lstm", "gru", "rnn_tanh" or "rnn_relu".
    hidden_size (int): Width of its states.
    depth (int): Number of layers.
    attention (Optional[str]): "general", "dot" (Luong) or "bahdanau"; null for the fixed-vector
        model.
    input_feeding (bool): Each step reads the attentional state of the step before.
    recurrent_dropout, residual, layer_norm: See `spacy_rnn.RNNEncoder.v1`.
    """

    cell: str = "lstm"
    hidden_size: int = 256
    depth: int = 1
    attention: Optional[str] = "general"
    input_feeding: bool = False
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False

    def __post_init__(self) -> None:
        check_cell(self.cell, recurrent=True)
        if self.attention is not None:
            nn.attention.check_attention(self.attention)
        at_least(1, hidden_size=self.hidden_size, depth=self.depth)
        rate(recurrent_dropout=self.recurrent_dropout)

    def module(self, embedding_size: int, memory_size: int) -> "nn.decoder.Decoder":
        """Make the decoder for pieces and states of the source of these widths."""
        layers = RNNEncoder(
            cell=self.cell,
            direction="forward",
            hidden_size=self.hidden_size,
            depth=self.depth,
            recurrent_dropout=self.recurrent_dropout,
            residual=self.residual,
            layer_norm=self.layer_norm,
        )
        return nn.decoder.Decoder(
            layers.module(embedding_size + self.hidden_size * self.input_feeding),
            memory_size,
            attention=self.attention,
            input_feeding=self.input_feeding,
        )
