"""How many documents a corpus has, and how long they are."""

from collections import Counter
from dataclasses import dataclass
from typing import Dict, Iterable, Sequence

import numpy as np


@dataclass(frozen=True)
class Corpus:
    """A corpus.

    documents, empty: how many, and how many of them without a token.
    tokens: of all documents. mean, longest: of one.
    lengths: how many documents have so many tokens, "0", "1", "2-3", "4-7" and so on.
    """

    documents: int
    empty: int
    tokens: int
    mean: float
    longest: int
    lengths: Dict[str, int]


def describe(lengths: Sequence[int]) -> Corpus:
    """A corpus with at least one document. lengths: tokens of each."""
    array = np.array(lengths)
    return Corpus(
        documents=len(array),
        empty=int((array == 0).sum()),
        tokens=int(array.sum()),
        mean=float(array.mean()),
        longest=int(array.max()),
        lengths=histogram(lengths),
    )


def histogram(lengths: Iterable[int]) -> Dict[str, int]:
    """How many lengths are in each range from one power of two to the next."""
    bins = Counter(int(length).bit_length() for length in lengths)
    return {_range(n): bins[n] for n in range(min(bins), max(bins) + 1)}


def _range(n_bits: int) -> str:
    """Of the numbers with so many bits."""
    first, last = (1 << n_bits) >> 1, (1 << n_bits) - 1
    return f"{first}-{last}" if first < last else str(first)


def n_leaked(train: Iterable[str], dev: Iterable[str]) -> int:
    """How many texts of the dev corpus, but empty ones, are in the training corpus too."""
    known = set(train)
    return sum(bool(text.strip()) and text in known for text in dev)
