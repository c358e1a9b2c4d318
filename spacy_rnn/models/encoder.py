"""The recurrent encoder as it is written in a config."""

from dataclasses import dataclass
from typing import Literal

from ..nn import rnn
from .checks import at_least, rate


@dataclass(frozen=True)
class RNNEncoder:
    """spacy_rnn.RNNEncoder.v1: stacked recurrent layers (see `spacy_rnn.nn.rnn.Encoder`).

    cell: "lstm", "gru", "rnn_tanh", "rnn_relu", or "none" for a feed-forward layer.
    direction: "both", "forward" or "backward".
    hidden_size: width of each direction's state.
    depth: number of layers.
    recurrent_dropout: rate of weight-drop on the recurrent weights. (The rate of locked dropout
        before, between and after the layers is [training] dropout.)
    residual: add a layer's input to its output where both have the same width.
    layer_norm: normalise each layer's output.
    chrono_length: with T > 1, gates start with memories of 1 to T steps (chrono initialisation);
        0 starts an LSTM's forget gate with a bias of 1.
    """

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm", "none"] = "lstm"
    direction: Literal["forward", "backward", "both"] = "both"
    hidden_size: int = 200
    depth: int = 2
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False
    chrono_length: int = 0

    def __post_init__(self) -> None:
        at_least(1, hidden_size=self.hidden_size, depth=self.depth)
        at_least(0, chrono_length=self.chrono_length)
        rate(recurrent_dropout=self.recurrent_dropout)

    def module(self, input_size: int) -> rnn.Encoder:
        return rnn.Encoder(
            input_size,
            cell=self.cell,
            direction=self.direction,
            hidden_size=self.hidden_size,
            depth=self.depth,
            recurrent_dropout=self.recurrent_dropout,
            residual=self.residual,
            layer_norm=self.layer_norm,
            chrono_length=self.chrono_length,
        )
