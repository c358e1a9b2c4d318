"""The settings of a recurrent encoder."""

from dataclasses import dataclass
from typing import Literal

from thinc.api import Model

from ..nn import rnn
from ..runtime.shim import shim_of
from ..validation import at_least, rate

#: name of the layer
LAYER = "rnn_encoder"


@dataclass(frozen=True)
class RNNEncoder:
    """Settings of spacy_rnn.RNNEncoder.v1; see `architectures.rnn_encoder.make_rnn_encoder`."""

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

    @property
    def output_size(self) -> int:
        """Width of a token's state."""
        return self.hidden_size * (2 if self.direction == "both" else 1)

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


def settings_of(encoder: Model) -> RNNEncoder:
    """What a config says of an encoder, from the layer that stands for it."""
    if encoder.name != LAYER:
        raise ValueError(
            f"An encoder must be spacy_rnn.RNNEncoder.v1, got the layer '{encoder.name}'. Layers "
            f"of spaCy and thinc are encoders of a spacy.Tok2Vec.v2, which can be the 'tok2vec' of "
            f"spacy_rnn.Tagger.v1 and spacy_rnn.ManyToOne.v1."
        )
    shim = shim_of(encoder)
    return shim.architecture.settings
