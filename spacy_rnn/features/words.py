"""IDs of words in a vocabulary of training words."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from spacy.vocab import Vocab

from .feature import WordFeature, ranked
from .vocabulary import VocabularyProbe


class WordIds(WordFeature):
    """``NAME``: int64 (U,), 0 for a word that is not in the vocabulary.

    name (str): Name of the part of the embedding.
    min_freq (int): Words that occur less often in the training data are unknown.
    lowercase (bool): Look words up in lower case.
    """

    def __init__(self, name: str, min_freq: int, lowercase: bool):
        super().__init__(name)
        self.min_freq = min_freq
        self.lowercase = lowercase
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the size of the vocabulary, including the unknown word."""
        return len(self._ids) + 1

    def _key(self, word: str) -> str:
        return word.lower() if self.lowercase else word

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        keys: Counter[str] = Counter()
        for word, n in counts.items():
            keys[self._key(word)] += n
        self.from_dict({"words": ranked(keys, self.min_freq)})

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        return {self.name: np.array([self._ids.get(self._key(w), 0) for w in words], dtype="int64")}

    def vocabulary(self, vocab: Vocab) -> VocabularyProbe:
        return VocabularyProbe(len(self._ids), 0, partial(self.units, vocab=vocab))

    def to_dict(self) -> dict[str, Any]:
        return {"words": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {word: i for i, word in enumerate(state["words"], start=1)}
