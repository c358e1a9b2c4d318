"""Hashed prefixes, suffixes and shapes of words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from spacy.lang.lex_attrs import word_shape
from spacy.strings import get_string_id
from spacy.vocab import Vocab


class AffixHashes:
    """``NAME``: int64 (U, properties), each in [0, rows).

    The properties: the lower-cased first 1 to `prefixes` characters, the lower-cased last 1 to
    `suffixes` ones, and the shape (``Xxxx``, ``dd.d``), in this order. Nothing is learned, so that
    no word is ever unknown.
    """

    def __init__(self, name: str, rows: int, prefixes: int, suffixes: int, shape: bool):
        self.name = name
        self.rows = rows
        self.prefixes = prefixes
        self.suffixes = suffixes
        self.shape = shape

    @property
    def n_properties(self) -> int:
        return self.prefixes + self.suffixes + int(self.shape)

    def _properties(self, word: str) -> list[str]:
        lower = word.lower()
        properties = [lower[: n + 1] for n in range(self.prefixes)]
        properties += [lower[-n - 1 :] for n in range(self.suffixes)]
        return properties + [word_shape(word)] if self.shape else properties

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        pass

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        hashes = [[get_string_id(p) % self.rows for p in self._properties(w)] for w in words]
        return {self.name: np.array(hashes, dtype="int64").reshape(len(words), self.n_properties)}

    def to_dict(self) -> dict[str, Any]:
        return {}

    def from_dict(self, state: dict[str, Any]) -> None:
        pass
