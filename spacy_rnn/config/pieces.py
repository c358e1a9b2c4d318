"""Settings of subword models."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Literal, Optional, Sequence

import numpy as np

from ..features.subwords import SubwordModel
from ..validation import above_zero, at_least, number_at_least


@dataclass(frozen=True)
class SentencePieces:
    """spacy_rnn.SentencePieces.v1: a vocabulary of pieces of words, trained on the training texts
    or loaded (see `spacy_rnn.features.subwords.SubwordModel`).

    vocab_size, model_type, character_coverage, byte_fallback: Settings of a model that is trained;
        see `SubwordModel`.
    alpha (Optional[float]): Sample the pieces of training texts with this parameter of
        `SubwordModel.sample`, so that a word is seen in several segmentations (Kudo 2018); null
        always takes the best one.
    path (Optional[Path]): A SentencePiece model to load at initialization instead of training one.
        It is saved with the component.
    """

    vocab_size: int = 8000
    model_type: Literal["unigram", "bpe", "char"] = "unigram"
    character_coverage: float = 1.0
    byte_fallback: bool = False
    alpha: Optional[float] = None
    path: Optional[Path] = None

    def __post_init__(self) -> None:
        at_least(1, vocab_size=self.vocab_size)
        above_zero(1, character_coverage=self.character_coverage)
        if self.alpha is not None:
            number_at_least(0, alpha=self.alpha)

    def features(self) -> SubwordModel:
        """The model, neither trained nor loaded yet."""
        return SubwordModel(
            self.vocab_size, self.model_type, self.character_coverage, self.byte_fallback
        )

    def initialize(self, model: SubwordModel, texts: Sequence[str]) -> None:
        """Train the model on texts, or load it from `path`."""
        if self.path is None:
            model.train(texts)
        else:
            model.load(self.path)

    def encode_for_training(self, model: SubwordModel, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of training texts, sampled with `alpha`."""
        if self.alpha is None:
            return model.encode(texts)
        # spaCy seeds numpy's generator.
        return model.sample(texts, self.alpha, np.random.randint(1 << 31))
