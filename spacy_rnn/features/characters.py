"""IDs of the characters of words."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from spacy.vocab import Vocab

from .feature import WordFeature, padded, ranked, shortened
from .vocabulary import VocabularyProbe

#: ID of characters that are not in the alphabet; 0 is padding
UNKNOWN = 1


class CharacterIds(WordFeature):
    """``NAME``: int64 (U, L), padded with 0, and ``NAME_lengths``: int64 (U,).

    name (str): Name of the part of the embedding.
    max_length (int): Of a longer word, the first and the last half of so many characters are kept.
    """

    def __init__(self, name: str, max_length: int):
        super().__init__(name)
        self.max_length = max_length
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the size of the alphabet, including padding and the unknown character."""
        return len(self._ids) + 2

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        characters: Counter[str] = Counter()
        for word, n in counts.items():
            for character in word:
                characters[character] += n
        # The vector of the unknown character is trained on characters that are seen once.
        self.from_dict({"characters": ranked(characters, min_freq=2)})

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        spelled = [
            [self._ids.get(character, UNKNOWN) for character in shortened(word, self.max_length)]
            for word in words
        ]
        return padded(self.name, spelled, self.max_length)

    def vocabulary(self, vocab: Vocab) -> VocabularyProbe:
        return VocabularyProbe(len(self._ids), UNKNOWN, partial(self.units, vocab=vocab))

    def to_dict(self) -> dict[str, Any]:
        return {"characters": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {character: i for i, character in enumerate(state["characters"], start=2)}
