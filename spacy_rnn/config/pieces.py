"""Vocabularies of pieces of words, as configs describe them."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Literal, Optional, Sequence

import numpy as np

from ..features.pieces import Pieces
from ..validation import number_at_least


@dataclass(frozen=True)
class SentencePieces:
    """spacy_rnn.SentencePieces.v1: a vocabulary of pieces of words, trained on the training texts
    or loaded (see `spacy_rnn.features.pieces.Pieces`).

    vocab_size, kind, character_coverage, byte_fallback: of a model that is trained.
    alpha: draw the pieces of training texts at random, by this parameter of `Pieces.sample`, so
        that a word is seen in several ways (Kudo 2018); null takes the best.
    path: a SentencePiece model to load at initialization instead; it is saved with the component.
    """

    vocab_size: int = 8000
    kind: Literal["unigram", "bpe", "char"] = "unigram"
    character_coverage: float = 1.0
    byte_fallback: bool = False
    alpha: Optional[float] = None
    path: Optional[Path] = None

    def __post_init__(self) -> None:
        number_at_least(0, alpha=self.alpha or 0.0)

    def features(self) -> Pieces:
        return Pieces(self.vocab_size, self.kind, self.character_coverage, self.byte_fallback)

    def initialize(self, pieces: Pieces, texts: Sequence[str]) -> None:
        if self.path is None:
            pieces.train(texts)
        else:
            pieces.load(self.path)

    def encode(self, pieces: Pieces, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of training texts."""
        if self.alpha is None:
            return pieces.encode(texts)
        # spaCy seeds numpy's generator.
        return pieces.sample(texts, self.alpha, np.random.randint(1 << 31))
