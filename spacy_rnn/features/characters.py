"""Ids of the characters of words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from spacy.vocab import Vocab

from .feature import padded, ranked, shortened

#: 0 pads
UNKNOWN = 1


class CharacterIds:
    """``NAME``: int64 (U, L), padded with 0, and ``NAME_lengths``: int64 (U,).

    max_length: of a longer word the first and the last half of `max_length` characters are kept.
    """

    def __init__(self, name: str, max_length: int):
        self.name = name
        self.max_length = max_length
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        """Size of the alphabet, padding and the unknown character included."""
        return len(self._ids) + 2

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        characters: Counter[str] = Counter()
        for word, n in counts.items():
            for character in word:
                characters[character] += n
        # A character seen once is the only training that the unknown one gets.
        self.from_dict({"characters": ranked(characters, min_freq=2)})

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        spelled = [
            [self._ids.get(character, UNKNOWN) for character in shortened(word, self.max_length)]
            for word in words
        ]
        return padded(self.name, spelled, self.max_length)

    def to_dict(self) -> dict[str, Any]:
        return {"characters": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {character: i for i, character in enumerate(state["characters"], start=2)}
