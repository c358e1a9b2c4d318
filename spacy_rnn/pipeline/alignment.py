"""Alignments of translations with the tokens of their sources, by attention."""

from typing import List, NamedTuple

import numpy as np
from spacy.tokens import Span

from ..features.alignment import overlap_matrix
from .sentences import Sentence


class Alignment(NamedTuple):
    """The alignment of a sentence's translation with its tokens.

    source (Span): The tokens of the sentence.
    translation (str): Its translation.
    pieces (List[str]): The pieces of the translation.
    weights (np.ndarray): The attention of each piece on each token, float32 (pieces, tokens of the
        sentence). A row sums to less than 1 if there was attention on the whitespace between them.
    """

    source: Span
    translation: str
    pieces: List[str]
    weights: np.ndarray

    @property
    def links(self) -> List[int]:
        """For each piece of the translation, the index in the doc of the token with the most
        attention."""
        return [self.source.start + int(i) for i in self.weights.argmax(axis=1)]


def align(
    sentence: Sentence,
    starts: np.ndarray,
    ends: np.ndarray,
    translation: str,
    pieces: List[str],
    weights: np.ndarray,
) -> Alignment:
    """Align a sentence's translation with its tokens.

    sentence (Sentence): The sentence.
    starts, ends (np.ndarray): The characters of the sentence that each of its pieces covers.
    translation (str): The translation.
    pieces (List[str]): Its pieces.
    weights (np.ndarray): Their attention on the pieces of the sentence.
    RETURNS (Alignment): The alignment.
    """
    token_starts = np.array([token.idx for token in sentence.span])
    # The space before a word is part of its piece, also where it was other whitespace.
    token_ends = token_starts + [len(t) * (not t.is_space) for t in sentence.span]
    first = sentence.start
    on_tokens = overlap_matrix(starts + first, ends + first, token_starts, token_ends)
    return Alignment(sentence.span, translation, pieces, weights @ on_tokens)
