"""Hashed prefixes, suffixes and shapes of words."""

from __future__ import annotations

import numpy as np
from spacy.lang.lex_attrs import word_shape
from spacy.strings import get_string_id
from spacy.vocab import Vocab

from .feature import WordFeature


class AffixHashes(WordFeature):
    """``NAME``: int64 (U, properties), each in [0, rows).

    The properties are the lowercased first 1 to `prefixes` characters, the lowercased last 1 to
    `suffixes` characters, and the shape (``Xxxx``, ``dd.d``), in this order. Nothing is learned, so
    no word is ever unknown.

    name (str): Name of the part of the embedding.
    rows (int): Number of hash values of each property.
    prefixes (int): Length of the longest prefix.
    suffixes (int): Length of the longest suffix.
    shape (bool): Include the shape.
    """

    def __init__(self, name: str, rows: int, prefixes: int, suffixes: int, shape: bool):
        super().__init__(name)
        self.rows = rows
        self.prefixes = prefixes
        self.suffixes = suffixes
        self.shape = shape

    @property
    def n_properties(self) -> int:
        """The number of properties of a word."""
        return self.prefixes + self.suffixes + int(self.shape)

    def _properties(self, word: str) -> list[str]:
        lower = word.lower()
        properties = [lower[: n + 1] for n in range(self.prefixes)]
        properties += [lower[-n - 1 :] for n in range(self.suffixes)]
        return properties + [word_shape(word)] if self.shape else properties

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        hashes = [[get_string_id(p) % self.rows for p in self._properties(w)] for w in words]
        return {self.name: np.array(hashes, dtype="int64").reshape(len(words), self.n_properties)}
