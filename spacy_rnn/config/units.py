"""Settings of the units of language models."""

from dataclasses import dataclass
from typing import List, Sequence, Union

import numpy as np
from spacy.tokens import Doc

from ..features.units import Characters, PieceUnits, Units, Words
from ..validation import at_least
from .pieces import SentencePieces


@dataclass(frozen=True)
class CharacterUnits:
    """spacy_rnn.CharacterUnits.v1: characters, including spaces and line breaks.

    min_freq (int): Characters that occur less often in the training texts are unknown.
    """

    min_freq: int = 2

    def __post_init__(self) -> None:
        at_least(1, min_freq=self.min_freq)


@dataclass(frozen=True)
class WordUnits:
    """spacy_rnn.WordUnits.v1: spaCy's tokens.

    min_freq (int): Words that occur less often in the training texts are unknown.
    max_words (int): Maximum number of the others, the most frequent ones; 0 for all.
    """

    min_freq: int = 2
    max_words: int = 0

    def __post_init__(self) -> None:
        at_least(1, min_freq=self.min_freq)
        at_least(0, max_words=self.max_words)


UnitsConfig = Union[CharacterUnits, WordUnits, SentencePieces]


def make_units(config: UnitsConfig) -> Units:
    """Make units without a vocabulary."""
    if isinstance(config, SentencePieces):
        return PieceUnits(config.features())
    if isinstance(config, WordUnits):
        return Words(config.min_freq, config.max_words)
    return Characters(config.min_freq)


def fit_units(config: UnitsConfig, units: Units, docs: Sequence[Doc]) -> None:
    """Make the vocabulary from training documents, or load it if the config says so."""
    if isinstance(config, SentencePieces) and isinstance(units, PieceUnits):
        config.initialize(units.model, [doc.text for doc in docs])
    else:
        units.fit(docs)


def encode_for_training(config: UnitsConfig, units: Units, docs: Sequence[Doc]) -> List[np.ndarray]:
    """The units of training documents, sampled if the config says so."""
    if isinstance(config, SentencePieces) and isinstance(units, PieceUnits):
        return config.encode_for_training(units.model, [doc.text for doc in docs])
    return units.encode(docs)
