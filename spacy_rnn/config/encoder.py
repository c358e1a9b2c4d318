"""The settings of a recurrent encoder."""

from dataclasses import dataclass
from typing import Any

from thinc.api import Model

from .. import nn
from ..nn.options import FEED_FORWARD_CELLS, RECURRENT_CELLS, REVERSED, Direction
from ..runtime.shim import shim_of
from ..validation import at_least, rate

#: the name of the layer spacy_rnn.RNNEncoder.v1
LAYER = "rnn_encoder"


def check_cell(name: str, recurrent: bool = False) -> None:
    """Check the name of a cell; see `spacy_rnn.nn.cells.check_cell`, which knows those of other
    packages too."""
    known = RECURRENT_CELLS if recurrent else RECURRENT_CELLS + FEED_FORWARD_CELLS
    if name not in known:
        nn.cells.check_cell(name, recurrent)


@dataclass(frozen=True)
class RNNEncoder:
    """spacy_rnn.RNNEncoder.v1: stacked recurrent layers (see `spacy_rnn.nn.rnn.Encoder`).

    Part of the components of spacy-rnn, and 'encode' of spacy.Tok2Vec.v2 for spaCy's own: a layer
    from the vectors of each text, float32 (tokens, nI), to states (tokens, nO). nO is hidden_size,
    twice that in both directions. A text's states do not depend on the batch it comes in.

    cell (str): "lstm", "gru", "rnn_tanh", "rnn_relu", or "none" for a feed-forward layer.
    direction (str): "both", "forward" or "backward".
    hidden_size (int): Width of each direction's state.
    depth (int): Number of layers.
    recurrent_dropout (float): Rate of weight-drop on the recurrent weights. (The rate of locked
        dropout before, between and after the layers is [training] dropout.)
    residual (bool): Add a layer's input to its output where both have the same width.
    layer_norm (bool): Normalize each layer's output.
    chrono_length (int): With T > 1, gates start with memories of 1 to T steps (chrono
        initialization); 0 starts an LSTM's forget gate with a bias of 1.
    """

    cell: str = "lstm"
    direction: Direction = "both"
    hidden_size: int = 200
    depth: int = 2
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False
    chrono_length: int = 0

    def __post_init__(self) -> None:
        check_cell(self.cell)
        at_least(1, hidden_size=self.hidden_size, depth=self.depth)
        at_least(0, chrono_length=self.chrono_length)
        rate(recurrent_dropout=self.recurrent_dropout)

    @property
    def output_size(self) -> int:
        """The width of a token's state (int)."""
        return self.hidden_size * len(REVERSED[self.direction])

    def module(self, input_size: int) -> "nn.rnn.Encoder":
        """Return the module for vectors of this width."""
        return nn.rnn.Encoder(input_size, **vars(self))


def settings_of(encoder: Model) -> RNNEncoder:
    """Return the settings of an encoder from the layer that stands for it in a config.

    encoder (Model): spacy_rnn.RNNEncoder.v1.
    RAISES (ValueError): If it is another layer.
    """
    if encoder.name != LAYER:
        raise ValueError(
            f"An encoder must be spacy_rnn.RNNEncoder.v1, got the layer '{encoder.name}'. Layers "
            f"of spaCy and thinc are encoders of a spacy.Tok2Vec.v2, which can be the 'tok2vec' of "
            f"spacy_rnn.Tagger.v1 and spacy_rnn.ManyToOne.v1."
        )
    architecture: Any = shim_of(encoder).architecture
    settings: RNNEncoder = architecture.settings
    return settings
