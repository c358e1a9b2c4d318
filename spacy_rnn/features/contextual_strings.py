"""Characters of words as a trained language model reads them."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Callable, NamedTuple

import numpy as np
from spacy.vocab import Vocab

from .feature import WordFeature, padded, shortened
from .units import UNKNOWN, Characters
from .vocabulary import VocabularyProbe

#: of longer words, the first and the last characters are read
MAX_LENGTH = 64


class SourceModel(NamedTuple):
    """The part of a trained language model that an embedding takes.

    characters (Characters): Its characters.
    settings (dict[str, Any]): Its sizes, as JSON.
    weights (dict[str, Any]): Weights of its embedding and its encoder, by name.
    """

    characters: Characters
    settings: dict[str, Any]
    weights: dict[str, Any]


class ContextualStringFeature(WordFeature):
    """``NAME``: the characters of a word, int64 (U, L), and ``NAME_lengths``: int64 (U,).

    name (str): Name of the part of the embedding.
    load (Callable[[], SourceModel]): Loads the language model when training starts.
    """

    def __init__(self, name: str, load: Callable[[], SourceModel]):
        super().__init__(name)
        self._load = load
        self.characters = Characters()
        self.settings: dict[str, Any] = {}
        #: weights to start from; a saved component has its own
        self.weights: dict[str, Any] = {}

    @property
    def marks(self) -> tuple[int, int]:
        """IDs of the space and of the boundary of documents."""
        return int(self.characters.encode_text(" ")[0]), self.characters.boundary_id

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        self.characters, self.settings, self.weights = self._load()

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        spelled = [self.characters.encode_text(shortened(word, MAX_LENGTH)) for word in words]
        return padded(self.name, spelled, MAX_LENGTH)

    def vocabulary(self, vocab: Vocab) -> VocabularyProbe:
        # Without the boundary of documents and the unknown character.
        read = partial(self.units, vocab=vocab)
        return VocabularyProbe(len(self.characters) - 2, UNKNOWN, read)

    def to_dict(self) -> dict[str, Any]:
        return {**self.characters.to_dict(), "settings": self.settings}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.characters.from_dict(state)
        self.settings, self.weights = state["settings"], {}
