"""Ids of the pieces of words."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Sequence

import numpy as np
from spacy.vocab import Vocab

from .feature import padded, shortened
from .subwords import SubwordModel

#: of a word of more pieces the first and the last ones are read
MAX_LENGTH = 64
#: Words in a line of the training texts. The trainer proposes a string as a piece where several
#: things follow it: of words that each have a line, or hardly ever end one, it misses many.
LINE = 20


class WordPieces:
    """``NAME``: the pieces of a word, int64 (U, L), padded with 0, and ``NAME_lengths``: int64
    (U,), 0 for a word of which the model leaves nothing.

    They are the best pieces of the word as a text of its own, with the blank before it, wherever
    it stands. Together they cover all of it, but for the middle of a word of more than
    `MAX_LENGTH` pieces and what the normalization of a loaded model takes out.

    pieces: the SentencePiece model.
    learn: trains or loads it, when training starts, given lines of the training words.
    """

    def __init__(
        self, name: str, pieces: SubwordModel, learn: Callable[[SubwordModel, Sequence[str]], None]
    ):
        self.name = name
        self.pieces = pieces
        self._learn = learn

    def __len__(self) -> int:
        """Size of the vocabulary."""
        return len(self.pieces)

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        words = sorted(counts.elements())
        lines = [" ".join(words[i : i + LINE]) for i in range(0, len(words), LINE)]
        self._learn(self.pieces, lines)

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        found = [shortened(ids.tolist(), MAX_LENGTH) for ids in self.pieces.encode(words)]
        return padded(self.name, found, MAX_LENGTH)

    def to_dict(self) -> dict[str, Any]:
        return {"pieces": self.pieces.to_base64()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.pieces.from_base64(state["pieces"])
