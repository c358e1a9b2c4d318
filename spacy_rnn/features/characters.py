"""Ids of the characters of words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from spacy.vocab import Vocab

from .base import ranked

PADDING, UNKNOWN = 0, 1


class CharacterIds:
    """``NAME``: int64 (U, L), padded with 0, and ``NAME_lengths``: int64 (U,).

    max_length: of a longer word the first and the last half of `max_length` characters are kept,
        since both ends tell more than the middle.
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
        ids = np.full((len(words), self.max_length), PADDING, dtype="int64")
        lengths = np.zeros(len(words), dtype="int64")
        for row, word in enumerate(words):
            word = shortened(word, self.max_length)
            lengths[row] = len(word)
            ids[row, : len(word)] = [self._ids.get(character, UNKNOWN) for character in word]
        return {self.name: ids, self.name + "_lengths": lengths}

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        longest = max(1, int(arrays[self.name + "_lengths"].max(initial=1)))
        return {**arrays, self.name: arrays[self.name][:, :longest]}

    def to_dict(self) -> dict[str, Any]:
        return {"characters": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {character: i for i, character in enumerate(state["characters"], start=2)}


def shortened(word: str, max_length: int) -> str:
    """The first and the last half of the characters of a longer word."""
    if len(word) <= max_length:
        return word
    head = (max_length + 1) // 2
    return word[:head] + word[len(word) - (max_length - head) :]
