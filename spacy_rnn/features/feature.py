"""What every feature of a word has in common."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol, Sequence, TypeVar, runtime_checkable

import numpy as np
from spacy.vocab import Vocab

#: a word as its characters or as ids of its pieces
Spelling = TypeVar("Spelling", str, list[int])


class Feature(Protocol):
    """Turns words into arrays with one row for each word.

    name (str): Name of the array, under which it reaches the network. Where ``NAME`` holds ids that
        are padded with 0, ``NAME_lengths`` says how many each word has: lengths stay on the CPU,
        and of the padded columns a batch has only those that it needs.
    """

    name: str

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        """Learn from the training words and how often each occurs."""

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        """Arrays with one row for each word, which are kept: they depend on the word alone, or on
        the table of vectors of mode floret."""

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned, as JSON."""

    def from_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `to_dict`."""


@runtime_checkable
class BatchFeature(Feature, Protocol):
    """A feature with a last step for each batch: what is cheaper to repeat than to keep."""

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        """Complete the arrays of `ids` for the words of one batch."""


def ranked(counts: Counter[str], min_freq: int) -> list[str]:
    """The keys that occur at least `min_freq` times, the most frequent first, ties by spelling."""
    frequent = [(key, n) for key, n in counts.items() if n >= min_freq]
    return [key for key, _ in sorted(frequent, key=lambda item: (-item[1], item[0]))]


def shortened(word: Spelling, max_length: int) -> Spelling:
    """The first and the last half of `max_length` units of a longer word, since both ends tell
    more than the middle."""
    if len(word) <= max_length:
        return word
    head = (max_length + 1) // 2
    return word[:head] + word[len(word) - (max_length - head) :]


def padded(
    name: str, words: Sequence[Sequence[int] | np.ndarray], columns: int
) -> dict[str, np.ndarray]:
    """Words as ids of at most `columns` units: ``NAME``, int64 (U, columns), padded with 0, and
    ``NAME_lengths``, int64 (U,)."""
    ids = np.zeros((len(words), columns), dtype="int64")
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = word
    return {name: ids, name + "_lengths": np.array([len(word) for word in words], dtype="int64")}
