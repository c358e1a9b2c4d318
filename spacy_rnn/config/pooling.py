"""The settings of pooling, which makes one vector of a sequence."""

from dataclasses import dataclass
from typing import List

from .. import nn
from ..nn.options import Way
from ..validation import at_least
from .encoder import RNNEncoder
from .signature import with_fields_of


@dataclass(frozen=True)
class Pooling:
    """spacy_rnn.Pooling.v1: one vector from the states of a sequence, in one or more ways.

    ways (List[str]): "last", the true last state of each direction; "mean"; "max", the largest
        value of each dimension; "attention", a mean with learned weights.
    attention_size (int): Width of the attention's hidden layer.
    """

    ways: List[Way]
    attention_size: int = 64

    def __post_init__(self) -> None:
        at_least(1, attention_size=self.attention_size)
        if not self.ways or len(set(self.ways)) < len(self.ways):
            raise ValueError(
                f"'ways' of spacy_rnn.Pooling.v1 must be one or more of 'last', 'mean', 'max' and "
                f"'attention', each once; got {self.ways}."
            )

    def paths(self, name: str) -> List[str]:
        """Return the paths of the linear and recurrent layers in the module of this name."""
        layers = ("hidden", "context") if "attention" in self.ways else ()
        return [f"{name}.encoder", *(f"{name}.pooling.ways.attention.{n}" for n in layers)]

    def module(self, encoder: "nn.rnn.Encoder") -> "nn.pooling.PooledEncoder":
        """Return the encoder with this pooling of its states."""
        size, direction = encoder.output_size, encoder.direction
        pooling = nn.pooling.Pooling(size, direction, self.ways, self.attention_size)
        return nn.pooling.PooledEncoder(encoder, pooling)


@dataclass(frozen=True)
class SentenceEncoder:
    """spacy_rnn.SentenceEncoder.v1: reads the vectors of a text's sentences into one vector.

    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    pooling (Pooling): spacy_rnn.Pooling.v1.
    """

    encoder: RNNEncoder
    pooling: Pooling

    def module(self, input_size: int) -> "nn.pooling.PooledEncoder":
        """Return the module for vectors of this width."""
        return self.pooling.module(self.encoder.module(input_size))


@with_fields_of(SentenceEncoder)
def make_sentence_encoder(settings: SentenceEncoder) -> SentenceEncoder:
    return settings
