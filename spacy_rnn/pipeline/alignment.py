"""What translations look at, by the tokens of their sources."""

from typing import List, NamedTuple

import numpy as np
from spacy.tokens import Span

from ..features.alignment import shares
from .sentences import Sentence


class Alignment(NamedTuple):
    """What the translation of a sentence looked at.

    source: the tokens of the sentence.
    pieces: of its translation.
    weights: float32 (pieces, tokens of the sentence), the attention of each piece on each token, of
        which it may have left some on the white space between them.
    """

    source: Span
    pieces: List[str]
    weights: np.ndarray

    @property
    def links(self) -> List[int]:
        """For each piece of the translation the index in the doc of the token that it looked at
        most."""
        return [self.source.start + int(i) for i in self.weights.argmax(axis=1)]


def align(
    sentence: Sentence, starts: np.ndarray, ends: np.ndarray, pieces: List[str], weights: np.ndarray
) -> Alignment:
    """The alignment of a sentence's translation with its tokens.

    starts, ends: the characters of the sentence that each of its pieces covers.
    pieces, weights: of the translation, and their attention on the pieces of the sentence.
    """
    token_starts = np.array([token.idx for token in sentence.span])
    # The blank before a word is read with it, whatever white space it is of.
    token_ends = token_starts + [len(t) * (not t.is_space) for t in sentence.span]
    first = sentence.start
    on_tokens = shares(starts + first, ends + first, token_starts, token_ends)
    return Alignment(sentence.span, pieces, weights @ on_tokens)
