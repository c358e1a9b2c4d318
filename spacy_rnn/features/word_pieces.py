"""IDs of the SentencePiece pieces of words."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Callable, Sequence

import numpy as np
from spacy.vocab import Vocab

from .feature import WordFeature, padded, shortened
from .subwords import SubwordModel
from .vocabulary import VocabularyProbe

#: of a word with more pieces, the first and the last ones are read
MAX_LENGTH = 64
#: Words in a line of the training texts. The trainer proposes a string as a piece if several
#: things follow it: with one word per line, it would miss many.
LINE = 20


class WordPieces(WordFeature):
    """``NAME``: the pieces of a word, int64 (U, L), padded with 0, and ``NAME_lengths``: int64
    (U,), 0 for a word of which the model's normalization leaves nothing.

    A word is cut into its best pieces as a text of its own, with the space before it, so its pieces
    do not depend on where it stands. Together they cover the whole word, except the middle of a
    word of more than `MAX_LENGTH` pieces and what the normalization of a loaded model removes.

    name (str): Name of the part of the embedding.
    pieces (SubwordModel): The SentencePiece model.
    learn (Callable[[SubwordModel, Sequence[str]], None]): Trains or loads the model when
        training starts, given lines of the training words.
    """

    def __init__(
        self, name: str, pieces: SubwordModel, learn: Callable[[SubwordModel, Sequence[str]], None]
    ):
        super().__init__(name)
        self.pieces = pieces
        self._learn = learn

    def __len__(self) -> int:
        """Return the size of the vocabulary."""
        return len(self.pieces)

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        words = sorted(counts.elements())
        lines = [" ".join(words[i : i + LINE]) for i in range(0, len(words), LINE)]
        self._learn(self.pieces, lines)

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        found = [shortened(ids.tolist(), MAX_LENGTH) for ids in self.pieces.encode(words)]
        return padded(self.name, found, MAX_LENGTH)

    def vocabulary(self, vocab: Vocab) -> VocabularyProbe:
        return VocabularyProbe(len(self), self.pieces.unk, partial(self.units, vocab=vocab))

    def to_dict(self) -> dict[str, Any]:
        return {"pieces": self.pieces.to_base64()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.pieces.from_base64(state["pieces"])
