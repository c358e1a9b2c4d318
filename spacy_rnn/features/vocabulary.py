"""Vocabularies as reports on corpora read words with them."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

import numpy as np

#: name of what a component reads, where it reads one thing
TEXT = "text"


class VocabularyProbe(NamedTuple):
    """A vocabulary, and the ids of words in it.

    size (int): Units that were learned: words, characters, or pieces with the control pieces.
    unknown (int): ID of the unknown unit.
    read (Callable[[Sequence[str]], Sequence[np.ndarray]]): Returns the IDs of each word's units.
    """

    size: int
    unknown: int
    read: Callable[[Sequence[str]], Sequence[np.ndarray]]
