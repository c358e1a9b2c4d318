"""Bases of the features that the parts of a token's embedding read, as numpy arrays.

A feature of words is a function of the word alone, so that its arrays are kept and each distinct
word is embedded once. A feature of tokens may look at the whole document.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional, Protocol, Sequence, TypeVar, runtime_checkable

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab

from .vocabulary import VocabularyProbe

#: a word as its characters or as IDs of its pieces
Spelling = TypeVar("Spelling", str, list[int])


class Feature:
    """Base of all features. By default a feature learns nothing.

    name (str): Name of the part of the embedding. Names of arrays are the name itself or begin with
        it and an underscore. If ``NAME`` holds IDs that are padded with 0, ``NAME_lengths`` is the
        number of IDs in each row: lengths stay on the CPU, and of the padded columns a batch has
        only those that it needs.
    """

    def __init__(self, name: str):
        self.name = name

    def vocabulary(self, vocab: Vocab) -> Optional[VocabularyProbe]:
        """Give reports on corpora access to the feature's vocabulary.

        vocab (Vocab): The pipeline's vocabulary.
        RETURNS (Optional[VocabularyProbe]): None if no word is ever unknown.
        """
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned, as JSON."""
        return {}

    def from_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `to_dict`."""


class WordFeature(Feature):
    """Base of the features that are functions of the word alone."""

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        """Learn from the training words.

        counts (Counter[str]): The number of times each word occurs.
        vocab (Vocab): The pipeline's vocabulary.
        """

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        """Return named arrays with one row for each word. They are kept, so they may depend on
        nothing but the word (and a table of vectors of mode floret)."""
        raise NotImplementedError

    def units(self, words: Sequence[str], vocab: Vocab) -> list[np.ndarray]:
        """Return the IDs of each word's units, without padding."""
        arrays = self.arrays(list(words), vocab)
        rows = arrays[self.name].reshape(len(words), -1)
        lengths = arrays.get(self.name + "_lengths", np.full(len(words), rows.shape[1]))
        return [row[:length] for row, length in zip(rows, lengths, strict=True)]


@runtime_checkable
class BatchFeature(Protocol):
    """A feature of words with a last step for each batch, which is cheaper to repeat than to
    keep."""

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        """Return the final arrays for the words of one batch, from rows of the arrays that are
        kept."""


class TokenFeature(Feature):
    """Base of the features of a token in its document."""

    def build(self, docs: Sequence[Doc]) -> None:
        """Learn from the training docs."""

    def arrays(self, docs: Sequence[Doc]) -> dict[str, np.ndarray]:
        """Return named arrays with one row for each token of all docs, whole documents one after
        another, however they are batched or read in windows later."""
        raise NotImplementedError


def ranked(counts: Counter[str], min_freq: int) -> list[str]:
    """Return the keys that occur at least `min_freq` times, the most frequent first, ties by
    spelling."""
    frequent = [(key, n) for key, n in counts.items() if n >= min_freq]
    return [key for key, _ in sorted(frequent, key=lambda item: (-item[1], item[0]))]


def shortened(word: Spelling, max_length: int) -> Spelling:
    """Return the first and the last half of `max_length` units of a longer word, since both ends
    say more than the middle."""
    if len(word) <= max_length:
        return word
    head = (max_length + 1) // 2
    return word[:head] + word[len(word) - (max_length - head) :]


def padded(
    name: str, words: Sequence[Sequence[int] | np.ndarray], columns: int
) -> dict[str, np.ndarray]:
    """Return the IDs of words of at most `columns` units as arrays: ``NAME``, int64 (U, columns),
    padded with 0, and ``NAME_lengths``, int64 (U,)."""
    ids = np.zeros((len(words), columns), dtype="int64")
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = word
    return {name: ids, name + "_lengths": np.array([len(word) for word in words], dtype="int64")}
